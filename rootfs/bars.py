# SPDX-License-Identifier: ISC
"""A table of (name, amount, where the bar begins), on standard output and as a picture."""
from xml.sax.saxutils import escape

WIDTH, NAME, ROW = 900, 300, 18


def table(rows, unit):
    width = max(len(name) for name, _, _ in rows)
    return "".join("  %-*s %12s %s\n" % (width, name, format(amount, ",.3f" if unit == "ms" else ",d"), unit)
                   for name, amount, _ in rows)


def svg(title, rows, unit):
    end = max(begin + amount for _, amount, begin in rows) or 1
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">'
           % (WIDTH, ROW * (len(rows) + 2)), '<text x="4" y="14" font-weight="bold">%s</text>' % escape(title)]
    for i, (name, amount, begin) in enumerate(rows, 1):
        scale = (WIDTH - NAME - 90) / end
        out.append('<text x="4" y="{y}">{name}</text><rect x="{x:.1f}" y="{top}" width="{w:.1f}" height="{h}" fill="#47a"/>'
                   '<text x="{r:.1f}" y="{y}">{n} {unit}</text>'.format(
                       name=escape(name), x=NAME + begin * scale, w=max(amount * scale, 1), y=ROW * i + 15, top=ROW * i + 3,
                       h=ROW - 5, r=NAME + (begin + amount) * scale + 5, unit=unit,
                       n=format(amount, ".1f" if unit == "ms" else ",d")))
    return "\n".join(out + ["</svg>", ""])
