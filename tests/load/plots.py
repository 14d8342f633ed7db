"""A plot as SVG, drawn by hand: it needs nothing, and a diff of it can be read."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

COLOURS = ("#2f6f9f", "#b9c6cf")
LEFT, WIDTH, RIGHT, THICK, GAP, TOP = 260, 460, 80, 14, 16, 64  # pixels


class Bar(NamedTuple):
    """What is measured, and for each of those who were measured its name and value."""

    name: str
    values: Sequence[tuple[str, float]]


def bars(title: str, groups: Sequence[Bar]) -> str:
    """Bars that lie, in groups."""
    most = max(value for group in groups for _, value in group.values)
    height = TOP + sum(len(group.values) * THICK + GAP for group in groups)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + RIGHT}" height="{height}" role="img"',
        ' font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<text x="12" y="22" font-size="15">{escape(title)}</text>',
        *_legend([name for name, _ in groups[0].values]),
    ]
    top = TOP
    for group in groups:
        lines += _group(group, top, WIDTH / most)
        top += len(group.values) * THICK + GAP
    return "\n".join([*lines, "</svg>", ""])


def _legend(names: Sequence[str]) -> list[str]:
    lines = []
    for place, (name, colour) in enumerate(zip(names, COLOURS, strict=True)):
        x = LEFT + place * 110
        lines.append(f'<rect x="{x}" y="34" width="12" height="12" fill="{colour}"/>')
        lines.append(f'<text x="{x + 18}" y="45">{escape(name)}</text>')
    return lines


def _group(group: Bar, top: int, scale: float) -> list[str]:
    middle = top + len(group.values) * THICK / 2 + 4
    lines = [f'<text x="{LEFT - 10}" y="{middle:.0f}" text-anchor="end">{escape(group.name)}</text>']
    for place, ((_, value), colour) in enumerate(zip(group.values, COLOURS, strict=True)):
        y = top + place * THICK
        length = max(1.0, value * scale)
        lines.append(f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{THICK - 2}" fill="{colour}"/>')
        lines.append(f'<text x="{LEFT + length + 6:.1f}" y="{y + 10}">{value:,.0f}</text>')
    return lines
