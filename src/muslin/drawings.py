"""Small pictures that notebooks show of a network and of a history: inline SVG in the text's own color, no script."""

import math
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import Any

#: units of a layer that are drawn; the rest are three dots
DRAWN = 7
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")


def network(sizes: Sequence[int], labels: Sequence[str], caption: str) -> str:
    """A column of units a layer, with every weight between the drawn ones as a line."""
    columns = [_column(x, n) for x, n in zip(range(60, 60 + 120 * len(sizes), 120), sizes, strict=True)]
    lines = [f'<line x1="{x}" y1="{y}" x2="{u}" y2="{v}"/>' for a, b in pairwise(columns) for x, y in a for u, v in b]
    units = [f'<circle cx="{x}" cy="{y}" r="6"/>' for column in columns for x, y in column]
    texts = [
        _text(column[0][0], 176, f"{n:,}" + (" …" if n > DRAWN else "")) + _text(column[0][0], 192, label)
        for column, n, label in zip(columns, sizes, labels, strict=True)
    ]
    drawn = f'<g stroke="currentColor" stroke-opacity=".25">{"".join(lines)}</g><g fill="{COLORS[0]}">'
    return _figure(120 * len(sizes), 200, drawn + "".join(units) + "</g>" + "".join(texts), caption)


def _column(x: int, n: int) -> list[tuple[int, float]]:
    drawn = min(n, DRAWN)
    return [(x, 85 + 22 * (i - (drawn - 1) / 2)) for i in range(drawn)]


def curves(figures: dict[str, dict[str, Sequence[float]]], caption: str) -> str:
    """A chart for each title: {title: {name: a value an epoch}}. Values that are not finite are left out."""
    charts = [_chart(320 * i, title, lines) for i, (title, lines) in enumerate(figures.items())]
    return _figure(320 * max(1, len(charts)), 190, "".join(charts), caption)


def _chart(left: int, title: str, lines: dict[str, Sequence[float]]) -> str:
    values = [value for line in lines.values() for value in line if math.isfinite(value)]
    if not values:
        return _text(left + 150, 16, f"{title}: no finite value")
    low, high, n = min(values), max(values), max(map(len, lines.values()))
    parts = [_text(left + 150, 16, title), _text(left + 26, 34, f"{high:.3g}"), _text(left + 26, 154, f"{low:.3g}")]
    parts.append(_text(left + 52, 170, "1") + _text(left + 300, 170, str(n)))
    for color, (name, line) in zip(COLORS, lines.items(), strict=False):
        points = [
            (left + 52 + 248 * i / max(1, n - 1), 150 - 120 * (value - low) / ((high - low) or 1))
            for i, value in enumerate(line)
            if math.isfinite(value)
        ]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline fill="none" stroke="{color}" stroke-width="2" points="{path}"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{color}"/>' for x, y in points if n <= 30]
        at = left + 90 + 110 * COLORS.index(color)
        parts.append(f'<text x="{at}" y="186" fill="{color}" text-anchor="middle">{escape(name)}</text>')
    return "".join(parts)


def _text(x: float, y: float, words: Any) -> str:
    return f'<text x="{x}" y="{y}" fill="currentColor" text-anchor="middle">{escape(str(words))}</text>'


def _figure(width: int, height: int, body: str, caption: str) -> str:
    return (
        f'<figure style="margin:0"><svg role="img" aria-label="{escape(caption)}" viewBox="0 0 {width} {height}" '
        f'width="{width}" style="max-width:100%;height:auto;font:11px sans-serif" '
        f'xmlns="http://www.w3.org/2000/svg">{body}</svg><figcaption>{escape(caption)}</figcaption></figure>'
    )
