# SPDX-License-Identifier: MIT
"""Loops: cycles a byte of the serving thread, for each of some ways to send the same bytes."""
import figures
from worker import Worker

TITLE = 'Loops'
ROUTES = {'file-tcp': ['tcp-out'], 'file-unix': ['unix-out'], 'mapped-tcp': ['tcp-out'],
          'tcp-tcp': ['tcp-in', 'tcp-out'], 'unix-unix': ['unix-in', 'unix-out'],
          'pipe-tcp': ['pipe-in', 'tcp-out']}
QUICK = (4, 16, 64, 256, 1024)
FULL = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
WAYS = ('plain', 'shunt', 'hand', 'limit')
FLOOR = 'floor'  # by hand, with what else a landed chunk has to ask the kernel: files that are read
BYTES = 32 << 20


def ways_of(route):
    return WAYS + (FLOOR,) if route.startswith('file') else WAYS


def chunk_sizes(bench):
    return [k << 10 for k in bench.pick(QUICK, FULL)]


def take(runs, workers, route, chunk, odd, rounds):
    """More RUNS of one line: each way in turn, and each in turn the first."""
    ways = ways_of(route)
    for i in range(rounds):
        for way in ways[i % len(ways):] + ways[:i % len(ways)]:
            who = workers['shunt' if way == 'shunt' else 'plain']
            kind = 'read' if way in ('plain', 'shunt') else way
            runs[way].append(who.loop(kind, route, chunk, odd, BYTES))


def way_data(samples, detail):
    def middle(key, of=detail):
        return figures.median_of(s[key] / s['bytes'] for s in of)
    scale = 1 if figures.unit(samples[0]) == 'cycles' else 1024
    return {'cost': figures.summary([figures.cost(s) / s['bytes'] * scale for s in samples]),
            'user_share': figures.median_of(s['user'] / (s['cycles'] or 1) for s in detail),
            'ins_user': middle('ins_user'), 'ins_kernel': middle('ins_kernel'),
            'ns': middle('cpu', samples), 'wall': middle('wall', samples),
            'mean_chunk': figures.median_of(s['bytes'] / s['chunks'] for s in samples)}


def together(reports):
    """One report of those of all starts; some have none."""
    reports = [r for r in reports if r]
    total = sum(r['bytes'] for r in reports)
    if not total:
        return None
    return {'bytes': total, 'rewritten': sum(r['bytes'] * r['rewritten'] for r in reports) / total,
            'why_not': next((r['why_not'] for r in reports if r['why_not']), None)}


def line(bench, path, route, chunk, odd):
    ways = ways_of(route)
    runs, detail = ({way: [] for way in ways} for _ in range(2))
    reports = []
    for order, rounds in bench.starts(('plain', 'shunt'), 12, 32):
        workers = {way: Worker(bench, path, ROUTES[route], shunt=way == 'shunt') for way in order}
        take(runs, workers, route, chunk, odd, rounds)
        for worker in workers.values():
            worker.detail(True)
        take(detail, workers, route, chunk, odd, bench.pick(2, 4))
        reports += [worker.stop() for worker in workers.values()]
    costs = {way: [figures.cost(s) / s['bytes'] for s in runs[way]] for way in ways}
    return {'route': route, 'chunk': chunk, 'odd': odd,
            'unit': figures.unit(runs['plain'][0]),
            'ways': {way: way_data(runs[way], detail[way]) for way in ways},
            'gain': figures.ratio(costs['plain'], costs['shunt']),
            'hand_gain': figures.ratio(costs['plain'], costs['hand']),
            'behind_hand': figures.ratio(costs['shunt'], costs['hand']),
            'floor': figures.ratio(costs[FLOOR], costs['hand']) if FLOOR in ways else None,
            'report': together(reports)}


def run(bench, say):
    path = bench.place.file('loop.bin', 64 << 20)
    bench.place.settle()
    data = []
    for route in ROUTES:
        for odd in ((False,) if route == 'mapped-tcp' else (False, True)):
            for chunk in chunk_sizes(bench):
                say(f'{route} {figures.size(chunk)} {"odd" if odd else "aligned"}')
                data.append(line(bench, path, route, chunk, odd))
    return data


def row(d):
    ways, report = d['ways'], d['report'] or {}
    return [figures.size(d['chunk']), 'odd' if d['odd'] else 'aligned',
            *(figures.median(ways[way]['cost']) for way in WAYS),
            figures.spread(d['gain']), figures.spread(d['behind_hand']),
            figures.spread(d.get('floor')),
            f"{100 * report.get('rewritten', 0):.0f}",
            report.get('why_not') if report.get('rewritten', 0) < 0.9 and report else '']


def tables(data):
    for route in ROUTES:
        rows = [row(d) for d in data if d['route'] == route]
        if rows:
            name = data[0]['unit']
            yield figures.table(
                f"{route.replace('-', ' -> ')}: " +
                ('cycles a byte' if name == 'cycles' else 'ns of CPU time a KiB'),
                ['chunk', 'buffer', *WAYS, 'plain/shunt', 'shunt/hand', 'floor/hand',
                 '% rewritten', 'why not'],
                rows)


def headline(data):
    """The two figures that most people look for, as (figure, words)."""
    for chunk in (64 << 10, 256 << 10):
        for d in data:
            if (d['route'], d['chunk'], d['odd']) == ('file-tcp', chunk, False):
                yield (f"{d['gain']['median']:.2f}x",
                       f"plain / shunt, CPU: a file to TCP in chunks of {figures.size(chunk)}")
