# SPDX-License-Identifier: MIT
"""Medians and spread of runs taken in turn, and tables of them."""
import statistics


def summary(values):
    """The spread of some runs: least, quartiles, median, and how many there were."""
    values = sorted(values)
    if not values:
        return None
    if len(values) == 1:
        quarters = values * 3
    else:
        quarters = statistics.quantiles(values, n=4, method='inclusive')
    return {'median': statistics.median(values), 'min': values[0], 'q1': quarters[0],
            'q3': quarters[2], 'max': values[-1], 'n': len(values)}


def median_of(values):
    return statistics.median(list(values))


def ratio(upper, lower):
    """Run by run, since the machine drifts: the i-th of UPPER by the i-th of LOWER."""
    return summary([u / l for u, l in zip(upper, lower) if l > 0])


def cost(sample):
    """What a run cost: cycles where the machine counts them, else ns of CPU time."""
    return sample['cycles'] or sample['cpu']


def unit(sample):
    return 'cycles' if sample['cycles'] else 'ns'


def noisy(spread):
    """Whether the middle half of the runs is wider than a tenth of the median."""
    return spread['q3'] - spread['q1'] > 0.1 * spread['median']


def number(value, digits=3):
    return '-' if value is None else f'{value:.{digits}f}'


def median(spread, digits=3):
    return number(spread and spread['median'], digits)


def spread(s, digits=2):
    """The median and, behind it, the quartiles; ~ marks a wide one."""
    if s is None:
        return '-'
    return (f"{s['median']:.{digits}f} {s['q1']:.{digits}f}..{s['q3']:.{digits}f}"
            f"{'~' if noisy(s) else ' '}")


def size(n):
    """Bytes as 4K, 1M or 777."""
    for step, letter in ((1 << 30, 'G'), (1 << 20, 'M'), (1 << 10, 'K')):
        if n >= step and n % step == 0:
            return f'{n // step}{letter}'
    return str(n)


def table(title, columns, rows, note=''):
    """What a part shows, on the terminal and in the page; words stand left, figures right."""
    return {'title': title, 'columns': columns, 'rows': [list(map(str, row)) for row in rows],
            'note': note}


def lines(t):
    """The lines of a table, as a terminal shows them."""
    every = [t['columns']] + t['rows']
    width = [max(len(row[i]) for row in every) for i in range(len(t['columns']))]
    left = [all(not row[i][:1].isdigit() and row[i][:1] not in '+-' for row in t['rows'])
            for i in range(len(width))]
    yield t['title']
    for row in every:
        yield '  ' + '  '.join(word.ljust(w) if l else word.rjust(w)
                               for word, w, l in zip(row, width, left)).rstrip()
    if t['note']:
        yield '  ' + t['note']
    yield ''
