# SPDX-License-Identifier: MIT
"""A client of HTTP/1.0, as the suites here use it."""
import contextlib, os, signal, socket, struct, subprocess, time


def request(port, name, receive=0):
    s = socket.socket()
    if receive:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    s.settimeout(60)
    s.connect(('127.0.0.1', port))
    s.sendall(f'GET /{name} HTTP/1.0\r\nHost: localhost\r\n\r\n'.encode())
    return s


def body_of(answer):
    head, blank, body = bytes(answer).partition(b'\r\n\r\n')
    if not blank or b' 200 ' not in head.splitlines()[0]:
        raise ValueError(f'the answer was {head[:80]!r}')
    return body


def http(port, name, slow=False):
    """The body of one answer; SLOW: through a small receive buffer, with pauses."""
    got, next_pause = bytearray(), 1 << 20
    with request(port, name, 16384 if slow else 0) as s:
        while data := s.recv(1 << 17):
            got += data
            if slow and len(got) >= next_pause:
                time.sleep(0.05)
                next_pause += 1 << 20
    return body_of(got)


def http_reset(port, name, after):
    """Asks, takes AFTER bytes, and resets the connection."""
    with request(port, name, 65536) as s:
        left = after
        while left > 0 and (data := s.recv(min(left, 65536))):
            left -= len(data)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))


def end(process):
    """SIGTERM to a process that leads its group; its status. What is left of the group is ended."""
    process.terminate()
    try:
        status = process.wait(15)
    except subprocess.TimeoutExpired:
        status = 'did not end at SIGTERM'
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(OSError):
            os.killpg(process.pid, number)
            time.sleep(0.3)
    process.wait()
    return status
