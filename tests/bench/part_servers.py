# SPDX-License-Identifier: MIT
"""Real servers of the distribution: CPU a GiB, requests a second, latency."""
import contextlib, os, re, shutil, subprocess
import figures
from relays import Haproxy
from server import SERVERS, served_files
from worker import ENV, FAR, since

TITLE = 'Real servers'
GIB = 1 << 30
# bytes of the file, and how often it is asked for in one run
SIZES = {8 << 10: 2000, 256 << 10: 256, 64 << 20: 4}
PERCENT = ('50%', '75%', '90%', '99%')


def ms_a_gib(used, size):
    return used['cpu'] / 1e6 * GIB / size


def taken(running, file_size, keep, rounds):
    """The CPU of each way, in turn; a first run of each is not counted."""
    costs, cycles = {way: [] for way in running}, {way: [] for way in running}
    name, count = f'{file_size}.bin', SIZES[file_size]
    wanted = file_size * count
    for turn in range(rounds + 1):
        for way, server in running.items():
            before = server.counted.used()
            size = server.fetch(name, count, keep)
            if size != wanted:
                raise RuntimeError(f'{server.name}: {size} bytes of {wanted} came')
            used = since(server.counted.used(), before)
            if turn:
                costs[way].append(ms_a_gib(used, size))
                cycles[way].append(used['cycles'] / size)
    return costs, cycles


def line(kind, running, size, keep, rounds):
    costs, cycles = taken(running, size, keep, rounds)
    data = {'server': kind.name, 'size': size, 'keep': keep,
            'ms': {way: figures.summary(v) for way, v in costs.items()},
            'cycles': {way: figures.summary(v) for way, v in cycles.items()},
            'gain': figures.ratio(costs['plain'], costs['shunt'])}
    if 'own' in costs:
        data['behind_own'] = figures.ratio(costs['shunt'], costs['own'])
    return data


def duration(text):
    """What wrk prints, in ms."""
    n, unit = re.fullmatch(r'([\d.]+)(us|ms|s|m)', text).groups()
    return float(n) * {'us': 1e-3, 'ms': 1, 's': 1e3, 'm': 6e4}[unit]


def wrk(server, name, seconds, keep):
    """Requests a second and latencies of 16 clients, from wrk; and the CPU of a request."""
    before = server.counted.used()
    url = f'http://127.0.0.1:{server.port}/{name}'
    more = [] if keep else ['-H', 'Connection: close']
    said = subprocess.run(['wrk', '-t1', '-c16', f'-d{seconds}s', '--latency', *more, url], env=ENV,
                          capture_output=True, text=True, check=True,
                          preexec_fn=lambda: os.sched_setaffinity(0, {FAR})).stdout
    used = since(server.counted.used(), before)
    requests = int(re.search(r'(\d+) requests in', said).group(1))
    found = {p: duration(re.search(rf'^\s+{p}\s+(\S+)', said, re.M).group(1)) for p in PERCENT}
    errors = re.search(r'Socket errors:.*|Non-2xx.*', said)
    return {'rate': float(re.search(r'Requests/sec:\s*([\d.]+)', said).group(1)), **found,
            'us_a_request': used['cpu'] / 1e3 / max(requests, 1),
            'errors': errors.group(0) if errors else ''}


def rate_line(kind, running, size, keep, bench):
    runs = {way: [] for way in running}
    for _ in range(bench.rounds(3, 5)):
        for way, server in running.items():
            runs[way].append(wrk(server, f'{size}.bin', bench.pick(1, 3), keep))
    return {'server': kind.name, 'size': size, 'keep': keep, 'ways': {
        way: {key: figures.summary([r[key] for r in rs]) for key in
              ('rate', 'us_a_request', *PERCENT)} | {'errors': ''.join({r['errors'] for r in rs})}
        for way, rs in runs.items()}}


def one_server(kind, bench, www, say, data):
    with contextlib.ExitStack() as stack:
        running = {}
        for way in ('plain', 'shunt', 'own'):
            if way != 'own' or kind.own:
                running[way] = kind(bench, way, www)
                if way != 'shunt':
                    stack.callback(running[way].stop)
        lines = []
        for size in bench.pick(list(SIZES)[1:], SIZES):
            for keep in bench.pick((kind.keeps,), (True, False) if kind.keeps else (False,)):
                say(f'{kind.name} {figures.size(size)}{" kept alive" if keep else ""}')
                lines.append(line(kind, running, size, keep, bench.rounds(5, 11)))
        if kind.client == 'http' and shutil.which('wrk'):
            for size in bench.pick((256 << 10,), (8 << 10, 256 << 10)):
                say(f'{kind.name} {figures.size(size)}, wrk')
                data['rates'].append(rate_line(kind, running, size, kind.keeps, bench))
        report = running['shunt'].stop()
        data['cpu'] += [{**d, 'report': report} for d in lines]


def run(bench, say):
    www = served_files(bench, SIZES, say)
    data = {'cpu': [], 'rates': [], 'skipped': [], 'wrk': bool(shutil.which('wrk'))}
    for kind in SERVERS + (Haproxy,):
        if why := kind.lacks():
            data['skipped'].append(f'{kind.name}: {why}')
            continue
        one_server(kind, bench, www, say, data)
    return data


def cpu_row(d):
    ms, report = d['ms'], d['report']
    return [d['server'], figures.size(d['size']), 'kept' if d['keep'] else '',
            *(figures.median(ms.get(way), 0) for way in ('plain', 'shunt', 'own')),
            figures.spread(d['gain']), figures.spread(d.get('behind_own')),
            f"{100 * report['rewritten']:.0f}" if report else '-']


def rate_rows(d):
    for way, w in d['ways'].items():
        yield [d['server'], figures.size(d['size']), 'kept' if d['keep'] else '', way,
               figures.median(w['rate'], 0), figures.median(w['us_a_request'], 1),
               *(figures.median(w[p], 2) for p in PERCENT), w['errors']]


def tables(data):
    yield figures.table('ms of CPU a GiB', [
        'server', 'file', 'connection', 'plain', 'shunt', 'own', 'plain/shunt', 'shunt/own',
        '% rewritten'],
        [cpu_row(d) for d in data['cpu']],
        'own: its own sendfile or splice; rewritten: of all that it sent. ' +
        '; '.join(data['skipped']))
    if data['rates']:
        yield figures.table(
            'wrk, 16 clients: requests a second, us of CPU a request, latency in ms',
            ['server', 'file', 'connection', 'way', 'requests/s', 'CPU', *PERCENT, 'errors'],
            [row for d in data['rates'] for row in rate_rows(d)])
    elif not data['wrk']:
        yield figures.table('requests a second: wrk is missing (Debian: wrk)', [''], [])


def headline(data):
    for d in data['cpu']:
        if d['size'] == 64 << 20 and d['server'] in ('nginx', 'vsftpd'):
            yield f"{d['gain']['median']:.2f}x", f"plain / shunt, CPU: {d['server']}, files of 64 MiB"
