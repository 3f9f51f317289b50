# SPDX-License-Identifier: MIT
"""The servers that tests/real/run starts: a row each."""
import os, shutil, subprocess, sys

HERE = os.path.dirname(os.path.realpath(__file__))


class Server:
    """How one server is started and asked.

    command(port): the words that start it in the foreground on 127.0.0.1:port
    client: http, ftp or smb
    share: at least so much of the bytes must be rewritten; None: nearly nothing may be
    needs: (program, Debian package) pairs; root: only root can start it"""

    client, share, root, directory = 'http', 0.9, False, None
    needs = ()

    def __init__(self, place, www):
        self.place, self.www = place, www
        self.run = place.directory(self.folder())
        self.prepare()

    def folder(self, *parts):
        return '/'.join(['run-' + self.name.replace(' ', '-'), *parts])

    def prepare(self):
        pass

    @classmethod
    def lacks(cls):
        """What the machine has not, in words; '' when all is there."""
        if cls.root and os.geteuid() != 0:
            return 'only root can start it'
        gone = [f'{package} (for {program})' for program, package in cls.needs
                if not shutil.which(program, path=os.environ['PATH'] + ':/usr/sbin:/sbin')]
        return 'not installed: ' + ', '.join(gone) if gone else ''

    def write(self, name, text):
        path = os.path.join(self.run, name)
        with open(path, 'w') as f:
            f.write(text)
        return path


class Python(Server):
    name = 'python3 http.server'

    def command(self, port):
        return [sys.executable, '-m', 'http.server', str(port), '--bind', '127.0.0.1',
                '--directory', self.www]


class Php(Server):
    name, needs = 'php -S', [('php', 'php-cli')]

    def command(self, port):
        return ['php', '-S', f'127.0.0.1:{port}', '-t', self.www]


class PhpStreams(Server):
    """Sends with MSG_DONTWAIT to a socket that blocks: what finds little room is copied."""
    name, needs, share = 'php streams', [('php', 'php-cli')], 0.8

    def command(self, port):
        return ['php', os.path.join(HERE, 'serve.php'), str(port), self.www]


class Perl(Server):
    name, needs = 'perl sysread', [('perl', 'perl')]

    def command(self, port):
        return ['perl', os.path.join(HERE, 'serve.pl'), str(port), self.www]


class Nginx(Server):
    name, needs = 'nginx', [('nginx', 'nginx-light')]
    extra = ''

    def command(self, port):
        temp = self.place.directory(self.folder('temp'), 0o777)
        temps = ''.join(f'{what}_temp_path {temp};' for what in
                        ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
        user = 'user www-data;' if os.geteuid() == 0 else ''
        conf = self.write('nginx.conf', f'''
daemon off; worker_processes 1; {user} pid {self.run}/pid; error_log {self.run}/error.log;
events {{ worker_connections 64; }}
http {{ access_log off; default_type application/octet-stream; {temps}
  server {{ listen 127.0.0.1:{port}; root {self.www}; sendfile off; {self.extra} }} }}
''')
        return ['nginx', '-c', conf, '-e', f'{self.run}/error.log']


class NginxThreads(Nginx):
    """Reads in the threads of a pool, writes in the main thread."""
    name, extra, share = 'nginx aio threads', 'aio threads;', 0.8


class Apache(Server):
    """Serves from windows of 4 MiB, which it maps and writes with a header: Debian's default."""
    name, needs, model = 'apache event', [('apache2', 'apache2-bin')], 'event'
    modules = '/usr/lib/apache2/modules'

    def command(self, port):
        # as root it serves as www-data, who does not own the files
        user = 'User www-data\nGroup www-data' if os.geteuid() == 0 else ''
        conf = self.write('apache.conf', f'''ServerRoot {self.run}
PidFile {self.run}/pid
DefaultRuntimeDir {self.run}
Mutex file:{self.run} default
Listen 127.0.0.1:{port}
ServerName localhost
LoadModule mpm_module {self.modules}/mod_mpm_{self.model}.so
LoadModule authz_core_module {self.modules}/mod_authz_core.so
{user}
ErrorLog {self.run}/error.log
DocumentRoot {self.www}
<Directory {self.www}>
 Require all granted
</Directory>
StartServers 1
EnableSendfile Off
EnableMMAP On
'''.replace('mpm_module', f'mpm_{self.model}_module'))
        return ['apache2', '-DFOREGROUND', '-d', self.run, '-f', conf]


class ApachePrefork(Apache):
    name, model = 'apache prefork', 'prefork'


class Java(Server):
    needs = [('javac', 'default-jdk-headless')]

    def prepare(self):
        subprocess.run(['javac', '-d', self.run, os.path.join(HERE, 'Serve.java')], check=True,
                       stdin=subprocess.DEVNULL)

    def command(self, port):
        return ['java', '-Xmx128m', '-cp', self.run, 'Serve', str(port), self.www, self.buffer]


class JavaDirect(Java):
    name, buffer = 'jvm direct buffer', 'direct'


class JavaHeap(Java):
    """The data goes through the Java heap: the same calls, but nothing may be rewritten."""
    name, buffer, share = 'jvm heap buffer', 'heap', None


class JavaMapped(Java):
    """FileChannel.map, written to a SocketChannel: as brokers send the segments of their logs."""
    name, buffer = 'jvm mapped file', 'mapped'


class Vsftpd(Server):
    name, client, root, sandbox = 'vsftpd', 'ftp', True, 'NO'
    needs = [('vsftpd', 'vsftpd'), ('curl', 'curl')]

    def command(self, port):
        empty = self.place.directory(self.folder('empty'), 0o555)
        return ['vsftpd', self.write('vsftpd.conf', f'''listen=YES
listen_address=127.0.0.1
listen_port={port}
background=NO
anonymous_enable=YES
local_enable=NO
no_anon_password=YES
anon_root={self.www}
secure_chroot_dir={empty}
nopriv_user=nobody
use_sendfile=NO
seccomp_sandbox={self.sandbox}
xferlog_enable=NO
''')]


class VsftpdSandboxed(Vsftpd):
    """Each of its processes forbids itself, by seccomp, nearly all calls that shunt makes."""
    name, sandbox = 'vsftpd sandbox', 'YES'


class Smbd(Server):
    name, client, root, share = 'smbd', 'smb', True, 0.8
    needs = [('smbd', 'samba'), ('smbclient', 'smbclient')]

    def command(self, port):
        self.place.directory(self.folder('ncalrpc'))
        folders = ''.join(f' {what} = {self.run}\n' for what in (
            'lock directory', 'state directory', 'cache directory', 'pid directory',
            'private dir', 'ncalrpc dir'))
        conf = self.write('smb.conf', f'''[global]
 workgroup = TEST
 server role = standalone server
 map to guest = Bad User
 guest account = nobody
 interfaces = lo
 bind interfaces only = yes
 smb ports = {port}
{folders} log file = {self.run}/log.%m
 disable netbios = yes
 load printers = no
 disable spoolss = yes
 use sendfile = no
[www]
 path = {self.www}
 guest ok = yes
 read only = yes
''')
        return ['smbd', '-F', '--no-process-group', '-s', conf, '-p', str(port)]


SERVERS = [Python, Nginx, NginxThreads, Apache, ApachePrefork, Vsftpd, Php, JavaDirect, JavaHeap,
           JavaMapped, Smbd, Perl, PhpStreams]
