# SPDX-License-Identifier: MIT
"""Cold files: which of the two calls waits for the disk, in an event loop."""
import os, statistics
import figures
from worker import Worker, counts

TITLE = 'Cold files'
HOWS = {'loop': 'one thread reads and writes', 'threads': 'another thread reads'}
FIGURES = ('p50', 'p99', 'max', 'sum')
SIZE = 64 << 20


def one(worker, how, chunk):
    words = worker.ask('cold', how, chunk, SIZE)
    times = list(map(float, words[1:9]))
    return {'resident': float(words[0]), 'read': dict(zip(FIGURES, times[:4])),
            'write': dict(zip(FIGURES, times[4:])), **counts(words[9:])}


def middle(runs, call):
    """The median over the runs of each figure, in us."""
    return {f: statistics.median(r[call][f] for r in runs) / 1e3 for f in FIGURES}


def line(bench, path, how, chunk):
    plain, shunt = Worker(bench, path), Worker(bench, path, shunt=True)
    runs = {'plain': [], 'shunt': []}
    for _ in range(bench.rounds(7, 21)):
        for way, who in (('plain', plain), ('shunt', shunt)):
            runs[way].append(one(who, how, chunk))
    plain.stop()
    data = {'how': how, 'chunk': chunk, 'report': shunt.stop(),
            'resident': max(r['resident'] for rs in runs.values() for r in rs),
            'wall': figures.ratio([r['wall'] for r in runs['shunt']],
                                  [r['wall'] for r in runs['plain']])}
    for way in runs:
        data[way] = {call: middle(runs[way], call) for call in ('read', 'write')}
        data[way]['wall'] = statistics.median(r['wall'] for r in runs[way]) / 1e6
    return data


def run(bench, say):
    path = bench.place.file('cold.bin', SIZE)
    with open(path, 'rb+') as f:
        os.fsync(f.fileno())
    bench.place.settle()
    data = []
    for how in HOWS:
        for k in bench.pick((64, 256), (16, 64, 256, 1024)):
            say(f'{how} {k}K')
            data.append(line(bench, path, how, k << 10))
    return data


def rows(data):
    for d in data:
        rewritten = f"{100 * d['report']['rewritten']:.0f}" if d['report'] else '-'
        for way in ('plain', 'shunt'):
            w = d[way]
            yield [HOWS[d['how']], figures.size(d['chunk']), way,
                   *(f"{w[call][f]:.0f}" for call in ('read', 'write') for f in FIGURES[:3]),
                   f"{w['write']['sum'] / 1e3:.1f}", f"{w['wall']:.0f}",
                   rewritten if way == 'shunt' else '']


def tables(data):
    there = max(d['resident'] for d in data)
    yield figures.table(
        'how long a read and a write take, in us (write sum, all: ms)',
        ['who', 'chunk', 'way', 'read p50', 'p99', 'max', 'write p50', 'p99', 'max', 'write sum',
         'all', '% rewritten'], list(rows(data)),
        f'medians over the runs; at a start up to {there:.0f} % of the file was in the page cache')


def headline(data):
    for d in data:
        if d['how'] == 'threads':
            yield (f"{d['shunt']['write']['p99'] / max(d['plain']['write']['p99'], 1):.1f}x",
                   "shunt / plain: a slow write (p99) of a cold file, read by another thread")
            return
