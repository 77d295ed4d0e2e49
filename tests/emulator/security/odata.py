# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OData query options as the two backends accept them: an allow-list per backend of properties, operators and literals.

What a backend is not documented to support is refused, since a client must not come to depend on it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal

from odata_query import ast
from odata_query.exceptions import ODataException
from odata_query.grammar import ODataLexer, ODataParser

from .times import parse_iso

Predicate = Callable[[Any], bool]
_COMPARE: Final[Mapping[type, tuple[str, Callable[[Any, Any], bool]]]] = {
    ast.Eq: ("eq", operator.eq),
    ast.NotEq: ("ne", operator.ne),
    ast.Gt: ("gt", operator.gt),
    ast.GtE: ("ge", operator.ge),
    ast.Lt: ("lt", operator.lt),
    ast.LtE: ("le", operator.le),
}
_MIRRORED: Final[Mapping[type, type]] = {ast.Gt: ast.Lt, ast.GtE: ast.LtE, ast.Lt: ast.Gt, ast.LtE: ast.GtE}


class QueryError(Exception):
    """The service does not accept this query; the text is what it says about it, without the service's preamble.

    :ivar in_filter: whether the fault is in ``$filter``.
    """

    def __init__(self, message: str, *, in_filter: bool = False) -> None:
        super().__init__(message)
        self.in_filter = in_filter


