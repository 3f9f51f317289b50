# SPDX-License-Identifier: MIT
"""Relays and CGI servers, and the file servers: cycles of a transfer, plain and shunt in pairs.

Both are up, with a processor for them and one for all else. Transfers are taken in turn, each
second pair the other way round, and the ratio is that of each pair: what drifts more slowly than
two transfers take is not in it."""
import contextlib
import figures
from relays import RELAYS
from server import SERVERS, served_files
from worker import since

TITLE = 'Relays and servers, pair by pair'
WAYS = ('plain', 'shunt')
# bytes of the file, and how often it is asked for in one run
SIZES = {256 << 10: 16, 64 << 20: 1}
WARM = 2  # runs in which shunt learns the loop, and measures whether it pays


def transfer(server, size):
    """What one run took of the server and its children."""
    before = server.counted.at_rest()
    got = server.fetch(f'{size}.bin', SIZES[size], False)
    if got != size * SIZES[size]:
        raise RuntimeError(f'{server.name}: {got} bytes of {size * SIZES[size]} came')
    return since(server.counted.at_rest(), before)


def taken(running, size, rounds):
    """RUNNING in turn; each second time the other way round."""
    runs = {way: [] for way in WAYS}
    for turn in range(rounds):
        for way in list(running)[::-1] if turn % 2 else running:
            runs[way].append(transfer(running[way], size))
    return runs


def one_start(kind, bench, www, size, order, rounds):
    """
    Two servers, started in this ORDER: what the runs took, some more in which instructions are
    counted, and what shunt reports.
    """
    with contextlib.ExitStack() as stack:
        running = {}
        for way in order:
            running[way] = kind(bench, way, www)
            if way == 'plain':
                stack.callback(running[way].stop)
        taken(running, size, WARM)
        runs = taken(running, size, rounds)
        for server in running.values():
            server.counted.detail()
        return runs, taken(running, size, bench.pick(2, 5)), running['shunt'].stop()


def line(kind, bench, www, size):
    """The report is that of the last start."""
    runs, detail = ({way: [] for way in WAYS} for _ in range(2))
    for order, rounds in bench.starts(WAYS, 32, 100):
        *started, report = one_start(kind, bench, www, size, order, rounds)
        for all_runs, more in zip((runs, detail), started):
            for way in WAYS:
                all_runs[way] += more[way]
    total, unit = size * SIZES[size], figures.unit(runs['plain'][0])
    scale = 1 if unit == 'cycles' else 1024
    costs = {way: [figures.cost(s) / total * scale for s in runs[way]] for way in WAYS}
    return {'server': kind.name, 'size': size, 'unit': unit, 'report': report,
            'gain': figures.ratio(costs['plain'], costs['shunt']),
            'cost': {way: figures.summary(costs[way]) for way in WAYS},
            **{key: {way: figures.median_of(s[key] / total * 1024 for s in detail[way])
                     for way in WAYS} for key in ('ins_user', 'ins_kernel')}}


def run(bench, say):
    www = served_files(bench, SIZES, say)
    data = {'lines': [], 'skipped': []}
    for kind in RELAYS + SERVERS:
        if why := kind.lacks():
            data['skipped'].append(f'{kind.name}: {why}')
            continue
        for size in bench.pick(list(SIZES)[1:], list(SIZES)):
            say(f'{kind.name} {figures.size(size)}')
            data['lines'].append(line(kind, bench, www, size))
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
