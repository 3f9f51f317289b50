# SPDX-License-Identifier: MIT
"""Hooks: what a call costs more that shunt hears of and has nothing to do for."""
import figures
from worker import Worker, counts

TITLE = 'Calls that pass through'
CALLS = {'read': 'read, 1 byte of /dev/zero', 'write': 'write, 1 byte to /dev/null',
         'recv': 'recv, 1 byte of a socket pair', 'send': 'send, 1 byte by UDP',
         'close': 'close(-1)', 'poll': 'poll, 1 ready descriptor',
         'mmap': 'mmap and munmap, 1 page',
         'sigaction': 'sigaction', 'free': 'malloc and free, 64 bytes',
         'fork': 'fork, exit and wait', 'true': 'posix_spawn of /bin/true, and wait'}
STARTS = ('fork', 'true')
WAYS = ('plain', 'shunt', 'armed')


def one(worker, call, armed):
    words = worker.ask('hook', call, int(armed))
    times, sample = float(words[0]), counts(words[1:])
    return {'ns': sample['wall'] / times, 'cpu': sample['cpu'] / times,
            'instructions': sample['ins_user'] / times}


def taken(call, plain, shunt, rounds):
    """Each way in turn."""
    runs = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            runs[way].append(one(plain if way == 'plain' else shunt, call, way == 'armed'))
    return runs


def line(call, plain, shunt, rounds):
    runs = taken(call, plain, shunt, rounds)
    for worker in (plain, shunt):
        worker.detail(True)
    detail = taken(call, plain, shunt, 5)
    data = {'call': call, 'what': CALLS[call]}
    for key in ('ns', 'cpu', 'instructions'):
        of = detail if key == 'instructions' else runs
        by_way = {way: [s[key] for s in of[way]] for way in WAYS}
        data[key] = {way: figures.summary(v) for way, v in by_way.items()}
        for way in WAYS[1:]:
            data[f'{key}_more_{way}'] = figures.summary(
                [a - b for a, b in zip(by_way[way], by_way['plain'])])
    return data


def run(bench, say):
    path = bench.place.file('hook.bin', 16 << 20)
    bench.place.settle()
    data = []
    for call in CALLS:
        say(call)
        plain, shunt = Worker(bench, path), Worker(bench, path, shunt=True)
        data.append(line(call, plain, shunt, bench.rounds(15, 51)))
        plain.stop()
        shunt.stop()
    return data


def row(d):
    start = d['call'] in STARTS
    scale, digits = (1e-3, 0) if start else (1, 1)

    def told(s):
        return f"{s['median'] * scale:+.{digits}f}"
    return [d['what'], f"{d['cpu']['plain']['median'] * scale:.{digits}f}",
            *(told(d[f'cpu_more_{way}']) for way in WAYS[1:]),
            '..'.join(f"{d['cpu_more_shunt'][q] * scale:+.{digits}f}" for q in ('q1', 'q3')),
            f"{d['instructions']['plain']['median']:.0f}",
            *(f"{d[f'instructions_more_{way}']['median']:+.0f}" for way in WAYS[1:])]


def tables(data):
    for starts, unit in ((False, 'ns'), (True, 'us')):
        rows = [row(d) for d in data if (d['call'] in STARTS) == starts]
        yield figures.table(
            f'{"starts" if starts else "calls"}: {unit} of CPU, and instructions of the program',
            ['call', f'plain {unit}', 'shunt', 'armed', 'quartiles of shunt', 'plain instr.',
             'shunt', 'armed'], rows,
            'shunt: so much more; armed: while a buffer of 256 KiB is landed')


def headline(data):
    most = [d['cpu_more_shunt']['median'] for d in data if d['call'] not in STARTS]
    if most:
        yield f'{max(most):+.0f} ns', 'at most, for a call that passes through'
    for d in data:
        if d['call'] == 'true':
            yield f"{d['cpu_more_shunt']['median'] / 1e6:+.2f} ms", 'to start a program'
