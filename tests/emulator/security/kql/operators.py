# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators of the pipe: each takes rows with their columns and gives rows with their columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any, Final

from . import aggregates
from .errors import KqlError, SemanticError
from .parser import parse
from .scalars import Row, Scope, Typed, compile_scalar, constant
from .syntax import Call, Expression, Literal, Member, Name, Named, Order, Pipe, Star, Step

Columns = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows with the names and types of their columns, in order; the rows may be read once."""

    columns: Columns
    rows: Iterable[Row]


@dataclass(slots=True)
class Context:
    """What a running query knows.

    :ivar tables: gives a table by name, None for an unknown one.
    :ivar budget: how many rows may leave the filters before the engine gives up; 0 for any number.
    """

    tables: Callable[[str], Table | None]
    now: int
    lets: dict[str, Typed]
    pipes: dict[str, Pipe]
    budget: int = 0


class ResourcesExceeded(KqlError):
    """The query reads more than it may."""


def run(text: str, tables: Callable[[str], Table | None], *, now: int, budget: int = 0) -> Table:
    """Run a query.

    :param tables: gives a table by name, or None.
    :param now: ticks, for ``now()`` and ``ago()``.
    :param budget: rows that may pass the first filters, 0 for any number.
    :raises KqlError: the query is at fault, or exceeds its budget.
    """
    query = parse(text)
    context = Context(tables, now, {}, {}, budget)
    for name, value in query.lets:
        if isinstance(value, Pipe):
            context.pipes[name] = value
        elif isinstance(value, Name) and value.name not in context.lets:
            context.pipes[name] = Pipe(value.name, ())
        else:
            context.lets[name] = _evaluated(compile_scalar(value, Scope("let", {}, context.lets, now)))
    return _run(query.pipe, context)


def _evaluated(typed: Typed) -> Typed:
    value = typed.of({})
    return Typed(typed.type, lambda row: value, constant=True)


def _run(pipe: Pipe, context: Context) -> Table:
    table = _source(pipe, context)
    steps = list(pipe.steps)
    while steps and steps[0].name == "where":
        table = _where(table, steps.pop(0), context)
    if context.budget:
        table = Table(table.columns, _counted(table.rows, context.budget))
    for step in steps:
        table = _OPERATORS[step.name](table, step, context)
    return table


def _source(pipe: Pipe, context: Context) -> Table:
    if pipe.source is None:
        return Table({}, [{}])
    if isinstance(pipe.source, Pipe):
        return _run(pipe.source, context)
    bound = context.pipes.get(pipe.source)
    if bound is not None:
        without = {name: value for name, value in context.pipes.items() if name != pipe.source}
        return _run(bound, Context(context.tables, context.now, context.lets, without, context.budget))
    found = context.tables(pipe.source)
    if found is None:
        raise SemanticError("source", f"Failed to resolve table or column expression named '{pipe.source}'")
    return found


def _counted(rows: Iterable[Row], budget: int) -> Iterator[Row]:
    for number, row in enumerate(rows):
        if number >= budget:
            raise ResourcesExceeded("budget")
        yield row


def _scope(step: str, table: Table, context: Context) -> Scope:
    return Scope(step, table.columns, context.lets, context.now)


def _where(table: Table, step: Step, context: Context) -> Table:
    scope = _scope("where", table, context)
    test = compile_scalar(step.items[0], scope)
    if test.type not in ("bool", "dynamic"):
        raise scope.fail(f"expected a condition of type bool, not {test.type}")
    return Table(table.columns, (row for row in table.rows if test.of(row)))


def _auto_name(item: Named, number: int) -> str:
    if item.name is not None:
        return item.name
    node: Expression = item.expression
    if isinstance(node, Name):
        return node.name
    if isinstance(node, Member) and isinstance(node.key, Literal):
        base = _auto_name(Named(None, node.target), number)
        return f"{base}_{node.key.value}"
    if isinstance(node, Call) and node.name in ("bin", "floor", "tostring", "tolower", "toupper", "startofday", "toint", "tolong"):
        return _auto_name(Named(None, node.arguments[0]), number)
    return f"Column{number}"


def _compiled(items: Sequence[Named], scope: Scope) -> dict[str, Typed]:
    found: dict[str, Typed] = {}
    for number, item in enumerate(items, start=1):
        name = _auto_name(item, number)
        if name in found:
            raise scope.fail(f"A column with the name '{name}' was given more than once")
        found[name] = compile_scalar(item.expression, scope)
    return found


def _project(table: Table, step: Step, context: Context) -> Table:
    made = _compiled(step.items, _scope(step.name, table, context))
    columns = {name: typed.type for name, typed in made.items()}
    return Table(columns, ({name: typed.of(row) for name, typed in made.items()} for row in table.rows))


def _print(table: Table, step: Step, context: Context) -> Table:
    named = tuple(Named(item.name or f"print_{number}", item.expression) for number, item in enumerate(step.items))
    return _project(table, Step("print", named), context)


def _extend(table: Table, step: Step, context: Context) -> Table:
    made = _compiled(step.items, _scope("extend", table, context))
    columns = {**table.columns, **{name: typed.type for name, typed in made.items()}}
    return Table(columns, ({**row, **{name: typed.of(row) for name, typed in made.items()}} for row in table.rows))


def _kept(table: Table, names: Sequence[str]) -> Table:
    columns = {name: table.columns[name] for name in names}
    return Table(columns, ({name: row[name] for name in names} for row in table.rows))


def _matching(table: Table, patterns: Sequence[str], step: str) -> list[str]:
    for pattern in patterns:
        if "*" not in pattern and pattern not in table.columns:
            raise SemanticError(step, f"Failed to resolve column named '{pattern}'")
    return [name for name in table.columns if any(fnmatchcase(name, pattern) for pattern in patterns)]


def _project_away(table: Table, step: Step, context: Context) -> Table:
    dropped = _matching(table, step.items, step.name)
    return _kept(table, [name for name in table.columns if name not in dropped])


def _project_keep(table: Table, step: Step, context: Context) -> Table:
    return _kept(table, _matching(table, step.items, step.name))


def _project_rename(table: Table, step: Step, context: Context) -> Table:
    renamed: dict[str, str] = {}
    for item in step.items:
        if item.name is None or not isinstance(item.expression, Name) or item.expression.name not in table.columns:
            raise SemanticError(step.name, "expected NewName = ExistingColumn")
        renamed[item.expression.name] = item.name
    columns = {renamed.get(name, name): kind for name, kind in table.columns.items()}
    return Table(columns, ({renamed.get(name, name): value for name, value in row.items()} for row in table.rows))


def _distinct(table: Table, step: Step, context: Context) -> Table:
    narrowed = table if isinstance(step.items[0], Star) else _project(table, step, context)

    def rows() -> Iterator[Row]:
        seen: set[str] = set()
        for row in narrowed.rows:
            mark = repr(list(row.values()))
            if mark not in seen:
                seen.add(mark)
                yield row

    return Table(narrowed.columns, rows())


def _take(table: Table, step: Step, context: Context) -> Table:
    return Table(table.columns, islice(table.rows, constant(step.items[0], _scope("take", table, context), "long")))


def _sorted(table: Table, keys: Sequence[Order], scope: Scope) -> list[Row]:
    rows = list(table.rows)
    for key in reversed(keys):
        of = compile_scalar(key.expression, scope).of
        filled = [row for row in rows if of(row) is not None]
        empty = [row for row in rows if of(row) is None]
        filled.sort(key=lambda row, of=of: _sortable(of(row)), reverse=key.descending)  # type: ignore[misc]
        rows = empty + filled if key.nulls_first else filled + empty
    return rows


def _sortable(value: Any) -> Any:
    return value if isinstance(value, int | float | str) else repr(value)


def _order(table: Table, step: Step, context: Context) -> Table:
    return Table(table.columns, _sorted(table, step.by, _scope("sort", table, context)))


def _top(table: Table, step: Step, context: Context) -> Table:
    scope = _scope("top", table, context)
    return Table(table.columns, _sorted(table, step.by, scope)[: constant(step.items[0], scope, "long")])


def _count(table: Table, step: Step, context: Context) -> Table:
    return Table({"Count": "long"}, [{"Count": sum(1 for _unused in table.rows)}])


def _mv_expand(table: Table, step: Step, context: Context) -> Table:
    made = _compiled(step.items, _scope("mv-expand", table, context))
    for name, typed in made.items():
        if typed.type != "dynamic":
            raise SemanticError("mv-expand", f"expected a column of type dynamic, '{name}' is {typed.type}")

    def rows() -> Iterator[Row]:
        for row in table.rows:
            lists = {name: _as_list(typed.of(row)) for name, typed in made.items()}
            for number in range(max(len(values) for values in lists.values())):
                yield {**row, **{name: values[number] if number < len(values) else None for name, values in lists.items()}}

    return Table({**table.columns, **dict.fromkeys(made, "dynamic")}, rows())


def _as_list(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [{key: one} for key, one in value.items()]
    return value if isinstance(value, list) and value else [None if isinstance(value, list) else value]


# -- summarize -------------------------------------------------------------------------------------------------------------------


def _groups(table: Table, by: Mapping[str, Typed]) -> list[tuple[dict[str, Any], list[Row]]]:
    found: dict[str, tuple[dict[str, Any], list[Row]]] = {}
    for row in table.rows:
        key = {name: typed.of(row) for name, typed in by.items()}
        found.setdefault(repr(list(key.values())), (key, []))[1].append(row)
    return list(found.values()) if by or found else [({}, [])]


def _summarize(table: Table, step: Step, context: Context) -> Table:
    scope = _scope("summarize", table, context)
    by = _compiled(step.by, scope)
    columns = {name: typed.type for name, typed in by.items()}
    makers: list[Callable[[Sequence[Row]], dict[str, Any]]] = []
    for number, item in enumerate(step.items, start=1):
        added, maker = _arg(item, scope, by) if aggregates.is_arg(item.expression) else _aggregate(item, number, scope)
        columns.update(added)
        makers.append(maker)

    def rows() -> Iterator[Row]:
        for key, members in _groups(table, by):
            row = dict(key)
            for maker in makers:
                row.update(maker(members))
            yield row

    return Table(columns, rows())


def _aggregate(item: Named, number: int, scope: Scope) -> tuple[Columns, Callable[[Sequence[Row]], dict[str, Any]]]:
    calls = aggregates.aggregations(item.expression)
    if not calls:
        raise scope.fail("expected an aggregation")
    folds = {id(call): aggregates.compile_aggregate(call, scope) for call in calls}
    held: dict[int, Any] = {}
    ready = {key: Typed(kind, lambda row, key=key: held[key]) for key, (kind, _unused) in folds.items()}  # type: ignore[misc]
    done = compile_scalar(item.expression, Scope(scope.step, {}, scope.lets, scope.now, ready))
    plain = item.expression if isinstance(item.expression, Call) and item.expression in calls else None
    name = item.name or (aggregates.default_name(plain) if plain else f"Column{number}")

    def make(rows: Sequence[Row]) -> dict[str, Any]:
        held.update((key, fold(rows)) for key, (_unused, fold) in folds.items())
        return {name: done.of({})}

    return {name: done.type}, make


def _arg(item: Named, scope: Scope, by: Mapping[str, Typed]) -> tuple[Columns, Callable[[Sequence[Row]], dict[str, Any]]]:
    """``arg_max(Timestamp, *)``: the other columns of the row where the first one is greatest."""
    call = item.expression
    assert isinstance(call, Call), "the caller has looked"
    if len(call.arguments) < 2:
        raise scope.fail(f"{call.name}(): function expects 2 argument(s)")
    first, *others = call.arguments
    key = compile_scalar(first, scope)
    key_name = item.name or _auto_name(Named(None, first), 1)
    given: dict[str, Typed] = {}
    for other in others:
        if isinstance(other, Star):
            given.update((name, compile_scalar(Name(name), scope)) for name in scope.columns if name not in by and name != key_name)
        else:
            given[_auto_name(Named(None, other), 1)] = compile_scalar(other, scope)
    best = max if call.name == "arg_max" else min

    def make(rows: Sequence[Row]) -> dict[str, Any]:
        candidates = [row for row in rows if key.of(row) is not None]
        if not candidates:
            return dict.fromkeys([key_name, *given])
        chosen = best(candidates, key=key.of)
        return {key_name: key.of(chosen), **{name: typed.of(chosen) for name, typed in given.items()}}

    return {key_name: key.type, **{name: typed.type for name, typed in given.items()}}, make


_OPERATORS: Final[Mapping[str, Callable[[Table, Step, Context], Table]]] = {
    "where": _where,
    "print": _print,
    "project": _project,
    "extend": _extend,
    "project-away": _project_away,
    "project-keep": _project_keep,
    "project-rename": _project_rename,
    "distinct": _distinct,
    "take": _take,
    "order": _order,
    "top": _top,
    "count": _count,
    "mv-expand": _mv_expand,
    "summarize": _summarize,
}
