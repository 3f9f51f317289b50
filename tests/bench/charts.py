# SPDX-License-Identifier: MIT
"""The charts of the page, drawn by matplotlib as SVG; each drawer yields (svg, words below it)."""
import io, re
import matplotlib
matplotlib.use('svg')
import matplotlib.pyplot as plt

COLOUR = {'plain': '#8a939b', 'shunt': '#0b62a4', 'hand': '#d98014', 'limit': '#b9c0c6',
          'own': '#d98014', 'armed': '#7fb2dc'}
INK, QUIET, WIDTH = '#24292f', '#667079', 10.2
plt.rcParams.update({
    'svg.fonttype': 'none', 'font.family': 'DejaVu Sans', 'font.size': 9, 'text.color': INK,
    'axes.edgecolor': '#c6ccd1', 'axes.labelcolor': QUIET, 'axes.titlesize': 9.5,
    'axes.titlelocation': 'left', 'axes.spines.top': False, 'axes.spines.right': False,
    'xtick.color': QUIET, 'ytick.color': QUIET, 'axes.grid': True, 'grid.color': '#eef0f2',
    'axes.axisbelow': True, 'legend.frameon': False, 'figure.facecolor': 'none',
    'axes.facecolor': 'none', 'xtick.major.size': 0, 'ytick.major.size': 0})


def svg(figure, name):
    """As text to stand in a page; NAME keeps its ids apart from those of other pictures."""
    plt.rcParams['svg.hashsalt'] = name
    out = io.StringIO()
    figure.savefig(out, format='svg', bbox_inches='tight', pad_inches=0.05,
                   metadata={'Date': None, 'Creator': None})
    plt.close(figure)
    text = out.getvalue()
    text = re.sub(r'id="((?:figure|axes|patch|text|line2d|matplotlib|xtick|ytick|legend|PolyColl|'
                  r'LineColl|FillBetween)[^"]*)"', '', text)
    return text[text.index('<svg'):]


def size(n):
    return f'{n >> 20}M' if n >= 1 << 20 else f'{n >> 10}K' if n >= 1 << 10 else str(n)


def key(figure, ways, where=(0.0, 1.0)):
    handles = [plt.Line2D([], [], color=COLOUR[w], linewidth=6 if w != 'limit' else 2,
                          linestyle='-' if w != 'limit' else ':') for w in ways]
    figure.legend(handles, ways, loc='lower left', bbox_to_anchor=where, ncols=len(ways),
                  handlelength=1.2, columnspacing=1.6)


# ---- loops ----

def loop_panel(ax, lines, route):
    for way in ('limit', 'hand', 'plain', 'shunt'):
        x = [d['chunk'] for d in lines]
        costs = [d['ways'][way]['cost'] for d in lines]
        ax.plot(x, [c['median'] for c in costs], color=COLOUR[way], linewidth=2,
                marker='o', markersize=3 if way != 'limit' else 0,
                linestyle=':' if way == 'limit' else '-')
        if way in ('plain', 'shunt'):
            ax.fill_between(x, [c['q1'] for c in costs], [c['q3'] for c in costs],
                            color=COLOUR[way], alpha=0.15, linewidth=0)
    ax.set_xscale('log', base=2)
    ax.set_xticks(x[::2] if len(x) > 7 else x, [size(c) for c in (x[::2] if len(x) > 7 else x)])
    ax.minorticks_off()
    ax.set_ylim(0, ax.get_ylim()[1])
    ax.set_title(route.replace('-', ' \u2192 '))


def loops(data):
    for odd in (False, True):
        lines = [d for d in data if d['odd'] == odd]
        routes = list(dict.fromkeys(d['route'] for d in lines))
        if not routes:
            continue
        words = 'behind the start of a page, by 1552 bytes, as malloc may give them' if odd else \
            'at a page'
        rows = (len(routes) + 2) // 3
        figure, axes = plt.subplots(rows, 3, figsize=(WIDTH, 2.5 * rows), squeeze=False)
        for ax in axes.flat[len(routes):]:
            ax.set_visible(False)
        for ax, route in zip(axes.flat, routes):
            loop_panel(ax, [d for d in lines if d['route'] == route], route)
        unit = lines[0]['unit']
        for row in axes:
            row[0].set_ylabel('cycles a byte' if unit == 'cycles' else 'ns a KiB')
        figure.tight_layout(h_pad=1.6, w_pad=1.6)
        key(figure, ('plain', 'shunt', 'hand', 'limit'))
        yield svg(figure, f'loops{odd}'), f'Buffers that begin {words}. Across: bytes a chunk.'


