# SPDX-License-Identifier: MIT
"""What the figures were taken on."""
import os, platform, re, time
from worker import CPUS, FAR, NEAR


def found(path, pattern):
    try:
        with open(path) as f:
            m = re.search(pattern, f.read(), re.M)
    except OSError:
        return None
    return m.group(1).strip() if m else None


def load():
    return os.getloadavg()[0]


def describe(place, events):
    """EVENTS: whether cycles are counted."""
    return {'processor': found('/proc/cpuinfo', r'^model name\s*:\s*(.*)') or platform.machine(),
            'processors': len(CPUS), 'virtual': bool(found('/proc/cpuinfo', r'\b(hypervisor)\b')),
            'memory_gib': round(int(found('/proc/meminfo', r'MemTotal:\s*(\d+)') or 0) / (1 << 20)),
            'kernel': platform.release(), 'architecture': platform.machine(),
            'libc': ' '.join(platform.libc_ver()),
            'distribution': found('/etc/os-release', r'^PRETTY_NAME="?([^"\n]*)'),
            'governor': found('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor', r'(.*)'),
            'pinned': {'measured': NEAR, 'far': FAR}, 'counters': events,
            'leases': place.leased, 'date': time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}


def words(m, load_before, load_after):
    """One paragraph."""
    virtual = ' of a virtual machine' if m['virtual'] else ''
    unit = 'cycles counted' if m['counters'] else 'no cycle counters: CPU time'
    pinned = m['pinned']
    return (f"{m['processor']}, {m['processors']} processors{virtual}, {m['memory_gib']} GiB, "
            f"Linux {m['kernel']}, {m['distribution']}, {m['libc']}; {unit}; measured on processor "
            f"{pinned['measured']}, all else on {pinned['far']}; load {load_before:.1f} before, "
            f"{load_after:.1f} after; {m['date']}")
