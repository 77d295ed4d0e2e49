# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scalar expressions: from a parsed expression to a typed function of a row.

Names and types are settled before the first row is read, so that a faulty query fails on an empty table as well.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from . import functions
from .errors import SemanticError
from .syntax import Binary, Call, Expression, Literal, Member, Membership, Name, Star
from .types import NUMBERS, comparable

Row = Mapping[str, Any]
Evaluate = Callable[[Row], Any]


@dataclass(frozen=True, slots=True)
class Typed:
    """An expression ready to run, with the type of what it gives."""

    type: str
    of: Evaluate
    constant: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression may refer to.

    :ivar step: the operator it stands in, for messages.
    :ivar columns: the columns of the rows, with their types.
    :ivar lets: the constants bound so far.
    :ivar now: ticks.
    """

    step: str
    columns: Mapping[str, str]
    lets: Mapping[str, Typed]
    now: int
    aggregated: Mapping[int, Typed] = field(default_factory=dict)

    def fail(self, text: str) -> SemanticError:
        """Return the engine's refusal, which names the operator."""
        return SemanticError(self.step, text)


def compile_scalar(node: Expression, scope: Scope) -> Typed:
    """Compile an expression.

    :raises SemanticError: an unknown name, or types that do not fit.
    """
    done = scope.aggregated.get(id(node))
    if done is not None:
        return done
    if isinstance(node, Literal):
        value = node.value
        return Typed(node.type, lambda row: value, constant=True)
    if isinstance(node, Name):
        return _name(node, scope)
    if isinstance(node, Member):
        return _member(node, scope)
    if isinstance(node, Binary):
        return _binary(node, scope)
    if isinstance(node, Membership):
        return _membership(node, scope)
    if isinstance(node, Star):
        raise scope.fail("'*' is not allowed here")
    return _call(node, scope)


def constant(node: Expression, scope: Scope, kind: str) -> Any:
    """Return the value of an expression that must not depend on a row.

    :raises SemanticError: it does, or is of another type.
    """
    done = compile_scalar(node, scope)
    if not done.constant or (done.type != kind and not {done.type, kind} <= NUMBERS):
        raise scope.fail(f"expected a constant of type {kind}")
    return done.of({})


def _name(node: Name, scope: Scope) -> Typed:
    name = node.name
    if name in scope.columns:
        return Typed(scope.columns[name], lambda row: row[name])
    if name in scope.lets:
        return scope.lets[name]
    raise scope.fail(f"Failed to resolve column or scalar expression named '{name}'")


def _member(node: Member, scope: Scope) -> Typed:
    target, key = compile_scalar(node.target, scope), compile_scalar(node.key, scope)
    if target.type != "dynamic":
        raise scope.fail(f"path expression source must be of type dynamic. Received a source of type {target.type} instead")

    def of(row: Row) -> Any:
        return functions.member(target.of(row), key.of(row))

    return Typed("dynamic", of, target.constant and key.constant)


# -- operators -------------------------------------------------------------------------------------------------------------------


def _fold(value: Any) -> str:
    return str(value or "").casefold()


def has_term(text: Any, term: Any) -> bool:
    """Whether ``term`` occurs in ``text`` as a whole word, without regard to case."""
    folded = _fold(term)
    return not folded or re.search(rf"(?<![^\W_]){re.escape(folded)}(?![^\W_])", _fold(text)) is not None


_TEXT: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "contains": lambda a, b: _fold(b) in _fold(a),
    "contains_cs": lambda a, b: str(b or "") in str(a or ""),
    "startswith": lambda a, b: _fold(a).startswith(_fold(b)),
    "startswith_cs": lambda a, b: str(a or "").startswith(str(b or "")),
    "endswith": lambda a, b: _fold(a).endswith(_fold(b)),
    "endswith_cs": lambda a, b: str(a or "").endswith(str(b or "")),
    "has": has_term,
    "has_cs": lambda a, b: re.search(rf"(?<![^\W_]){re.escape(str(b or ''))}(?![^\W_])", str(a or "")) is not None,
    "hasprefix": lambda a, b: re.search(rf"(?<![^\W_]){re.escape(_fold(b))}", _fold(a)) is not None,
    "hassuffix": lambda a, b: re.search(rf"{re.escape(_fold(b))}(?![^\W_])", _fold(a)) is not None,
}
_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


