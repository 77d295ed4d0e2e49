# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The nodes of a parsed query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant with its type."""

    value: Any
    type: str


@dataclass(frozen=True, slots=True)
class Name:
    """A column, or a name bound by ``let``."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A scalar function, or an aggregation where those are allowed."""

    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Binary:
    """An operator between two expressions; ``has``, ``contains`` and their kin included."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Membership:
    """``in``, ``!in``, ``in~``, ``!in~``, ``has_any``, ``has_all``, ``between`` and ``!between``."""

    operator: str
    left: Expression
    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """``target.key`` or ``target[index]`` of a dynamic value."""

    target: Expression
    key: Expression


@dataclass(frozen=True, slots=True)
class Star:
    """``*`` in ``arg_max(Timestamp, *)``."""


Expression = Literal | Name | Call | Binary | Membership | Member | Star


@dataclass(frozen=True, slots=True)
class Named:
    """An expression with the name it gets in the result, None when none was given."""

    name: str | None
    expression: Expression


@dataclass(frozen=True, slots=True)
class Order:
    """A sort key; without words Kusto sorts descending."""

    expression: Expression
    descending: bool
    nulls_first: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One operator of the pipe. What the fields hold depends on the operator.

    :ivar name: ``where``, ``project`` and so on, aliases resolved.
    """

    name: str
    items: tuple[Any, ...] = ()
    by: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Pipe:
    """A source and what happens to its rows; ``source`` is a table's name, or None after ``print``."""

    source: str | Pipe | None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """The bindings of ``let`` in order, and the pipe that gives the result."""

    lets: tuple[tuple[str, Expression | Pipe], ...]
    pipe: Pipe
