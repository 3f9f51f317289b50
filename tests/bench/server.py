# SPDX-License-Identifier: MIT
"""The distribution's servers: how each is configured, started and asked.

A server is started plain, under shunt, and with its own sendfile or splice where it has one
(OWN). The files under servers/ are its configuration, with @WORDS@ to be filled in."""
import os, shutil, socket, subprocess, sys, time
from worker import Counted, ENV, FAR, start

HERE = os.path.dirname(os.path.realpath(__file__))
ROOT = os.geteuid() == 0


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def listening(port):
    """Asks /proc, since a connection would already be a session."""
    with open('/proc/net/tcp') as f:
        return any(line.split()[1].endswith(f':{port:04X}') and line.split()[3] == '0A'
                   for line in f.readlines()[1:])


class Server:
    """A row: PACKAGE brings PROGRAM; CONFIGURED is the file under servers/, or None."""
    client, own, root, keeps, configured, words = 'http', None, False, False, None, {}
    how = 'count'

    def __init__(self, bench, way, www):
        self.bench, self.www, self.port = bench, www, free_port()
        self.run = bench.place.directory(f'run-{self.name}-{way}-{self.port}')
        self.log = open(os.path.join(self.run, 'log'), 'w+')
        self.prepare()
        conf = self.write(self.own[1] if way == 'own' else self.own[0] if self.own else '')
        self.counted = Counted(bench, self.command(conf), way == 'shunt', log=self.log,
                               how=self.how)
        self.wait()

    @classmethod
    def lacks(cls):
        if cls.root and not ROOT:
            return 'only root can start it'
        found = shutil.which(cls.program, path=ENV['PATH'])
        return '' if found else f'{cls.program} is missing (Debian: {cls.package})'

    def prepare(self):
        pass

    def write(self, sendfile):
        """The configuration, filled in; returns its path."""
        if not self.configured:
            return None
        with open(os.path.join(HERE, 'servers', self.configured)) as f:
            text = f.read()
        words = {'SENDFILE': sendfile, 'RUN': self.run, 'WWW': self.www, 'PORT': self.port,
                 'EMPTY': self.bench.place.directory('empty', 0o555),
                 'USER': self.user if ROOT else '', **self.words}
        for key, value in words.items():
            text = text.replace(f'@{key}@', str(value))
        path = os.path.join(self.run, self.configured)
        with open(path, 'w') as f:
            f.write(text)
        return path

    user = ''

    def wait(self):
        end = time.time() + 20
        while not listening(self.port):
            self.counted.used()  # raises where the server has ended
            if time.time() > end:
                self.log.seek(0)
                raise RuntimeError(f'{self.name} did not start: {self.log.read()[-400:]}')
            time.sleep(0.05)

    def loaded(self):
        """Whether shunt is in it: who passes on a byte at a time has nothing to report."""
        with open(f'/proc/{self.counted.pid()}/maps') as f:
            return os.path.realpath(self.bench.library) in f.read()

    def path(self, name):
        """What HTTP asks for to get the file NAME."""
        return f'/{name}'

    def fetch(self, name, count, keep):
        """COUNT transfers, discarded; the number of bytes."""
        done = subprocess.run([self.bench.program, 'fetch', str(self.port), self.path(name),
                               str(count), str(int(keep))], env=ENV, capture_output=True, text=True,
                              preexec_fn=lambda: os.sched_setaffinity(0, {FAR}))
        if done.returncode:
            raise RuntimeError(f'{self.name}: {done.stderr.strip()}')
        return int(done.stdout.split()[0])

    def stop(self):
        report = self.counted.stop()
        self.log.close()
        return report


class Nginx(Server):
    name, program, package, configured = 'nginx', 'nginx', 'nginx-light', 'nginx.conf'
    own, keeps, user = ('off', 'on'), True, 'user www-data;'

    def command(self, conf):
        return ['nginx', '-c', conf, '-e', f'{self.run}/error.log']


class Apache(Server):
    name, program, package, configured = 'apache2', 'apache2', 'apache2-bin', 'apache2.conf'
    own, keeps, user = ('Off', 'On'), True, 'User www-data\nGroup www-data'

    def command(self, conf):
        return ['apache2', '-D', 'FOREGROUND', '-f', conf]


class Vsftpd(Server):
    """Asked by curl, one session for all transfers."""
    name, program, package, configured = 'vsftpd', 'vsftpd', 'vsftpd', 'vsftpd.conf'
    own, root, client = ('NO', 'YES'), True, 'ftp'

    def command(self, conf):
        return ['vsftpd', conf]

    def fetch(self, name, count, keep):
        url = f'ftp://127.0.0.1:{self.port}/{name}'
        pair = f'url = "{url}"\noutput = "/dev/null"\n'
        done = subprocess.run(['curl', '-sS', '-w', '%{size_download}\n', '-K', '-'], env=ENV,
                              input=pair * count, text=True, capture_output=True,
                              preexec_fn=lambda: os.sched_setaffinity(0, {FAR}))
        if done.returncode:
            raise RuntimeError(f'{self.name}: {done.stderr[-300:]}')
        return sum(map(int, done.stdout.split()))


class Python(Server):
    name, program, package = 'python3', 'python3', 'python3'

    def command(self, conf):
        return [sys.executable, '-m', 'http.server', str(self.port), '--bind', '127.0.0.1',
                '--directory', self.www]


class Php(Server):
    name, program, package = 'php', 'php', 'php-cli'

    def command(self, conf):
        return ['php', '-S', f'127.0.0.1:{self.port}', '-t', self.www]


class Perl(Server):
    name, program, package = 'perl', 'perl', 'perl'

    def command(self, conf):
        script = os.path.join(os.path.dirname(HERE), 'real', 'serve.pl')
        return ['perl', script, str(self.port), self.www]


SERVERS = (Nginx, Apache, Vsftpd, Python, Php, Perl)


def served_files(bench, sizes, say):
    """The directory that is served, with a file of each of SIZES, all of them settled."""
    www = bench.place.directory('www')
    for size in sizes:
        bench.place.file(f'www/{size}.bin', size)
    say('files: they are settled in 11 s, for servers that do not own them')
    bench.place.settle(aged=True)
    return www
