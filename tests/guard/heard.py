#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What guard_hears_all says, in processes that do this and that before and after they land.

LIBSHUNT names the library, which must have its symbols; builddir the build tree. The
answer is read from the memory of the process. Last line: N passed, N failed."""
import os, re, subprocess, sys

LIBSHUNT, DIR = os.environ.get('LIBSHUNT', ''), os.environ.get('builddir', '.') + '/tests/guard'
HEARS = ['alone', 'threads', 'c11', 'in_child', 'ran_others', 'timer_signals', 'found_by_handle']
MISSES = ['forked', 'raw_before', 'raw_after', 'process_after', 'timer_before',
          'timer_after', 'async_before', 'async_after', 'next_before', 'next_after', 'inner_free',
          'aside']
counts = {'passed': 0, 'failed': 0}


def symbol(name):
    found = subprocess.run(['nm', LIBSHUNT], capture_output=True, text=True).stdout
    match = re.search(r'^([0-9a-f]+) \w %s$' % name, found, re.M)
    return int(match.group(1), 16) if match else None


def answer(program, case, offset, conf):
    env = dict(os.environ, LD_PRELOAD=LIBSHUNT, SHUNT_CONF='source:trust,learn:3' + conf)
    child = subprocess.Popen([DIR + '/' + program, case], env=env, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
    line = child.stdout.readline()
    if not line.strip().isdigit():
        child.kill()
        return line.strip() or 'it ended: %s' % child.wait()
    pid, library = int(line), os.path.realpath(LIBSHUNT)
    with open('/proc/%d/maps' % pid) as maps:
        base = next(int(l.split('-')[0], 16) for l in maps if l.rstrip().endswith(library))
    with open('/proc/%d/mem' % pid, 'rb') as memory:
        memory.seek(base + offset)
        truth = memory.read(1) == b'\1'
    child.communicate('x')
    return truth


def check(program, case, offset, wanted, conf=''):
    got = answer(program, case, offset, conf)
    counts['passed' if got is wanted else 'failed'] += 1
    if got is not wanted:
        print('FAILED: %s %s%s: %s' % (program, case, conf, got))


offset = symbol('guard_complete') if os.path.exists(LIBSHUNT) else None
if offset is None:
    print('skipped: no LIBSHUNT with symbols')
    sys.exit(77)
if answer('heard', 'alone', offset, '') is False:
    print('skipped: no guard on this machine')
    sys.exit(77)
for case in HEARS:
    check('heard', case, offset, True)
for case in MISSES:
    check('heard', case, offset, False)
check('heard', 'alone', offset, False, ',guard:off')
check('heard_free', 'alone', offset, False)
check('heard_fixed', 'alone', offset, True)
print('%d passed, %d failed' % (counts['passed'], counts['failed']))
sys.exit(1 if counts['failed'] else 0)