def _binary(node: Binary, scope: Scope) -> Typed:
    name = node.operator
    left, right = compile_scalar(node.left, scope), compile_scalar(node.right, scope)
    fixed = left.constant and right.constant
    if name in ("and", "or"):
        for side in (left, right):
            if side.type not in ("bool", "dynamic"):
                raise scope.fail(f"a logical operand must be of type bool, not {side.type}")
        if name == "and":
            return Typed("bool", lambda row: bool(left.of(row)) and bool(right.of(row)), fixed)
        return Typed("bool", lambda row: bool(left.of(row)) or bool(right.of(row)), fixed)
    if name in _COMPARE:
        return _comparison(name, left, right, scope)
    if name in ("+", "-", "*", "/", "%"):
        return _arithmetic(name, left, right, scope)
    for side in (left, right):
        if side.type not in ("string", "dynamic", "guid"):
            raise scope.fail(f"the operator '{name}' needs operands of type string, not {side.type}")
    if name == "matches regex":
        return Typed("bool", lambda row: re.search(str(right.of(row)), _text(left.of(row))) is not None, fixed)
    if name in ("=~", "!~"):
        wanted = name == "=~"
        return Typed("bool", lambda row: (_fold(left.of(row)) == _fold(right.of(row))) is wanted, fixed)
    test, positive = _TEXT[name.lstrip("!")], not name.startswith("!")
    return Typed("bool", lambda row: test(_text(left.of(row)), right.of(row)) is positive, fixed)


def _text(value: Any) -> str:
    return functions.text(value, "dynamic")


def _comparison(name: str, left: Typed, right: Typed, scope: Scope) -> Typed:
    if not comparable(left.type, right.type):
        raise scope.fail(f"Cannot compare values of types {left.type} and {right.type}. Try adding explicit casts")
    test = _COMPARE[name]

    def of(row: Row) -> bool:
        one, other = left.of(row), right.of(row)
        if one is None or other is None:
            return name == "!=" and (one is None) is not (other is None)
        try:
            return test(one, other)
        except TypeError:  # A dynamic value of another kind compares as not equal.
            return False

    return Typed("bool", of, left.constant and right.constant)


def _result_type(name: str, left: str, right: str) -> str | None:
    kinds = (left, right)
    if name == "-" and kinds == ("datetime", "datetime"):
        return "timespan"
    if name in ("+", "-") and kinds == ("datetime", "timespan"):
        return "datetime"
    if name == "+" and kinds == ("timespan", "datetime"):
        return "datetime"
    if name in ("+", "-") and kinds == ("timespan", "timespan"):
        return "timespan"
    if name == "/" and kinds == ("timespan", "timespan"):
        return "real"
    if (name == "*" and "timespan" in kinds and set(kinds) & NUMBERS) or (name == "/" and left == "timespan" and right in NUMBERS):
        return "timespan"
    numeric = {"long" if kind == "dynamic" else kind for kind in kinds}
    if numeric <= NUMBERS:
        return "real" if "real" in numeric or "dynamic" in kinds else "long"
    return None


def _arithmetic(name: str, left: Typed, right: Typed, scope: Scope) -> Typed:
    kind = _result_type(name, left.type, right.type)
    if kind is None:
        raise scope.fail(f"the operator '{name}' is not defined for {left.type} and {right.type}")

    def of(row: Row) -> Any:
        one, other = left.of(row), right.of(row)
        if not isinstance(one, int | float) or not isinstance(other, int | float):
            return None
        if name in ("/", "%") and other == 0:
            return None
        if name == "%":
            return one % other
        result = {"+": one + other, "-": one - other, "*": one * other, "/": one / other if other else 0}[name]
        return int(result) if kind in ("long", "datetime", "timespan") else result

    return Typed(kind, of, left.constant and right.constant)


def _membership(node: Membership, scope: Scope) -> Typed:
    word, positive = node.operator.lstrip("!"), not node.operator.startswith("!")
    left = compile_scalar(node.left, scope)
    values = [compile_scalar(value, scope) for value in node.values]
    if word == "between":
        return _between(left, values, positive, scope)
    for value in values:
        if not comparable(left.type, value.type):
            raise scope.fail(f"Cannot compare values of types {left.type} and {value.type}. Try adding explicit casts")

    def candidates(row: Row) -> list[Any]:
        found: list[Any] = []
        for value in values:
            one = value.of(row)
            found.extend(one if isinstance(one, list) else [one])
        return found

    if word in ("has_any", "has_all"):
        quantifier = any if word == "has_any" else all
        return Typed("bool", lambda row: quantifier(has_term(_text(left.of(row)), one) for one in candidates(row)) is positive)
    if word == "in~":
        return Typed("bool", lambda row: (_fold(left.of(row)) in {_fold(one) for one in candidates(row)}) is positive)
    return Typed("bool", lambda row: (left.of(row) in candidates(row)) is positive)


