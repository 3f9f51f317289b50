# SPDX-License-Identifier: MIT
"""Relays and CGI servers, and the file servers: cycles of a transfer, plain and shunt in pairs.

Both are up, with a processor for them and one for all else. Transfers are taken in turn, each second
pair the other way round, and the ratio is that of each pair: what drifts more slowly than two
transfers take is not in it."""
import contextlib
import figures
from relays import RELAYS
from server import SERVERS
from worker import since

TITLE = 'Relays and servers, pair by pair'
WAYS = ('plain', 'shunt')
# bytes of the file, and how often it is asked for in one run
SIZES = {256 << 10: 64, 64 << 20: 1}
WARM = 3  # runs in which shunt learns the loop, and measures whether it pays


def transfer(server, size):
    """What one run took of the server and its children."""
    before = server.counted.at_rest()
    got = server.fetch(f'{size}.bin', SIZES[size], False)
    if got != size * SIZES[size]:
        raise RuntimeError(f'{server.name}: {got} bytes of {size * SIZES[size]} came')
    return since(server.counted.at_rest(), before)


def taken(running, size, rounds):
    runs = {way: [] for way in WAYS}
    for turn in range(rounds):
        for way in WAYS if turn % 2 == 0 else WAYS[::-1]:
            runs[way].append(transfer(running[way], size))
    return runs


def line(running, size, bench):
    """The costs; instructions are counted by detail(), later."""
    taken(running, size, WARM)
    runs = taken(running, size, bench.rounds(31, 101))
    total = size * SIZES[size]
    unit = figures.unit(runs['plain'][0])
    scale = 1 if unit == 'cycles' else 1024
    costs = {way: [figures.cost(s) / total * scale for s in runs[way]] for way in WAYS}
    return {'size': size, 'unit': unit, 'gain': figures.ratio(costs['plain'], costs['shunt']),
            'cost': {way: figures.summary(costs[way]) for way in WAYS}}


def detail(running, size, bench):
    """Instructions a KiB, of the program and of the kernel for it."""
    runs = taken(running, size, bench.rounds(5, 11))
    total = size * SIZES[size] / 1024
    return {key: {way: figures.median_of(s[key] / total for s in runs[way]) for way in WAYS}
            for key in ('ins_user', 'ins_kernel')}


def one_server(kind, bench, www, say):
    """Its lines, one for each size."""
    sizes = bench.pick(list(SIZES)[1:], list(SIZES))
    with contextlib.ExitStack() as stack:
        running = {'plain': kind(bench, 'plain', www)}
        stack.callback(running['plain'].stop)
        running['shunt'] = kind(bench, 'shunt', www)
        lines = []
        for size in sizes:
            say(f'{kind.name} {figures.size(size)}')
            lines.append({'server': kind.name, **line(running, size, bench)})
        for server in running.values():
            server.counted.detail()
        for d in lines:
            d.update(detail(running, d['size'], bench))
        report = running['shunt'].stop()
    return [{**d, 'report': report} for d in lines]


def run(bench, say):
    www = bench.place.directory('www')
    for size in SIZES:
        bench.place.file(f'www/{size}.bin', size)
    say('files: they are settled in 11 s, for servers that do not own them')
    bench.place.settle(aged=True)
    data = {'lines': [], 'skipped': []}
    for kind in RELAYS + SERVERS:
        if why := kind.lacks():
            data['skipped'].append(f'{kind.name}: {why}')
        else:
            data['lines'] += one_server(kind, bench, www, say)
    return data


def instructions(d, key):
    plain, shunt = (d[key][way] for way in WAYS)
    return [figures.number(plain, 0), f'{shunt - plain:+.0f}'] if plain else ['-', '-']


def row(d):
    report = d['report'] or {'rewritten': 0, 'why_not': None}
    return [d['server'], figures.size(d['size']), *(figures.median(d['cost'][w]) for w in WAYS),
            figures.spread(d['gain'], 3), *instructions(d, 'ins_user'),
            *instructions(d, 'ins_kernel'), f"{100 * report['rewritten']:.0f}",
            report['why_not'] or '']


def tables(data):
    unit = data['lines'][0]['unit'] if data['lines'] else 'cycles'
    yield figures.table(
        'cycles a byte' if unit == 'cycles' else 'ns of CPU a KiB',
        ['server', 'file', 'plain', 'shunt', 'plain/shunt', 'program instr.', 'shunt',
         'kernel instr.', 'shunt', '% rewritten', 'why not'],
        [row(d) for d in data['lines']],
        'instructions a KiB: plainly, and so many more under shunt. ' + '; '.join(data['skipped']))


def headline(data):
    if data['lines']:
        worst = min(data['lines'], key=lambda d: d['gain']['median'])
        yield (f"{worst['gain']['median']:.3f}x",
               f"plain / shunt, CPU of pairs: {worst['server']}, the least of all")
