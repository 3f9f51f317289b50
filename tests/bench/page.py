# SPDX-License-Identifier: MIT
"""page.py JSON HTML: what was measured as a page that stands alone: charts and tables."""
import html, json, os, sys
import machine

HERE = os.path.dirname(os.path.realpath(__file__))
ABOUT = {
    'loops': '''CPU cycles that the serving thread spends for one byte, user and kernel: less is
better. <b>plain</b> is read and write; <b>shunt</b> the same program under shunt; <b>hand</b> the
same chunks by sendfile or splice, as a port of the program would send them; <b>limit</b> all of it
in as few calls as the kernel allows. Medians; the bands hold the middle half of the runs.''',
    'hooks': '''Every call that shunt listens to becomes a little longer, also where there is
nothing to win. <b>armed</b>: while a chunk is on its way through a protected buffer.''',
    'guesses': '''A program that looks at the bytes cannot be helped. It must not be hurt:
shunt / plain is 1 where shunt costs nothing; the dotted line is the limit of 1.02.''',
    'scale': '''Many clients at a time. The server has a buffer, a file and a socket for each;
memory is what is resident while all are connected and none takes anything.''',
    'servers': '''CPU time that the whole server spends for a GiB: less is better. <b>own</b>: the
same server with its own sendfile or splice, where it has one.''',
    'echo': 'One byte at a time, by way of a relay: how long until it is back, and whether that is '
            'longer under shunt. At once, and after the relay has landed what came before.',
    'latency': '''One byte at a time, through a real relay that runs plainly and one that runs under
shunt, in turn, both being up. Below the dotted line is as good as plain.''',
    'relays': '''CPU of a transfer: two of each server are up, one plain and one under shunt, and
asked in turn. Above 1 shunt spends less. What comes from sockets and pipes in small chunks is left
alone, and must cost nothing: the dotted line is the limit of 0.98.''',
    'cold': '''The file is dropped from the page cache first. A server that reads in another thread
expects its writes not to wait for the disk: the bars say how long a slow call (the 99th percentile)
takes.'''}


def is_word(text):
    return not (text[:1].isdigit() or text[:1] in '+-' or not text)


def table(t):
    columns = range(len(t['columns']))
    words = {i for i in columns if any(is_word(row[i]) for row in t['rows'])}

    def cell(tag, i, text):
        kind = ' class="words"' if i in words else ''
        return f'<{tag}{kind}>{html.escape(text)}</{tag}>'
    head = ''.join(cell('th', i, c) for i, c in enumerate(t['columns']))
    body = ''.join('<tr>' + ''.join(cell('td', i, c) for i, c in enumerate(row)) + '</tr>\n'
                   for row in t['rows'])
    note = f'<p class="quiet">{html.escape(t["note"])}</p>' if t['note'] else ''
    return (f'<h3>{html.escape(t["title"])}</h3><div class="scroll"><table><tr>{head}</tr>\n{body}'
            f'</table></div>{note}')


def charts_of(parts):
    """For each part its SVG pictures, with a line below each; nothing without matplotlib."""
    try:
        import charts
    except ImportError:
        return {}
    return {name: list(charts.draw(name, part['data'])) for name, part in parts.items()}


def section(name, part, pictures):
    out = [f'<h2 id="{name}">{html.escape(part["title"])}</h2><p>{ABOUT[name]}</p>']
    for svg, words in pictures:
        out.append(f'<figure>{svg}<figcaption>{html.escape(words)}</figcaption></figure>')
    out += ['<details><summary>All figures</summary>', *map(table, part['tables']),
            '<p class="quiet">~ the middle half of the runs is wider than a tenth of it</p>',
            '</details>']
    return '\n'.join(out)


def cards(parts):
    shown = [map(html.escape, pair) for part in parts.values() for pair in part['headline']]
    return ''.join(f'<div class="card"><b>{figure}</b><span>{words}</span></div>'
                   for figure, words in shown)


def page(result):
    parts = result['parts']
    pictures = charts_of(parts)
    with open(os.path.join(HERE, 'page.css')) as f:
        css = f.read()
    told = machine.words(result['machine'], result['load_before'], result['load_after'])
    links = ''.join(f'<a href="#{name}">{html.escape(part["title"])}</a>'
                    for name, part in parts.items())
    return f'''<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>shunt: what it wins and costs</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{css}</style></head><body>
<h1>shunt: what it wins and costs</h1>
<p class="quiet">{html.escape(told)}{"" if result["full"] else "; a quick run"}</p>
<nav>{links}</nav>
<div class="cards">{cards(parts)}</div>
<p class="quiet">The ways are run in turn, and ratios are taken run by run, since a machine
drifts; the median of them is shown. On loopback the last copy, out of the socket, is the
receiver's and not counted.</p>
''' + '\n'.join(section(name, part, pictures.get(name, [])) for name, part in parts.items()) + \
        '\n</body></html>\n'


if __name__ == '__main__':
    with open(sys.argv[1]) as source:
        text = page(json.load(source))
    with open(sys.argv[2], 'w') as target:
        target.write(text)
