# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scalar functions of the subset, by name."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Final

from ..times import DAY, HOUR, MINUTE, TICKS_PER_SECOND, parse_iso
from .types import to_text

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_ANY: Final = 64


@dataclass(frozen=True, slots=True)
class Function:
    """A function.

    :ivar type: what it gives; empty for the type of its first argument.
    :ivar apply: called with the arguments' values and their types.
    """

    type: str
    least: int
    most: int
    apply: Callable[[list[Any], list[str]], Any]


def text(value: Any, kind: str) -> str:
    """Return ``tostring()`` of a value."""
    return to_text(value, kind)


def member(target: Any, key: Any) -> Any:
    """Return an item of a dynamic value, or None when there is none."""
    if isinstance(target, str):
        target = parsed(target)
    if isinstance(target, dict):
        return target.get(str(key))
    if isinstance(target, list) and isinstance(key, int) and -len(target) <= key < len(target):
        return target[key]
    return None


def parsed(value: Any) -> Any:
    """Return ``parse_json()`` of a text; a text that is no JSON stays a text."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _number(value: Any, make: Callable[[float], Any]) -> Any:
    try:
        return make(float(value))
    except (TypeError, ValueError):
        return None


def _datetime(value: Any) -> int | None:
    if value is None or isinstance(value, int):
        return value
    try:
        return parse_iso(str(value))
    except ValueError:
        return None


def _calendar(ticks: int) -> datetime:
    return _EPOCH + timedelta(microseconds=ticks // 10)


def _format(ticks: int | None, pattern: str) -> str | None:
    if ticks is None:
        return None
    moment = _calendar(ticks)
    words = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S", "yy": "%y", "hh": "%I", "tt": "%p"}
    return re.sub("yyyy|yy|MM|dd|HH|hh|mm|ss|tt", lambda match: moment.strftime(words[match[0]]), pattern)


def _empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _substring(values: list[Any], kinds: list[str]) -> str:
    subject, start = str(values[0] or ""), int(values[1])
    return subject[start:] if len(values) < 3 else subject[start : start + int(values[2])]


def _extract(values: list[Any], kinds: list[str]) -> str:
    found = re.search(str(values[0]), str(values[2] or ""))
    return (found.group(int(values[1])) or "") if found else ""


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, list) else None


def _difference(values: list[Any], kinds: list[str]) -> int | None:
    unit = {"day": DAY, "hour": HOUR, "minute": MINUTE, "second": TICKS_PER_SECOND}.get(str(values[0]))
    if unit is None or None in values[1:]:
        return None
    return int(values[1] // unit - values[2] // unit)


def _bag(values: list[Any], kinds: list[str]) -> dict[str, Any]:
    return {str(key): value for key, value in zip(values[::2], values[1::2], strict=False)}


def _one(type_: str, apply: Callable[[Any], Any]) -> Function:
    return Function(type_, 1, 1, lambda values, kinds: apply(values[0]))


FUNCTIONS: Final[Mapping[str, Function]] = {
    "not": _one("bool", lambda value: not value),
    "isempty": _one("bool", _empty),
    "isnotempty": _one("bool", lambda value: not _empty(value)),
    "notempty": _one("bool", lambda value: not _empty(value)),
    "isnull": _one("bool", lambda value: value is None),
    "isnotnull": _one("bool", lambda value: value is not None),
    "tostring": Function("string", 1, 1, lambda values, kinds: text(values[0], kinds[0])),
    "toint": _one("int", lambda value: _number(value, int)),
    "tolong": _one("long", lambda value: _number(value, int)),
    "toreal": _one("real", lambda value: _number(value, float)),
    "tobool": _one("bool", lambda value: {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())),
    "todatetime": _one("datetime", _datetime),
    "toguid": _one("guid", lambda value: str(value).lower() if value else None),
    "tolower": _one("string", lambda value: str(value or "").lower()),
    "toupper": _one("string", lambda value: str(value or "").upper()),
    "strlen": _one("long", lambda value: len(str(value or ""))),
    "trim": Function("string", 2, 2, lambda values, kinds: re.sub(rf"^(?:{values[0]})|(?:{values[0]})$", "", str(values[1] or ""))),
    "strcat": Function("string", 1, _ANY, lambda values, kinds: "".join(text(v, k) for v, k in zip(values, kinds, strict=True))),
    "substring": Function("string", 2, 3, _substring),
    "split": Function("dynamic", 2, 2, lambda values, kinds: str(values[0] or "").split(str(values[1]))),
    "replace_string": Function("string", 3, 3, lambda values, kinds: str(values[0] or "").replace(str(values[1]), str(values[2]))),
    "extract": Function("string", 3, 3, _extract),
    "coalesce": Function("", 2, _ANY, lambda values, kinds: next((one for one in values if one not in (None, "")), None)),
    "abs": Function("", 1, 1, lambda values, kinds: None if values[0] is None else abs(values[0])),
    "round": Function("real", 1, 2, lambda values, kinds: None if values[0] is None else round(float(values[0]), *map(int, values[1:]))),
    "parse_json": _one("dynamic", parsed),
    "array_length": _one("long", _length),
    "set_has_element": Function("bool", 2, 2, lambda values, kinds: isinstance(values[0], list) and values[1] in values[0]),
    "bag_keys": _one("dynamic", lambda value: list(value) if isinstance(value, dict) else None),
    "bag_pack": Function("dynamic", 2, _ANY, _bag),
    "pack_array": Function("dynamic", 1, _ANY, lambda values, kinds: list(values)),
    "strcat_array": Function("string", 2, 2, lambda values, kinds: str(values[1]).join(text(one, "dynamic") for one in values[0] or [])),
    "startofday": _one("datetime", lambda value: None if value is None else value // DAY * DAY),
    "endofday": _one("datetime", lambda value: None if value is None else (value // DAY + 1) * DAY - 1),
    "format_datetime": Function("string", 2, 2, lambda values, kinds: _format(values[0], str(values[1]))),
    "datetime_diff": Function("long", 3, 3, _difference),
    "hourofday": _one("int", lambda value: None if value is None else _calendar(value).hour),
}