# ---- bars in rows ----

def bars(ax, names, series, text):
    """Horizontal bars: SERIES is (way, values, lower ends, upper ends); None is left out."""
    height = 0.8 / len(series)
    for i, (way, values, low, high) in enumerate(series):
        for k, value in enumerate(values):
            if value is None:
                continue
            y = k + (i - (len(series) - 1) / 2) * height
            ax.barh(y, value, height * 0.86, color=COLOUR[way])
            ax.plot([low[k], high[k]], [y, y], color=INK, linewidth=0.8, alpha=0.55)
            ax.annotate(text.format(value), (max(value, high[k], 0), y), xytext=(4, 0),
                        textcoords='offset points', va='center', fontsize=7.5, color=QUIET)
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(axis='y', colors=INK)
    ax.invert_yaxis()
    ax.grid(axis='y', visible=False)
    ax.margins(x=0.14)
    ax.locator_params(axis='x', nbins=5)


def spreads(spreads_of):
    """(medians, lower, upper quartiles), None where there is none."""
    return [[s and s[k] for s in spreads_of] for k in ('median', 'q1', 'q3')]


def hooks(data):
    for starts, unit, scale in ((False, 'ns', 1), (True, 'ms', 1e6)):
        lines = [d for d in data if (d['call'] in ('fork', 'true')) == starts]
        if not lines:
            continue
        figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 0.55 + 0.42 * len(lines)), sharey=True)
        for ax, what, title in ((axes[0], 'cpu', f'{unit} of CPU more'),
                                (axes[1], 'instructions', 'instructions of the program more')):
            by = scale if what == 'cpu' else 1
            series = []
            for way in ('shunt', 'armed'):
                rows = [{k: v / by for k, v in d[f'{what}_more_{way}'].items()} for d in lines]
                series.append((way, *spreads(rows)))
            bars(ax, [d['what'] for d in lines], series,
                 '{:+.2f}' if what == 'cpu' and starts else '{:+.0f}')
            ax.set_title(title)
        axes[1].invert_yaxis()  # it shares its axis, which was turned twice
        figure.tight_layout()
        key(figure, ('shunt', 'armed'))
        yield svg(figure, f'hooks{starts}'), ('Starts of a process.' if starts else
                                              'Thin lines: the middle half of the runs.')


def guesses(data):
    looks = list(dict.fromkeys(d['look'] for d in data))
    names = {'first': 'the first byte', 'random': 'a random byte', 'all': 'every byte',
             'change': 'changes a byte', 'nth': 'each 8th chunk'}
    figure, axes = plt.subplots(1, len(looks), figsize=(WIDTH, 2.4), sharey=True, squeeze=False)
    for ax, look in zip(axes[0], looks):
        lines = [d for d in data if d['look'] == look]
        x = range(len(lines))
        more = [d['more'] for d in lines]
        ax.axhline(1, color='#c6ccd1', linewidth=1)
        ax.axhline(1.02, color='#b5482a', linewidth=1, linestyle=':')
        ax.vlines(x, [m['q1'] for m in more], [m['q3'] for m in more], color=COLOUR['shunt'],
                  linewidth=4, alpha=0.3)
        ax.plot(x, [m['median'] for m in more], 'o', color=COLOUR['shunt'], markersize=5)
        ax.set_xticks(list(x), [size(d['chunk']) for d in lines],
                      rotation=90 if len(lines) > 4 else 0)
        ax.set_xlim(-0.6, len(lines) - 0.4)
        ax.set_title(names[look])
        ax.grid(axis='x', visible=False)
    axes[0][0].set_ylabel('shunt / plain')
    figure.tight_layout(w_pad=1.2)
    yield svg(figure, 'guesses'), 'Across: bytes a chunk. Bars: the middle half of the runs.'


