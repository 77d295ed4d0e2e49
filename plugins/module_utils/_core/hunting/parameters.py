# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Values as KQL literals, and parameters as `let` statements before a query.

A value never becomes part of the query's own text. It stands in a typed literal of its own, bound to a name by a `let`
statement in front of the query, and the query uses the name. In a string everything is escaped that could end it.
Source: the pages on scalar data types, on string literals and on the let statement of the Kusto Query Language.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, datetime, timezone
from typing import Any

from ..errors import OptionError
from ..guids import is_guid
from ..incidents.times import instant_option, text_of
from .windows import duration_ticks

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
# Words that mean something at a place where a name could stand.
_RESERVED_WORDS = (
    "and as asc between bool by contains count date datetime decimal declare desc distinct double dynamic evaluate extend external_table"
    " facet false filter find from getschema guid has has_all has_any hint in int invoke join kind lambda let like limit long lookup"
    " materialize matches not null nulls on or order pack parse print project range real regex render restrict sample scan search serialize"
    " set sort startswith endswith string summarize table take time timespan to toscalar top true type typeof union view where with"
)
_RESERVED = frozenset(_RESERVED_WORDS.split())
_SHORT_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
# Control and format characters, line and paragraph separators: invisible, or taken for the end of a line.
_ESCAPED_CATEGORIES = frozenset({"Cc", "Cf", "Zl", "Zp"})
_LONG = range(-(2**63), 2**63)
_INT = range(-(2**31), 2**31)
_TICKS = {"day": 864_000_000_000, "hour": 36_000_000_000, "minute": 600_000_000, "second": 10_000_000}

TYPES = ("string", "long", "int", "real", "bool", "datetime", "timespan", "guid", "dynamic")
_HOW_TO_TYPE = f"Give a value of another type as a dictionary with the type as its only key, one of {', '.join(TYPES)}."


def prologue(parameters: Mapping[str, Any], *, now: str) -> str:
    """Return the `let` statements for parameters, on one line that ends with a line feed; empty without parameters.

    :param parameters: name → value: a string, an integer, a float, a boolean, a datetime, a list (which becomes a dynamic
        array), or a mapping `{type: value}`.
    :param now: the instant from which "how long ago" is counted.
    :raises OptionError: for a name that is none, and for a value that the type cannot hold.
    """
    if not parameters:
        return ""
    return " ".join(f"let {checked_name(name)} = {literal(name, value, now=now)};" for name, value in parameters.items()) + "\n"