def _between(left: Typed, values: list[Typed], positive: bool, scope: Scope) -> Typed:
    low, high = values
    span = left.type == "datetime" and high.type == "timespan"  # between (start .. 1d) means until start + 1d.
    if not comparable(left.type, low.type) or not (span or comparable(left.type, high.type)):
        raise scope.fail(f"Cannot compare values of types {left.type}, {low.type} and {high.type}. Try adding explicit casts")

    def of(row: Row) -> bool:
        value, first, last = left.of(row), low.of(row), high.of(row)
        if value is None or first is None or last is None:
            return False
        return bool(first <= value <= (first + last if span else last)) is positive

    return Typed("bool", of)


# -- functions -------------------------------------------------------------------------------------------------------------------


def _call(node: Call, scope: Scope) -> Typed:
    name = {"iff": "iif", "todouble": "toreal", "todynamic": "parse_json", "pack": "bag_pack"}.get(node.name, node.name)
    arguments = [compile_scalar(argument, scope) for argument in node.arguments]
    if name in ("now", "ago"):
        return _clock(name, arguments, scope)
    if name == "iif":
        return _iif(arguments, scope)
    if name == "case":
        return _case(arguments, scope)
    if name in ("bin", "floor"):
        return _bin(arguments, scope)
    known = functions.FUNCTIONS.get(name)
    if known is None:
        raise scope.fail(f"Unknown function: '{node.name}'")
    if not known.least <= len(arguments) <= known.most:
        raise scope.fail(f"{node.name}(): function expects {known.least} argument(s)")
    kinds = [argument.type for argument in arguments]
    kind = known.type or next((one for one in kinds if one != "null"), "dynamic")

    def of(row: Row) -> Any:
        return known.apply([argument.of(row) for argument in arguments], kinds)

    return Typed(kind, of, all(argument.constant for argument in arguments))


def _clock(name: str, arguments: list[Typed], scope: Scope) -> Typed:
    if len(arguments) > 1 or any(argument.type != "timespan" for argument in arguments) or (name == "ago" and not arguments):
        raise scope.fail(f"{name}(): expects a timespan")
    offset = arguments[0].of({}) if arguments else 0
    moment = scope.now - offset if name == "ago" else scope.now + offset
    return Typed("datetime", lambda row: moment, constant=True)


def _iif(arguments: list[Typed], scope: Scope) -> Typed:
    if len(arguments) != 3 or arguments[0].type not in ("bool", "dynamic"):
        raise scope.fail("iif(): expects a condition and two values")
    test, yes, no = arguments
    if not comparable(yes.type, no.type):
        raise scope.fail(f"iif(): the two values must be of one type, not {yes.type} and {no.type}")
    return Typed(yes.type, lambda row: yes.of(row) if test.of(row) else no.of(row))


def _case(arguments: list[Typed], scope: Scope) -> Typed:
    if len(arguments) < 3 or len(arguments) % 2 == 0:
        raise scope.fail("case(): expects pairs of condition and value, then a value")
    pairs = list(zip(arguments[:-1:2], arguments[1:-1:2], strict=True))
    otherwise = arguments[-1]

    def of(row: Row) -> Any:
        return next((value.of(row) for test, value in pairs if test.of(row)), otherwise.of(row))

    return Typed(otherwise.type, of)


def _bin(arguments: list[Typed], scope: Scope) -> Typed:
    kinds = tuple(argument.type for argument in arguments)
    if len(kinds) != 2 or not (kinds == ("datetime", "timespan") or kinds[0] == kinds[1] or set(kinds) <= NUMBERS):
        raise scope.fail("bin(): expects a value and a size of a type that fits")
    value, size = arguments

    def of(row: Row) -> Any:
        one, step = value.of(row), size.of(row)
        return None if one is None or not step else one // step * step

    return Typed(kinds[0], of, value.constant and size.constant)
