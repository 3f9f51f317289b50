# SPDX-License-Identifier: MIT
"""Scale: many clients at a time; CPU, memory, descriptors and mappings of the server."""
import os, resource, subprocess, time
import figures
from worker import Counted, FAR, cost_since, start

TITLE = 'Scale'
CHUNK = 64 << 10
WAYS = ('plain', 'shunt')
FOOT = ('rss', 'descriptors', 'mappings', 'page_tables')


def footprint(pid):
    with open(f'/proc/{pid}/status') as f:
        status = dict(line.split(':', 1) for line in f)
    with open(f'/proc/{pid}/maps') as f:
        maps = sum(1 for _ in f)
    return {'rss': int(status['VmRSS'].split()[0]), 'mappings': maps,
            'descriptors': len(os.listdir(f'/proc/{pid}/fd')),
            'page_tables': int(status['VmPTE'].split()[0])}


class Served:
    """One server and its crowd."""

    def __init__(self, bench, path, clients, threads, shunt):
        self.server = Counted(bench, [bench.program, 'serve', path, str(CHUNK), str(threads)],
                              shunt, output=subprocess.PIPE)
        port = int(self.server.process.stdout.readline())
        self.crowd = start([bench.program, 'crowd', str(port), str(clients)], FAR,
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pid = self.server.pid()
        self.before, self.top, self.after = footprint(self.pid), None, None
        self.taken, self.wanted = 0, clients * os.path.getsize(path)

    def step(self):
        self.crowd.stdin.write(b'\n')
        self.crowd.stdin.flush()
        return int(self.crowd.stdout.readline())

    def quiet(self):
        """Waits until the server does nothing more."""
        clock, last = (~self.pid << 3) | 2, None  # as clock_getcpuclockid(3) makes it
        while (now := time.clock_gettime(clock)) != last:
            last = now
            time.sleep(0.05)

    def round(self):
        """All connect, and stand still; then they take what there is. The cost a byte."""
        begun = self.server.used()
        self.step()
        self.quiet()
        self.top = footprint(self.pid)
        taken = self.step()
        self.quiet()
        self.after = footprint(self.pid)
        if taken - self.taken != self.wanted:
            raise RuntimeError(f'{taken - self.taken} bytes of {self.wanted} came')
        cost = cost_since(self.server.used(), begun) / (taken - self.taken)
        self.taken, self.unit = taken, figures.unit(self.server.used())
        return cost

    def stop(self):
        self.crowd.stdin.close()
        self.crowd.stdout.close()
        if status := self.crowd.wait():
            raise RuntimeError(f'the clients ended with status {status}')
        return self.server.stop()


def room_for(clients):
    """How many clients the limit on descriptors lets be: each takes two of the server's."""
    wanted = 2 * clients + 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
        except (ValueError, OSError):
            return (hard - 200) // 2
    elif soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return clients


def line(bench, clients, threads):
    clients = room_for(clients)
    each = min(max((64 << 20) // clients, 256 << 10), 32 << 20)
    path = bench.place.file(f'scale.{each}', each)
    bench.place.settle()
    served = {way: Served(bench, path, clients, threads, way == 'shunt') for way in WAYS}
    costs = {way: [] for way in WAYS}
    for _ in range(bench.rounds(5, 11)):
        for way in WAYS:
            costs[way].append(served[way].round())
    data = {'clients': clients, 'threads': threads, 'file': each,
            'unit': served['plain'].unit,
            'gain': figures.ratio(costs['plain'], costs['shunt'])}
    for way in WAYS:
        s = served[way]
        data[way] = {'cost': figures.summary(costs[way]), 'before': s.before, 'top': s.top,
                     'after': s.after, 'report': s.stop()}
    return data


def run(bench, say):
    data = []
    for clients in bench.pick((1, 100, 1000), (1, 10, 100, 1000, 10000)):
        say(f'{clients} clients, one loop')
        data.append(line(bench, clients, 0))
    for threads in bench.pick((4, 16), (1, 4, 16, 64)):
        say(f'{threads} threads')
        data.append(line(bench, threads, threads))
    return data


def row(d, way):
    w, report = d[way], d[way]['report']
    a_client = (w['top']['rss'] - w['before']['rss']) / d['clients']
    return [d['clients'], f"{d['threads']} threads" if d['threads'] else 'one loop', way,
            figures.median(w['cost']), figures.spread(d['gain']) if way == 'shunt' else '',
            f"{100 * report['rewritten']:.0f}" if report else '',
            *(f"{w[when]['rss']}" for when in ('before', 'top', 'after')), f'{a_client:.1f}',
            *(f"{w['top'][f]}>{w['after'][f]}" for f in ('descriptors', 'mappings'))]


def tables(data):
    yield figures.table(
        f"{data[0]['unit']} a byte; resident memory in KiB; what is open at the top > after", [
        'clients', 'server', 'way', 'cost', 'plain/shunt', '% rewritten', 'before', 'top', 'after',
        'a client', 'descriptors', 'mappings'],
        [row(d, way) for d in data for way in WAYS],
        'top: all clients are connected and nobody takes anything; after: all are gone')


def headline(data):
    most = max(data, key=lambda d: d['clients'])
    grown = most['shunt']['after']['descriptors'] - most['shunt']['before']['descriptors']
    yield f'{grown:+d}', f"descriptors after {most['clients']} clients have come and gone"
