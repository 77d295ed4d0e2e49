# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: text_table
short_description: Lay out rows as a table of plain text
version_added: 0.1.0
description:
  - Returns one text with aligned columns, for M(ansible.builtin.debug) and log files.
  - Control characters in the cells are replaced by blanks, since names come from other people's tenants.
options:
  _input:
    description:
      - The rows, each a list of cells, or with O(columns) a dictionary. A cell that is a list takes a line for each of its entries.
    type: list
    elements: raw
    required: true
  heads:
    description:
      - The heads of the columns.
    type: list
    elements: string
    required: true
  columns:
    description:
      - The keys of the cells in rows that are dictionaries, in the order of O(heads).
    type: list
    elements: string
    default: []
  width:
    description:
      - The width in characters at which a cell is folded into several lines.
    type: integer
    default: 44
author:
  - m365d.partner contributors (@m365d)
"""

EXAMPLES = r"""
- name: Show a table
  ansible.builtin.debug:
    msg: "{{ [['Fabrikam', 3], ['Tailspin', 0]] | m365d.partner.text_table(heads=['Tenant', 'Incidents']) }}"
"""

RETURN = r"""
_value:
  description: The table.
  type: string
"""

import textwrap
from collections.abc import Sequence
from typing import Any

from ansible.errors import AnsibleFilterError


def _lines(cell: Any, width: int) -> list[str]:
    """Return the lines of a cell; a list has one entry to a line."""
    if isinstance(cell, (list, tuple)):
        return [line for entry in cell for line in _lines(entry, width)] or [""]
    text = "".join(character if character.isprintable() else " " for character in ("" if cell is None else str(cell)))
    return textwrap.wrap(text, width) or [""]


def text_table(rows: Sequence[Any], heads: Sequence[str], columns: Sequence[str] = (), width: int = 44) -> str:
    """Return the rows as a table of plain text, columns two blanks apart.

    :param rows: lists of cells, as long as `heads`; with `columns`, mappings.
    :param heads: the heads of the columns.
    :param columns: the keys of the cells in `rows`, as many as `heads`.
    :param width: characters after which a cell is folded.
    """
    if columns:
        rows = [[row.get(key) for key in columns] for row in rows]
    if any(len(row) != len(heads) for row in rows):
        raise AnsibleFilterError(f"text_table needs rows with {len(heads)} cells each.")
    folded = [[_lines(cell, width) for cell in row] for row in [heads, *rows]]
    widths = [max(len(line) for row in folded for line in row[column]) for column in range(len(heads))]
    table: list[str] = []
    for number, row in enumerate(folded):
        for line in range(max((len(cell) for cell in row), default=0)):
            cells = [(cell[line] if line < len(cell) else "").ljust(widths[column]) for column, cell in enumerate(row)]
            table.append("  ".join(cells).rstrip())
        if number == 0:
            table.append("  ".join("-" * column_width for column_width in widths))
    return "\n".join(table)


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Any]:
        return {"text_table": text_table}
