# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The scalar types, their names in an answer, and how their values are written.

Values are plain Python ones; instants are ticks and durations are ticks as well, which only the type of a column tells apart.
"""

from __future__ import annotations

from typing import Any, Final

from ..times import DAY, HOUR, MINUTE, TICKS_PER_SECOND, iso

# The names the services use in an answer's schema.
SCHEMA_TYPES: Final = {
    "datetime": "DateTime",
    "string": "String",
    "int": "Int32",
    "long": "Int64",
    "bool": "SByte",
    "real": "Double",
    "guid": "Guid",
    "dynamic": "Object",
    "timespan": "TimeSpan",
}
NUMBERS: Final = frozenset({"int", "long", "real"})


def comparable(left: str, right: str) -> bool:
    """Whether values of two types can be compared without a cast."""
    if left == right or "dynamic" in (left, right) or "null" in (left, right):
        return True
    return {left, right} <= NUMBERS or {left, right} == {"guid", "string"}


def timespan_text(ticks: int) -> str:
    """Return a duration as ``[-][d.]hh:mm:ss[.fffffff]``."""
    days, rest = divmod(abs(ticks), DAY)
    hours, rest = divmod(rest, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    seconds, fraction = divmod(rest, TICKS_PER_SECOND)
    text = f"{'-' if ticks < 0 else ''}{f'{days}.' if days else ''}{hours:02d}:{minutes:02d}:{seconds:02d}"
    return f"{text}.{fraction:07d}" if fraction else text


def to_json(value: Any, kind: str) -> Any:
    """Return a value as it stands in an answer's row."""
    if value is None:
        return None
    if kind == "datetime":
        return iso(value)
    return timespan_text(value) if kind == "timespan" else value


def to_text(value: Any, kind: str) -> str:
    """Return ``tostring()`` of a value."""
    import json

    if value is None:
        return ""
    if kind == "dynamic":
        return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if kind == "bool":
        return "true" if value else "false"
    return str(to_json(value, kind))
