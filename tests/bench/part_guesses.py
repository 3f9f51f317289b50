# SPDX-License-Identifier: MIT
"""Wrong guesses: loops that look at, or change, what passes; they must not get slower."""
import figures
from worker import Worker

TITLE = 'Loops that look'
LOOKS = {'first': 'the first byte', 'random': 'a random byte', 'all': 'every byte',
         'change': 'changes a byte', 'nth': 'every byte of each 8th chunk'}
BYTES = 32 << 20
LIMIT = 1.02


def line(bench, path, look, chunk):
    plain, shunt = Worker(bench, path), Worker(bench, path, shunt=True)
    costs, unit = {'plain': [], 'shunt': []}, ''
    for _ in range(bench.rounds(15, 41)):
        for way, who in (('plain', plain), ('shunt', shunt)):
            s = who.loop('read', 'file-tcp', chunk, False, BYTES, look, 0)
            costs[way].append(figures.cost(s) / s['bytes'])
            unit = figures.unit(s)
    plain.stop()
    return {'look': look, 'chunk': chunk, 'unit': unit, 'plain': figures.summary(costs['plain']),
            'shunt': figures.summary(costs['shunt']),
            'more': figures.ratio(costs['shunt'], costs['plain']),
            'first': costs['shunt'][0] / costs['plain'][0], 'report': shunt.stop()}


def run(bench, say):
    path = bench.place.file('guess.bin', 64 << 20)
    bench.place.settle()
    data = []
    for look in LOOKS:
        for k in bench.pick((16, 64, 256), (4, 16, 32, 64, 128, 256, 1024, 4096)):
            say(f'{look} {k}K')
            data.append(line(bench, path, look, k << 10))
    return data


def tables(data):
    rows = [[LOOKS[d['look']], figures.size(d['chunk']), figures.median(d['plain']),
             figures.median(d['shunt']), figures.spread(d['more'], 3),
             figures.number(d['first'], 2),
             f"{100 * d['report']['rewritten']:.0f}" if d['report'] else '-',
             'above the limit' if d['more']['median'] > LIMIT else ''] for d in data]
    yield figures.table(f"{data[0]['unit']} a byte, and shunt / plain", [
        'looks at', 'chunk', 'plain', 'shunt', 'shunt/plain', 'first 32M', '% rewritten', ''], rows,
        f'first 32M: from the first chunk on, learning included; the limit is {LIMIT}')


def headline(data):
    worst = max(data, key=lambda d: d['more']['median'])
    yield f"{worst['more']['median']:.2f}x", 'shunt / plain, CPU: the loop that looks and fares worst'
