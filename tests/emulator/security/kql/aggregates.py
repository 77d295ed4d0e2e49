# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The aggregations of ``summarize``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from .scalars import Row, Scope, Typed, compile_scalar
from .syntax import Call, Expression, Name

Fold = Callable[[Sequence[Row]], Any]


def default_name(call: Call) -> str:
    """Return the column name Kusto gives an aggregation without one."""
    prefix = {"make_set": "set", "make_list": "list", "countif": "countif"}.get(call.name, call.name)
    first = next((one.name for one in call.arguments if isinstance(one, Name)), "")
    return f"{prefix}_" if call.name in ("count", "countif") else f"{prefix}_{first}"


def compile_aggregate(call: Call, scope: Scope) -> tuple[str, Fold]:
    """Return the type of an aggregation and the function that folds a group of rows.

    :raises SemanticError: the arguments do not fit.
    """
    make, least, most = AGGREGATES[call.name]
    if not least <= len(call.arguments) <= most:
        raise scope.fail(f"{call.name}(): function expects {least} argument(s)")
    return make([compile_scalar(one, scope) for one in call.arguments])


def _values(of: Typed, rows: Sequence[Row]) -> list[Any]:
    return [value for value in (of.of(row) for row in rows) if value is not None]


def _distinct(values: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    seen: set[Any] = set()
    for value in values:
        mark = repr(value)
        if mark not in seen:
            seen.add(mark)
            found.append(value)
    return found


def _limit(arguments: list[Typed]) -> int | None:
    return int(arguments[1].of({})) if len(arguments) > 1 else None


def _filled(values: Sequence[Any]) -> list[Any]:
    return [value for value in values if value != ""]


def _count(arguments: list[Typed]) -> tuple[str, Fold]:
    return "long", len


def _countif(arguments: list[Typed]) -> tuple[str, Fold]:
    return "long", lambda rows: sum(1 for row in rows if arguments[0].of(row))


def _dcount(arguments: list[Typed]) -> tuple[str, Fold]:
    return "long", lambda rows: len(_distinct(_values(arguments[0], rows)))


def _dcountif(arguments: list[Typed]) -> tuple[str, Fold]:
    return "long", lambda rows: len(_distinct(_values(arguments[0], [row for row in rows if arguments[1].of(row)])))


def _min(arguments: list[Typed]) -> tuple[str, Fold]:
    return arguments[0].type, lambda rows: min(_values(arguments[0], rows), default=None)


def _max(arguments: list[Typed]) -> tuple[str, Fold]:
    return arguments[0].type, lambda rows: max(_values(arguments[0], rows), default=None)


def _sum(arguments: list[Typed]) -> tuple[str, Fold]:
    kind = "long" if arguments[0].type == "int" else arguments[0].type
    return kind, lambda rows: sum(_values(arguments[0], rows))


def _average(arguments: list[Typed]) -> tuple[str, Fold]:
    def fold(rows: Sequence[Row]) -> float | None:
        values = _values(arguments[0], rows)
        return sum(values) / len(values) if values else None

    return "real", fold


def _make_set(arguments: list[Typed]) -> tuple[str, Fold]:
    return "dynamic", lambda rows: _distinct(_filled(_values(arguments[0], rows)))[: _limit(arguments)]


def _make_list(arguments: list[Typed]) -> tuple[str, Fold]:
    return "dynamic", lambda rows: _values(arguments[0], rows)[: _limit(arguments)]


def _any(arguments: list[Typed]) -> tuple[str, Fold]:
    return arguments[0].type, lambda rows: next(iter(_values(arguments[0], rows)), None)


Make = Callable[[list[Typed]], tuple[str, Fold]]
AGGREGATES: Final[Mapping[str, tuple[Make, int, int]]] = {
    "count": (_count, 0, 0),
    "countif": (_countif, 1, 1),
    "dcount": (_dcount, 1, 2),
    "dcountif": (_dcountif, 2, 3),
    "min": (_min, 1, 1),
    "max": (_max, 1, 1),
    "sum": (_sum, 1, 1),
    "avg": (_average, 1, 1),
    "make_set": (_make_set, 1, 2),
    "make_list": (_make_list, 1, 2),
    "take_any": (_any, 1, 1),
    "any": (_any, 1, 1),
}


def is_arg(node: Expression) -> bool:
    """Whether this is ``arg_max`` or ``arg_min``, which give several columns."""
    return isinstance(node, Call) and node.name in ("arg_max", "arg_min")


def aggregations(node: Expression) -> list[Call]:
    """Return the aggregations inside an expression such as ``count() * 2``."""
    if isinstance(node, Call) and node.name in AGGREGATES:
        return [node]
    found: list[Call] = []
    for name in ("arguments", "left", "right", "values", "target", "key"):
        part = getattr(node, name, ())
        for one in part if isinstance(part, tuple) else (part,):
            found += aggregations(one)
    return found
