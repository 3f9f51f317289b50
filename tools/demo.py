#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""demo.py BUILDDIR: one server, plain and under `shunt run`: bytes, report, CPU time."""
import contextlib, ctypes, hashlib, os, shutil, signal, socket, subprocess, sys, time
TOP = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
sys.path[:0] = [TOP + '/tests', TOP + '/tests/real']
from place import Place
from servers import Python, Vsftpd

SIZE, FETCHES, ROUNDS, GIB = 256 << 20, 4, 3, 1 << 30
SHUNT = sys.argv[1] + '/tools/shunt'
ENV = {k: v for k, v in os.environ.items() if not k.startswith(('SHUNT', 'LD_'))}
ENV['PATH'] += ':/usr/sbin:/sbin'


def make_file(path):
    """SIZE random bytes at PATH; returns their sha256."""
    digest = hashlib.sha256()
    with open(path, 'wb') as f:
        for _ in range(SIZE >> 20):
            block = os.urandom(1 << 20)
            digest.update(block)
            f.write(block)
    return digest.hexdigest()


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def wait_until_listening(port, process):
    """Asks /proc, since a connection would already be a session."""
    for _ in range(400):
        with open('/proc/net/tcp') as f:
            if any(line.split()[1].endswith(f':{port:04X}') and line.split()[3] == '0A'
                   for line in f.readlines()[1:]):
                return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    sys.exit('the server did not start')


def fetched(url):
    """The sha256 of what curl gets from URL."""
    curl = subprocess.Popen(['curl', '-sS', url], stdout=subprocess.PIPE, env=ENV)
    digest = hashlib.sha256()
    while data := curl.stdout.read(1 << 20):
        digest.update(data)
    return digest.hexdigest() if curl.wait() == 0 else 'curl failed'


def discarded(url):
    subprocess.run(['curl', '-sS', '-o', '/dev/null', url], env=ENV, check=True)


def adopt_orphans():
    """What a server leaves behind becomes our child, so that its CPU time is counted."""
    PR_SET_CHILD_SUBREAPER = 36
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def stop(process):
    """SIGTERM; the CPU seconds of the server and of all that it has forked."""
    seconds = 0
    with contextlib.suppress(OSError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(ChildProcessError):
        while True:
            used = os.wait3(0)[2]
            seconds += used.ru_utime + used.ru_stime
    process.returncode = 0
    return seconds


def served(server, prefix, check):
    """One start of the server: (CPU ms a GiB, the sha256 that a client got, if CHECK)."""
    port = free_port()
    process = subprocess.Popen(prefix + server.command(port), env=ENV, start_new_session=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    url = f'{server.client}://127.0.0.1:{port}/served.bin'
    digest = None
    try:
        wait_until_listening(port, process)
        if check:
            digest = fetched(url)
        for _ in range(FETCHES - check):
            discarded(url)
        time.sleep(0.2)  # let the session end, and be counted
    finally:
        seconds = stop(process)
    return seconds * 1000 / (SIZE * FETCHES / GIB), digest


def main():
    adopt_orphans()
    place = Place('demo')
    www, report = place.directory('www'), place.join('report.txt')
    use = Python if Vsftpd.lacks() else Vsftpd
    server = use(place, www)
    print(f'making a file of {SIZE >> 20} MiB; it is settled when nobody has changed it for 10 s')
    wanted = make_file(www + '/served.bin')
    place.made = time.time()
    place.settle(aged=True)
    print(f'serving it {ROUNDS} x {FETCHES} times with {server.name}, plain and under shunt')
    plain, shunt, same = [], [], [None, None]
    for i in range(ROUNDS):
        cost, digest = served(server, [], i == 0)
        plain.append(cost)
        same[0] = same[0] or digest
        cost, digest = served(server, [SHUNT, 'run', '-o', report, '--'], i == 0)
        shunt.append(cost)
        same[1] = same[1] or digest
        if i == 0 and os.path.exists(report):
            shutil.copy(report, report + '.first')
    with contextlib.suppress(OSError):
        print('\n' + open(report + '.first').read().rstrip())
    words = ['the same' if digest == wanted else 'WRONG' for digest in same]
    a, b = min(plain), min(shunt)
    print(f"""
                             plain     shunt
  sha256 of the bytes     {words[0]:>8}  {words[1]:>8}
  CPU of the server, ms/GiB  {a:5.0f}     {b:5.0f}    {a / b:.2f} times less""")
    sys.exit(words != ['the same'] * 2)


main()
