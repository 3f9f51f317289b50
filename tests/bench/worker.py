# SPDX-License-Identifier: MIT
"""The measured processes: started plain and under shunt, pinned, asked in turn."""
import glob, json, os, signal, socket, subprocess, time

COUNTS = ('cycles', 'user', 'ins_user', 'ins_kernel', 'cpu', 'wall')
ENV = {k: v for k, v in os.environ.items() if not k.startswith(('SHUNT', 'LD_', 'LIBSHUNT'))}
ENV['PATH'] = ENV.get('PATH', '/usr/bin:/bin') + ':/usr/sbin:/sbin'
CPUS = sorted(os.sched_getaffinity(0))
NEAR, FAR = CPUS[0], CPUS[-1]  # of what is measured, and of everything else


class Bench:
    """What was built, where files are, and how much is asked for."""

    def __init__(self, program, library, place, full, rounds, conf=''):
        self.program, self.library, self.place = program, library, place
        self.full, self.asked_rounds, self.conf = full, rounds, conf
        self.reports = place.directory('reports', 0o777)
        self.serial = 0

    def rounds(self, quick, full):
        return self.asked_rounds or (full if self.full else quick)

    def pick(self, quick, full):
        return full if self.full else quick

    def starts(self, ways, quick, full):
        """
        (order, rounds) of each start of what is up at the same time: a process keeps for its life
        what its memory happens to lie on, and who starts first may have the better of it.
        """
        rounds = self.rounds(quick, full)
        count = min(self.pick(2, 4), rounds)
        for i in range(count):
            yield ways[::-1] if i % 2 else ways, -(-rounds // count)

    def preload(self):
        """The environment of a process under shunt, and what its reports' names begin with."""
        self.serial += 1
        begin = os.path.join(self.reports, str(self.serial))
        conf = ','.join(filter(None, [f'report:{begin}.%p.json,format:json', self.conf]))
        return {'LD_PRELOAD': self.library, 'SHUNT_CONF': conf}, begin


def start(words, cpu, fds=(), env=None, **more):
    return subprocess.Popen(words, pass_fds=fds, env={**ENV, **(env or {})},
                            stdin=more.pop('stdin', subprocess.DEVNULL),
                            preexec_fn=lambda: os.sched_setaffinity(0, {cpu}), **more)


def counts(words):
    return dict(zip(COUNTS, map(float, words)))


def totals(begin):
    """The sum of what the reports say whose names begin so; None where there is none."""
    seen = ours = 0
    verdicts = {}
    for path in glob.glob(glob.escape(begin) + '.*'):
        with open(path) as f:
            for line in f:
                report = json.loads(line)
                seen += report['totals']['bytes']
                ours += report['totals']['bytes_rewritten']
                for why, n in report['verdicts'].items():
                    verdicts[why] = verdicts.get(why, 0) + n
    if not seen:
        return None
    return {'bytes': seen, 'rewritten': ours / seen,
            'why_not': max(verdicts, key=verdicts.get) if verdicts else None}


def tcp_pair():
    with socket.socket() as listener:
        listener.bind(('127.0.0.1', 0))
        listener.listen(1)
        one = socket.create_connection(listener.getsockname())
        return one, listener.accept()[0]


def unix_pair():
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)


def pipe_pair():
    out, into = os.pipe()
    return os.fdopen(out, 'rb', 0), os.fdopen(into, 'wb', 0)


PAIRS = {'tcp': tcp_pair, 'unix': unix_pair, 'pipe': pipe_pair}


class Worker:
    """`bench work`, and the far ends of the routes that it uses: tcp-out, pipe-in ..."""

    def __init__(self, bench, path, ends=('tcp-out',), shunt=False):
        self.peers, near = [], []
        words = []
        for end in ends:
            kind, way = end.split('-')
            ours, theirs = PAIRS[kind]()
            near.append(ours)
            words.append(f'{end}={ours.fileno()}')
            self.peers.append(start([bench.program, 'feed' if way == 'in' else 'drain',
                                     str(theirs.fileno())], FAR, [theirs.fileno()]))
            theirs.close()
        self.control, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        env, self.begin = bench.preload() if shunt else ({}, None)
        self.process = start([bench.program, 'work', str(control.fileno()), path, *words], NEAR,
                             [control.fileno()] + [f.fileno() for f in near], env)
        for f in (control, *near):
            f.close()

    def ask(self, *words):
        """The answer to a job, as words."""
        self.control.send(' '.join(map(str, words)).encode())
        answer = self.control.recv(1024)
        if not answer:
            raise RuntimeError(f'a measured process ended with status {self.process.wait()}')
        return answer.decode().split()

    def detail(self, on):
        """Counts more than cycles and CPU time, or no longer; it makes what is measured dearer."""
        self.ask('detail', int(on))

    def loop(self, way, route, chunk, odd, size, look='none', warm=24):
        words = self.ask('loop', way, route, chunk, int(odd), size, look, warm)
        return {'bytes': float(words[0]), 'chunks': float(words[1]), **counts(words[2:])}

    def stop(self):
        """What the process reported, under shunt."""
        self.control.close()
        status = self.process.wait()
        for peer in self.peers:
            peer.terminate()
            peer.wait()
        if status:
            raise RuntimeError(f'a measured process ended with status {status}')
        return totals(self.begin) if self.begin else None


class Counted:
    """A server, run by `bench count` in a session of its own; or by `bench keep`, uncounted."""

    def __init__(self, bench, command, shunt=False, log=None, output=None, how='count'):
        self.control, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        env, self.begin = bench.preload() if shunt else ({}, None)
        words = [f'{k}={v}' for k, v in env.items()]
        self.process = start([bench.program, how, str(control.fileno()), *words, *command],
                             NEAR, [control.fileno()], start_new_session=True, stderr=log,
                             stdout=output or log)
        control.close()

    def used(self):
        """The counts of the server and all its children since it was started."""
        return self.ask('?')

    def ask(self, words):
        self.control.send(words.encode())
        answer = self.control.recv(1024)
        if not answer:
            raise RuntimeError(f'a server ended with status {self.process.wait()}')
        return counts(answer.decode().split())

    def detail(self):
        """Counts from now on more than cycles and CPU time, as Worker.detail does."""
        self.ask('detail 1')

    def at_rest(self):
        """
        The counts when they change no more, or after a second: who served a client may end after
        the client has gone. What comes later still is counted with the next transfer, not lost.
        """
        end, now = time.time() + 1, self.used()
        while time.time() < end:
            time.sleep(0.01)
            before, now = now, self.used()
            if now['cpu'] == before['cpu']:
                break
        return now

    def pid(self):
        """The server itself: the child of `bench count`."""
        with open(f'/proc/{self.process.pid}/task/{self.process.pid}/children') as f:
            return int(f.read().split()[0])

    def stop(self):
        self.control.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        return totals(self.begin) if self.begin else None


def since(after, before):
    return {k: after[k] - before[k] for k in COUNTS}


def cost_since(after, before):
    """Cycles, or ns of CPU time where there are none."""
    used = since(after, before)
    return used['cycles'] or used['cpu']
