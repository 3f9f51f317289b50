# SPDX-License-Identifier: MIT
"""The distribution's relays, proxies and CGI servers: how each is configured, started and asked.

They get what they send from a socket or a pipe. What is at the far end of a relay is not counted,
and runs where the client does: an nginx with the files, or, for the latency of single bytes, what
listens at the port that the relay is told; then the relay itself is not counted either."""
import atexit, os, time
from server import Nginx, ROOT, Server, free_port, listening
from worker import FAR, start


class Backend(Nginx):
    """Uncounted, with its own sendfile."""

    def __init__(self, bench, name, www):
        self.bench, self.www, self.port = bench, www, free_port()
        self.run = bench.place.directory(f'run-{name}-backend-{self.port}')
        self.log = open(os.path.join(self.run, 'log'), 'w+')
        self.process = start(self.command(self.write('on')), FAR, stdout=self.log, stderr=self.log)
        atexit.register(self.process.terminate)  # also where the run ends with an error
        while not listening(self.port):
            if self.process.poll() is not None:
                raise RuntimeError('nginx as a backend did not start')
            time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.log.close()


class Relay(Server):
    """UPSTREAM: the port that it goes on to; None: a Backend of its own."""
    backend = None

    def __init__(self, bench, way, www, upstream=None):
        self.upstream = upstream
        if upstream:
            self.how = 'keep'
        super().__init__(bench, way, www)

    @classmethod
    def lacks(cls, backend=True):
        return super().lacks() or (Nginx.lacks() if backend else '')

    def prepare(self):
        if not self.upstream:
            self.backend = Backend(self.bench, self.name, self.www)
            self.upstream = self.backend.port
        self.words = {**self.words, 'UPSTREAM': self.upstream}

    def stop(self):
        if self.backend:
            self.backend.stop()
        return super().stop()


class Haproxy(Relay):
    name, program, package, configured = 'haproxy', 'haproxy', 'haproxy', 'haproxy.cfg'
    own, keeps, words = ('', 'option splice-response'), True, {'TUNE': ''}

    def command(self, conf):
        return ['haproxy', '-db', '-f', conf]


class HaproxyLarge(Haproxy):
    name, words = 'haproxy-128k', {'TUNE': 'tune.bufsize 131072'}


class Rinetd(Relay):
    name, program, package, configured = 'rinetd', 'rinetd', 'rinetd', 'rinetd.conf'

    def command(self, conf):
        return ['rinetd', '-f', '-c', conf]


class Redir(Relay):
    """A process for each connection."""
    name, program, package = 'redir', 'redir', 'redir'

    def command(self, conf):
        return ['redir', '-n', '-l', 'none', f'127.0.0.1:{self.port}', f'127.0.0.1:{self.upstream}']


class Stream(Relay):
    """nginx as a relay of TCP."""
    name, program, package = 'nginx-stream', 'nginx', 'nginx-light'
    configured, user = 'nginx-stream.conf', Nginx.user
    module = '/usr/lib/nginx/modules/ngx_stream_module.so'
    words = {'MODULE': module, 'BUFFER': ''}

    @classmethod
    def lacks(cls, backend=True):
        there = os.path.exists(cls.module)
        return super().lacks(backend) or \
            ('' if there else 'its module is missing (Debian: libnginx-mod-stream)')

    def command(self, conf):
        return ['nginx', '-c', conf, '-e', f'{self.run}/error.log']


class StreamLarge(Stream):
    name, words = 'nginx-stream-128k', {**Stream.words, 'BUFFER': 'proxy_buffer_size 128k;'}


class Tinyproxy(Relay):
    """A proxy: it is told with each request where to get the file."""
    name, program, package, configured = 'tinyproxy', 'tinyproxy', 'tinyproxy', 'tinyproxy.conf'

    def command(self, conf):
        return ['tinyproxy', '-d', '-c', conf]

    def path(self, name):
        return f'http://127.0.0.1:{self.upstream}/{name}'


class Cgi(Server):
    """Its children, who run cat, are counted with it, and are under shunt where it is."""

    def prepare(self):
        scripts = os.path.join(self.run, 'cgi-bin')
        os.mkdir(scripts)
        for name in os.listdir(self.www):
            path, script = os.path.join(self.www, name), os.path.join(scripts, name)
            with open(script, 'w') as f:
                f.write("#!/bin/sh\nprintf 'Content-Type: application/octet-stream\\r\\n"
                        f"Content-Length: {os.path.getsize(path)}\\r\\n\\r\\n'\n"
                        f"exec cat '{path}'\n")
            os.chmod(script, 0o755)

    def path(self, name):
        return f'/cgi-bin/{name}'


class MiniHttpd(Cgi):
    name, program, package = 'mini-httpd-cgi', 'mini_httpd', 'mini-httpd'

    def command(self, conf):
        return ['mini_httpd', '-D', '-h', '127.0.0.1', '-p', str(self.port), '-d', self.run,
                '-c', 'cgi-bin/*', *(['-u', 'www-data'] if ROOT else [])]


class Busybox(Cgi):
    name, program, package = 'busybox-cgi', 'busybox', 'busybox'

    def command(self, conf):
        return ['busybox', 'httpd', '-f', '-p', f'127.0.0.1:{self.port}', '-h', self.run]


RELAYS = (Rinetd, Redir, Haproxy, HaproxyLarge, Stream, StreamLarge, Tinyproxy, MiniHttpd, Busybox)
