# SPDX-License-Identifier: MIT
"""Echo: how long a single byte takes through a relay and back, plain and under shunt."""
import os, socket, subprocess
import figures
from worker import FAR, NEAR, start

TITLE = 'Echo of single bytes through a relay'
WAYS = ('level', 'edge', 'select', 'blocking', 'threads')
BEFORE = {0: 'at once', 8 << 20: 'after 8 MiB'}
SIZE = 131072
SPLICE = 'engines:sendfile+mapped+splice'


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Relay:
    """tests/relay/relay, pinned."""

    def __init__(self, bench, way, shunt):
        program = os.path.join(os.path.dirname(bench.program), '../relay/relay')
        env = {}
        if shunt:
            env, _ = bench.preload()
            env['SHUNT_CONF'] += ',' + SPLICE
        self.upstream = free_port()
        self.process = start([program, way, str(self.upstream), str(SIZE)], NEAR, env=env,
                             stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline().split()[0])

    def echo(self, bench, count, before):
        """The median of COUNT round trips, in ns."""
        words = [bench.program, 'echo', self.upstream, count, before, self.port]
        with start([str(w) for w in words], FAR, stdout=subprocess.PIPE) as process:
            said = process.communicate()[0]
        if process.returncode != 0:
            raise OSError(f'echo failed: {said!r}')
        return int(said.split()[0])

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


def line(bench, way, before):
    relays = {'plain': Relay(bench, way, False), 'shunt': Relay(bench, way, True)}
    taken = {who: [] for who in relays}
    for _ in range(bench.rounds(15, 51)):
        for who, relay in relays.items():
            taken[who].append(relay.echo(bench, 2000, before))
    for relay in relays.values():
        relay.stop()
    return {'way': way, 'before': before, 'ratio': figures.ratio(taken['shunt'], taken['plain']),
            **{who: figures.summary(ns) for who, ns in taken.items()}}


def run(bench, say):
    data = []
    for way in bench.pick(WAYS[:1] + WAYS[3:], WAYS):
        for before in BEFORE:
            say(f'{way} {BEFORE[before]}')
            data.append(line(bench, way, before))
    return data


def rows(data):
    for d in data:
        yield [d['way'], BEFORE[d['before']], f"{d['plain']['median'] / 1e3:.2f}",
               f"{d['shunt']['median'] / 1e3:.2f}", figures.spread(d['ratio'], 3)]


def tables(data):
    yield figures.table('a byte there and back, in us: medians of the medians of 2000',
                        ['relay', 'when', 'plain', 'shunt', 'shunt / plain'], list(rows(data)),
                        f'with {SPLICE}, buffers of {figures.size(SIZE)}, runs taken in turn')


def headline(data):
    middle = figures.median_of(d['ratio']['median'] for d in data)
    yield f'{middle:.2f}x', 'shunt / plain: a byte through a relay and back'