def scale(data):
    figure, axes = plt.subplots(1, 3, figsize=(WIDTH, 2.6))
    loop = [d for d in data if not d['threads']]
    threads = [d for d in data if d['threads']]
    for ax, lines, title in ((axes[0], loop, 'one loop: cost a byte'),
                             (axes[1], threads, 'threads: cost a byte'),
                             (axes[2], loop, 'one loop: MiB resident at the top')):
        for way in ('plain', 'shunt'):
            y = [d[way]['top']['rss'] / 1024 if ax is axes[2] else d[way]['cost']['median']
                 for d in lines]
            ax.plot([d['clients'] for d in lines], y, 'o-', color=COLOUR[way], linewidth=2,
                    markersize=4)
        ax.set_xscale('log')
        ax.set_xticks([d['clients'] for d in lines], [str(d['clients']) for d in lines])
        ax.minorticks_off()
        ax.set_ylim(0, ax.get_ylim()[1])
        ax.set_title(title)
    figure.tight_layout(w_pad=1.6)
    key(figure, ('plain', 'shunt'))
    yield svg(figure, 'scale'), 'Across: clients at a time. Cost: cycles, or ns without counters.'


def servers(data):
    for file_size in sorted({d['size'] for d in data['cpu']}, reverse=True):
        lines = [d for d in data['cpu'] if d['size'] == file_size]
        ways = [w for w in ('plain', 'shunt', 'own') if any(w in d['ms'] for d in lines)]
        figure, ax = plt.subplots(figsize=(WIDTH, 0.6 + 0.5 * len(lines)))
        bars(ax, [d['server'] + (', kept alive' if d['keep'] else '') for d in lines],
             [(w, *spreads([d['ms'].get(w) for d in lines])) for w in ways], '{:.0f}')
        ax.set_title(f'files of {size(file_size)}iB: ms of CPU a GiB')
        figure.tight_layout()
        key(figure, ways)
        yield svg(figure, f'servers{file_size}'), 'Thin lines: the middle half of the runs.'


def ratios(ax, names, spreads_of, limit):
    """A dot a row, the middle half of the runs behind it; 1 is even, a dotted line the limit."""
    y = range(len(names))
    ax.axvline(1, color='#c6ccd1', linewidth=1)
    ax.axvline(limit, color='#b5482a', linewidth=1, linestyle=':')
    ax.hlines(y, [s['q1'] for s in spreads_of], [s['q3'] for s in spreads_of],
              color=COLOUR['shunt'], linewidth=4, alpha=0.3)
    ax.plot([s['median'] for s in spreads_of], y, 'o', color=COLOUR['shunt'], markersize=5)
    ax.set_yticks(y, names)
    ax.tick_params(axis='y', colors=INK)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.grid(axis='y', visible=False)


def latency(data):
    lines = data['lines']
    if lines:
        figure, ax = plt.subplots(figsize=(WIDTH, 0.7 + 0.35 * len(lines)))
        ratios(ax, [d['relay'] for d in lines], [d['ratio'] for d in lines], 1.03)
        ax.set_title('shunt / plain: a byte there and back')
        figure.tight_layout()
        yield svg(figure, 'latency'), 'Bars: the middle half of the runs.'


def relays(data):
    for file_size in sorted({d['size'] for d in data['lines']}, reverse=True):
        lines = [d for d in data['lines'] if d['size'] == file_size]
        figure, ax = plt.subplots(figsize=(WIDTH, 0.7 + 0.3 * len(lines)))
        ratios(ax, [d['server'] for d in lines], [d['gain'] for d in lines], 0.98)
        ax.set_title(f'files of {size(file_size)}iB: plain / shunt')
        figure.tight_layout()
        yield svg(figure, f'relays{file_size}'), 'Bars: the middle half of the pairs.'


def cold(data):
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 0.7 + 0.5 * len(data)), sharey=True)
    names = [('one thread' if d['how'] == 'loop' else 'reads elsewhere') + f", {size(d['chunk'])}"
             for d in data]
    for ax, call in zip(axes, ('read', 'write')):
        series = []
        for way in ('plain', 'shunt'):
            v = [d[way][call]['p99'] for d in data]
            series.append((way, v, v, v))
        bars(ax, names, series, '{:.0f}')
        ax.set_title(f'{call}: 99th percentile, us')
    axes[1].invert_yaxis()
    figure.tight_layout()
    key(figure, ('plain', 'shunt'))
    yield svg(figure, 'cold'), 'Medians over the runs.'


DRAWERS = {'loops': loops, 'hooks': hooks, 'guesses': guesses, 'scale': scale, 'servers': servers,
           'cold': cold, 'latency': latency, 'relays': relays}


def draw(name, data):
    """The pictures of one part; some have none."""
    return DRAWERS[name](data) if name in DRAWERS else ()
