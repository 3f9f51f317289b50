# SPDX-License-Identifier: MIT
"""Latency: how long a single byte takes through a real relay and back, plain and under shunt.

Both relays of a pair are up, and bytes go through them in turn (echo.c). Each run is made twice,
the second time with the roles of the two swapped: if being first or second made a difference, the
two columns would show it."""
import contextlib, subprocess
import figures
from relays import Haproxy, Redir, Rinetd
from server import free_port
from worker import FAR, start

TITLE = 'Latency of single bytes through real relays'
RELAYS = (Haproxy, Rinetd, Redir)
LIMIT = 1.03
COUNT = (4000, 20000)  # bytes a run, quick and full
WAYS = ('plain', 'shunt')


def echo(bench, upstream, relays):
    """The p50 and p90 of each of RELAYS, in ns; and the median of second by first, pair by pair."""
    words = [bench.program, 'echo', upstream, bench.pick(*COUNT), 0, *(r.port for r in relays)]
    with start([str(w) for w in words], FAR, stdout=subprocess.PIPE, text=True) as process:
        said = process.communicate()[0].split()
    if process.returncode != 0 or len(said) != 5:
        raise RuntimeError(f'{relays[0].name}: echo failed: {said}')
    return [float(w) for w in said]


def once(bench, upstream, relays, order):
    """One run in one ORDER of the two ways: what each took, and shunt / plain of it."""
    p = echo(bench, upstream, [relays[way] for way in order])
    at = {way: order.index(way) * 2 for way in WAYS}
    one = {way: p[at[way]] for way in WAYS} | {f'{way}90': p[at[way] + 1] for way in WAYS}
    return one | {'first': order[0], 'ratio': one['shunt'] / one['plain'],
                  'ratio90': one['shunt90'] / one['plain90'],
                  'pairs': p[4] if order == WAYS else 1 / p[4]}


def one_start(kind, bench, order, rounds):
    """All runs of two relays that are started in this ORDER."""
    upstream, relays = free_port(), {}
    with contextlib.ExitStack() as stack:
        for way in order:
            relays[way] = kind(bench, way, bench.place.path, upstream)
            stack.callback(relays[way].stop)
            if relays[way].loaded() != (way == 'shunt'):
                raise RuntimeError(f'{kind.name}: the {way} one is not what it should be')
        return [once(bench, upstream, relays, roles)
                for _ in range(rounds) for roles in (WAYS, WAYS[::-1])]


def line(kind, bench):
    runs = []
    for order, rounds in bench.starts(WAYS, 30, 20):
        runs += one_start(kind, bench, order, rounds)
    return {'relay': kind.name, 'count': bench.pick(*COUNT), 'runs': runs,
            'firsts': {way: figures.summary([r['ratio'] for r in runs if r['first'] == way])
                       for way in WAYS},
            **{key: figures.summary([r[key] for r in runs])
               for key in (*WAYS, 'ratio', 'ratio90', 'pairs')}}


def run(bench, say):
    data = {'lines': [], 'skipped': []}
    for kind in RELAYS:
        if why := kind.lacks(backend=False):
            data['skipped'].append(f'{kind.name}: {why}')
            continue
        say(kind.name)
        data['lines'].append(line(kind, bench))
    return data


def row(d):
    return [d['relay'], *(figures.number(d[way]['median'] / 1e3, 2) for way in WAYS),
            figures.spread(d['ratio'], 3), *(figures.median(d['firsts'][way]) for way in WAYS),
            figures.median(d['pairs']), figures.median(d['ratio90'])]


def tables(data):
    count = data['lines'][0]['count'] if data['lines'] else 0
    yield figures.table(
        f'a byte there and back, in us: medians of the medians of {count}',
        ['relay', 'plain', 'shunt', 'shunt / plain', 'plain first', 'shunt first', 'of pairs',
         'of p90'],
        [row(d) for d in data['lines']],
        f'all but the first two: shunt / plain, the limit is {LIMIT}. ' +
        '; '.join(data['skipped']))


def headline(data):
    if data['lines']:
        worst = max(data['lines'], key=lambda d: d['ratio']['median'])
        yield (f"{worst['ratio']['median']:.3f}x",
               f"shunt / plain: a byte through {worst['relay']} and back, the worst of them")
