# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws the results of a bench as bars, in SVG, on a logarithmic scale: the slowest run takes hundreds of times the quickest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape

NAMES = {
    "a": "a  nothing, per host",
    "b": "b  m365d_incidents, per host",
    "c": "c  the same as an ordinary module",
    "d": "d  ansible.builtin.uri, per host",
    "e": "e  m365d_incidents, one task",
    "f": "f  asyncio script",
    "g": "g  http.client, per host",
    "h": "h  urllib3 in threads",
    "i": "i  nothing, on one host",
}
_LEFT, _WIDTH, _ROW, _TOP = 230, 460, 30, 46


def bars(results: Mapping[str, Any]) -> str:
    """Return an SVG document with one bar for each run that took part."""
    letters = [letter for letter in NAMES if letter in results]
    most = max((results[letter] for letter in letters), default=1.0)
    decades = max(1, math.ceil(math.log10(max(most, 1.01))) + 1)
    height = _TOP + _ROW * len(letters) + 34
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LEFT + _WIDTH + 80}" height="{height}" font-family="sans-serif" font-size="13">',
        f'<rect width="100%" height="100%" fill="white"/><text x="12" y="24" font-size="15">Seconds for {results["tenants"]} tenants'
        f" (logarithmic)</text>",
    ]
    for decade in range(decades + 1):
        x = _LEFT + _WIDTH * decade / decades
        parts.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="{_TOP - 8}" y2="{height - 28}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.0f}" y="{height - 10}" text-anchor="middle" fill="#555">{10.0 ** (decade - 1):g}</text>')
    for row, letter in enumerate(letters):
        y, length = _TOP + _ROW * row, _WIDTH * (math.log10(max(results[letter], 0.1)) + 1) / decades
        colour = "#0f6cbd" if letter in "be" else "#9db6c9"
        parts.append(f'<text x="{_LEFT - 10}" y="{y + 15}" text-anchor="end">{escape(NAMES[letter])}</text>')
        parts.append(f'<rect x="{_LEFT}" y="{y}" width="{length:.1f}" height="20" fill="{colour}"/>')
        parts.append(f'<text x="{_LEFT + length + 6:.1f}" y="{y + 15}">{results[letter]:.1f}</text>')
    return "\n".join([*parts, "</svg>", ""])