def checked_name(name: Any) -> str:
    """Return a parameter's name; raise `OptionError` where the query could not use it as it is."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.lower() in _RESERVED:
        raise OptionError(
            f"parameters has a name that a query cannot use: '{name}'.",
            next_step="Take letters, digits and underscores, a letter or underscore first, and no word of the query language.",
        )
    return name


def literal(name: str, value: Any, *, now: str) -> str:
    """Return a value as a KQL literal of its own type, or of the type that it names as `{type: value}`.

    :param name: the parameter's name, for messages.
    :raises OptionError: where there is no such literal.
    """
    if isinstance(value, Mapping):
        if len(value) != 1 or next(iter(value)) not in _MAKERS:
            raise _wrong(name, "a dictionary has to name one type", f"{_HOW_TO_TYPE} An object is given as {{dynamic: {{...}}}}.")
        kind, inner = next(iter(value.items()))
    else:
        kind, inner = _kind_of(name, value), value
    if inner is None and kind not in ("string", "dynamic"):
        return f"{kind}(null)"
    return _MAKERS[kind](name, inner, now)


def _kind_of(name: str, value: Any) -> str:
    # A boolean is an integer too, and a datetime is a date.
    for types, kind in ((bool, "bool"), (str, "string"), (int, "long"), (float, "real"), (date, "datetime"), ((list, tuple), "dynamic")):
        if isinstance(value, types):
            return kind
    if value is None:
        raise _wrong(name, "it has no value", "Give a value, or a typed null, such as {long: null}.")
    raise _wrong(name, f"a {type(value).__name__} has no literal", _HOW_TO_TYPE)


def _string(name: str, value: Any, _now: str) -> str:
    if not isinstance(value, str):
        raise _wrong(name, "the value of a string must be a string", "Quote it.")
    return f'"{"".join(_escaped(name, character) for character in value)}"'


def _escaped(name: str, character: str) -> str:
    if character in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[character]
    category = unicodedata.category(character)
    if category == "Cs":
        raise _wrong(name, "it holds half of a surrogate pair, which is no character", "Correct the text.")
    if category not in _ESCAPED_CATEGORIES:
        return character
    point = ord(character)
    return f"\\u{point:04x}" if point <= 0xFFFF else f"\\U{point:08x}"


def _integer(kind: str, bounds: range) -> Callable[[str, Any, str], str]:
    def _make(name: str, value: Any, _now: str) -> str:
        number = int(value) if isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,20}", value.strip(), re.ASCII) else value
        if isinstance(number, bool) or not isinstance(number, int) or number not in bounds:
            raise _wrong(name, f"'{value}' is no integer that the type {kind} holds", "Give a smaller one, or {real: ...}.")
        return f"{kind}({number})"

    return _make


def _real(name: str, value: Any, _now: str) -> str:
    try:
        if isinstance(value, bool):
            raise ValueError(value)
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise _wrong(name, f"'{value}' is no number", "Give a number, such as 0.5.") from None
    text = repr(number)
    return f"real({'+inf' if text == 'inf' else text})"


def _bool(name: str, value: Any, _now: str) -> str:
    known = {"true": True, "yes": True, "false": False, "no": False}
    chosen = known.get(value.strip().lower()) if isinstance(value, str) else value
    if not isinstance(chosen, bool):
        raise _wrong(name, f"'{value}' is no boolean", "Give true or false.")
    return "true" if chosen else "false"


def _datetime(name: str, value: Any, now: str) -> str:
    if isinstance(value, datetime):
        return f"datetime({text_of(value if value.tzinfo else value.replace(tzinfo=timezone.utc))})"
    return f"datetime({instant_option(f'The parameter {name}', value, now=now)})"


def _timespan(name: str, value: Any, _now: str) -> str:
    ticks = duration_ticks(f"The parameter {name}", value)
    days, rest = divmod(ticks, _TICKS["day"])
    hours, rest = divmod(rest, _TICKS["hour"])
    minutes, rest = divmod(rest, _TICKS["minute"])
    seconds, fraction = divmod(rest, _TICKS["second"])
    return f"timespan({days}.{hours:02d}:{minutes:02d}:{seconds:02d}.{fraction:07d})"


def _guid(name: str, value: Any, _now: str) -> str:
    text = str(value).strip()
    if not is_guid(text):
        raise _wrong(name, f"'{value}' is no GUID", "Give it as 00000000-0000-0000-0000-000000000000, or as a string.")
    return f"guid({text.lower()})"


def _dynamic(name: str, value: Any, _now: str) -> str:
    """JSON is the inside of a dynamic literal; in ASCII it has no character that ends one, except where JSON quotes it."""
    try:
        text = json.dumps(_plain(name, value), ensure_ascii=True, allow_nan=False)
    except (ValueError, RecursionError) as exc:
        raise _wrong(name, "it cannot be written as JSON", "Leave out infinities and what is nested without end.") from exc
    return f"dynamic({text})"


def _plain(name: str, value: Any) -> Any:
    """Return JSON's own types for a value; instants become text, which the engine compares after `todatetime()`."""
    if isinstance(value, Mapping):
        return {_checked_text(name, str(key)): _plain(name, inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(name, inner) for inner in value]
    if isinstance(value, datetime):
        return text_of(value if value.tzinfo else value.replace(tzinfo=timezone.utc))
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return _checked_text(name, value if isinstance(value, str) else str(value))


def _checked_text(name: str, text: str) -> str:
    if any(unicodedata.category(character) == "Cs" for character in text):
        raise _wrong(name, "it holds half of a surrogate pair, which is no character", "Correct the text.")
    return text


def _wrong(name: str, reason: str, next_step: str) -> OptionError:
    return OptionError(f"The parameter {name} cannot be used: {reason}.", next_step=next_step)


_MAKERS: Mapping[str, Callable[[str, Any, str], str]] = {
    "string": _string,
    "long": _integer("long", _LONG),
    "int": _integer("int", _INT),
    "real": _real,
    "bool": _bool,
    "datetime": _datetime,
    "timespan": _timespan,
    "guid": _guid,
    "dynamic": _dynamic,
}