@dataclass(frozen=True, slots=True)
class Property:
    """A property a query may name.

    :ivar kind: ``time`` (unquoted instants), ``text`` (quoted) or ``enum`` (quoted, one of ``members``).
    :ivar members: the member names this backend writes, with the neutral member each of them stands for.
    :ivar attribute: where the neutral record keeps the value.
    """

    attribute: str
    kind: Literal["time", "text", "enum"]
    members: Mapping[str, str] = field(default_factory=dict)
    filterable: bool = True

    def __hash__(self) -> int:
        return hash((self.attribute, self.kind))


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one collection of one backend accepts.

    :ivar type_name: the entity type, for messages.
    :ivar properties: by the name the backend uses.
    :ivar operators: the comparison operators and ``and``, ``or``, ``not``.
    """

    type_name: str
    properties: Mapping[str, Property]
    operators: frozenset[str]

    def __hash__(self) -> int:
        return hash(self.type_name)


@dataclass(frozen=True, slots=True)
class Filter:
    """A compiled ``$filter``.

    :ivar test: whether a neutral record matches.
    """

    test: Predicate


@lru_cache(maxsize=512)
def compile_filter(text: str, dialect: Dialect) -> Filter:
    """Compile a ``$filter`` expression.

    :raises QueryError: syntax, an unknown or unfilterable property, an operator or literal outside the dialect.
    """
    try:
        return Filter(_predicate(_parsed(text), dialect))
    except QueryError as exc:
        raise QueryError(str(exc), in_filter=True) from exc


def _parsed(text: str) -> Any:
    try:
        tree = ODataParser().parse(ODataLexer().tokenize(text.strip()))
    except ODataException as exc:
        token = getattr(exc, "token", None)
        position = getattr(token, "index", len(text))
        raise QueryError(f"Syntax error at position {position} in '{text}'.") from exc
    if tree is None:
        raise QueryError(f"Syntax error at position 0 in '{text}'.")
    return tree


def _predicate(node: Any, dialect: Dialect) -> Predicate:
    if isinstance(node, ast.BoolOp):
        name = "and" if isinstance(node.op, ast.And) else "or"
        _demand(name, dialect)
        left, right = _predicate(node.left, dialect), _predicate(node.right, dialect)
        if name == "and":
            return lambda record: left(record) and right(record)
        return lambda record: left(record) or right(record)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        _demand("not", dialect)
        inner = _predicate(node.operand, dialect)
        return lambda record: not inner(record)
    if isinstance(node, ast.Compare):
        return _comparison(node, dialect)
    if isinstance(node, ast.Call):
        raise QueryError(f"The function '{_name(node.func)}' is not supported in the $filter query option.")
    raise QueryError("The $filter expression must evaluate to a single boolean value.")


def _name(node: ast.Identifier) -> str:
    return ".".join((*node.namespace, node.name))


def _demand(name: str, dialect: Dialect) -> None:
    if name not in dialect.operators:
        raise QueryError(f"The operator '{name}' is not supported in the $filter query option.")


def _comparison(node: ast.Compare, dialect: Dialect) -> Predicate:
    left, right, kind = node.left, node.right, type(node.comparator)
    if kind is ast.In:
        _demand("in", dialect)
        raise QueryError("The operator 'in' is not supported in the $filter query option.")
    if isinstance(right, ast.Identifier | ast.Attribute) and not isinstance(left, ast.Identifier | ast.Attribute):
        left, right, kind = right, left, _MIRRORED.get(kind, kind)
    name, compare = _COMPARE[kind]
    _demand(name, dialect)
    wanted = _property(left, dialect)
    value = _literal(right, wanted, name, dialect)
    attribute = operator.attrgetter(wanted.attribute)
    if wanted.kind != "time" and name not in ("eq", "ne"):
        raise QueryError(f"A binary operator with incompatible types was detected for operator kind '{name}'.")
    if wanted.kind == "text":
        # Owners are user names, which compare without regard to case; an empty one is none.
        folded = str(value).casefold() if value else None
        return lambda record: compare((attribute(record) or "").casefold() or None, folded)
    return lambda record: compare(attribute(record), value)


def _property(node: Any, dialect: Dialect) -> Property:
    if not isinstance(node, ast.Identifier):
        raise QueryError("Only a property can be compared with a literal in the $filter query option.")
    found = dialect.properties.get(_name(node))
    if found is None:
        raise QueryError(f"Could not find a property named '{_name(node)}' on type '{dialect.type_name}'.")
    if not found.filterable:
        raise QueryError(f"The property '{_name(node)}' cannot be used in the $filter query option.")
    return found


def _literal(node: Any, wanted: Property, name: str, dialect: Dialect) -> Any:
    incompatible = QueryError(f"A binary operator with incompatible types was detected for operator kind '{name}'.")
    if isinstance(node, ast.Identifier):
        _property(node, dialect)  # A word without quotes is read as a property, which it usually is not.
    if isinstance(node, ast.Null):
        if wanted.kind == "text" and name in ("eq", "ne"):
            return None
        raise incompatible
    if wanted.kind == "time":
        if not isinstance(node, ast.DateTime):
            raise incompatible
        try:
            return parse_iso(node.val, offset_required=True)
        except ValueError as exc:
            raise incompatible from exc
    if not isinstance(node, ast.String):
        raise incompatible
    if wanted.kind == "enum":
        if node.val not in wanted.members:
            raise QueryError(f"The string '{node.val}' is not a valid enumeration type constant of '{dialect.type_name}'.")
        return wanted.members[node.val]
    return node.val


@dataclass(frozen=True, slots=True)
class Options:
    """The query options of one list request."""

    filter: Filter | None = None
    top: int | None = None
    skip: int = 0
    count: bool = False
    orderby: tuple[tuple[Property, bool], ...] = ()
    select: tuple[str, ...] | None = None
    expand: tuple[str, ...] = ()
    skiptoken: str | None = None


def _number(name: str, text: str) -> int:
    if not text.isdecimal():
        text = f"Invalid value '{text}' for {name} query option found."
        raise QueryError(f"{text} The {name} query option requires a non-negative integer value.")
    return int(text)


def _order(text: str, dialect: Dialect) -> tuple[tuple[Property, bool], ...]:
    order: list[tuple[Property, bool]] = []
    for part in text.split(","):
        name, *direction = part.split() or [""]
        if direction not in ([], ["asc"], ["desc"]):
            raise QueryError(f"Syntax error at position 0 in '{text}'.")
        found = dialect.properties.get(name)
        if found is None:
            raise QueryError(f"Could not find a property named '{name}' on type '{dialect.type_name}'.")
        if found.kind != "time":
            raise QueryError(f"The property '{name}' cannot be used in the $orderby query option.")
        order.append((found, direction == ["desc"]))
    return tuple(order)


def parse_options(
    pairs: Sequence[tuple[str, str]], dialect: Dialect, *, supported: frozenset[str], expandable: frozenset[str] = frozenset()
) -> Options:
    """Read the system query options of a request; options without ``$`` are custom ones and ignored.

    :param supported: the options this collection knows, with their ``$``.
    :raises QueryError: an option that is not supported, is given twice or has a bad value.
    """
    values: dict[str, str] = {}
    for name, value in pairs:
        if not name.startswith("$"):
            continue
        if name not in supported:
            raise QueryError(f"The query parameter '{name}' is not supported.")
        if name in values:
            raise QueryError(f"Query option '{name}' was specified more than once, but it must be specified at most once.")
        values[name] = value
    expand = tuple(part.strip() for part in values.get("$expand", "").split(",") if part.strip())
    for part in expand:
        if part not in expandable:
            raise QueryError(f"Could not find a property named '{part}' on type '{dialect.type_name}'.")
    if values.get("$count", "false") not in ("true", "false"):
        raise QueryError(f"Invalid value '{values['$count']}' for $count query option found.")
    return Options(
        filter=compile_filter(values["$filter"], dialect) if values.get("$filter", "").strip() else None,
        top=_number("$top", values["$top"]) if "$top" in values else None,
        skip=_number("$skip", values["$skip"]) if "$skip" in values else 0,
        count=values.get("$count") == "true",
        orderby=_order(values["$orderby"], dialect) if values.get("$orderby", "").strip() else (),
        select=tuple(part.strip() for part in values["$select"].split(",")) if values.get("$select", "").strip() else None,
        expand=expand,
        skiptoken=values.get("$skiptoken"),
    )
