# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Reading JSON objects whose keys and types cannot be relied upon: names, numbers, lists, nested objects."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from .times import canonical_time
from .vocabulary import member

Reader = Callable[[Any], Any]

_WORD_END = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

# Keys whose values are members of an enumeration, wherever they occur in evidence.
_ENUM_OF_KEY: Mapping[str, str] = {
    "verdict": "verdict",
    "remediation_status": "remediation_status",
    "health_status": "health_status",
    "risk_score": "risk_score",
    "onboarding_status": "onboarding_status",
    "defender_av_status": "defender_av_status",
    "detection_status": "detection_status",
}
_ENUM_OF_LIST_KEY: Mapping[str, str] = {"roles": "role"}
# Int64 members may arrive as text, which JSON clients need for numbers beyond 2^53.
_NUMBER_KEYS = frozenset(
    {
        "attachments_count",
        "email_count",
        "file_size",
        "os_build",
        "parent_process_id",
        "process_id",
        "rbac_group_id",
        "url_count",
    }
)


@lru_cache(maxsize=4096)
def snake_case(name: str) -> str:
    """Return `name` in snake_case: `azureAdUserId` becomes `azure_ad_user_id`, `sha256Ac` becomes `sha256_ac`."""
    return _WORD_END.sub("_", name).lower()


def first_of(source: Mapping[str, Any], *names: str) -> Any:
    """Return the value of the first of the keys that is there and not None; else None."""
    for name in names:
        value = source.get(name)
        if value is not None:
            return value
    return None


def text(value: Any) -> str | None:
    """Return a text, None for None; the empty text stays one."""
    return None if value is None else str(value)


def filled_text(value: Any) -> str | None:
    """Return a text, None for None and for the empty text."""
    return None if value is None or value == "" else str(value)


def identifier(value: Any) -> str | None:
    """Return an id as text, None where there is none (null, empty or 0): the Defender API's are numbers, Graph's texts."""
    return None if value in (None, "", 0, "0") else str(value)


def number(value: Any) -> Any:
    """Return the number that a text of digits stands for; anything else as it is."""
    return int(value) if isinstance(value, str) and re.fullmatch(r"-?\d{1,19}", value) else value


def texts(value: Any) -> list[str]:
    """Return a list of texts; a single text becomes a list, None an empty one."""
    if value is None or value == "":
        return []
    return [str(entry) for entry in value if entry is not None] if isinstance(value, (list, tuple)) else [str(value)]


def objects(value: Any) -> list[Mapping[str, Any]]:
    """Return the objects of a list; what is no object is left out."""
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, (list, tuple)) else []


def enum_reader(enum: str, *, default: str | None = None) -> Reader:
    """Return a reader of members of `enum`; `default` stands in where the value is missing."""
    return lambda value: member(enum, value) or default


def generic(value: Any) -> Any:
    """Return any value with keys in snake_case, without OData annotations, instants and enumerations in canonical form."""
    if isinstance(value, Mapping):
        pairs = ((snake_case(str(key)), content) for key, content in value.items() if "@odata." not in str(key))
        return {key: _generic_member(key, content) for key, content in pairs}
    if isinstance(value, (list, tuple)):
        return [generic(entry) for entry in value]
    return value


def _generic_member(key: str, value: Any) -> Any:
    if isinstance(value, str):
        if key in _ENUM_OF_KEY:
            return member(_ENUM_OF_KEY[key], value)
        if key.endswith("_date_time"):
            return canonical_time(value)
        return number(value) if key in _NUMBER_KEYS else value
    if key in _ENUM_OF_LIST_KEY:
        return [member(_ENUM_OF_LIST_KEY[key], entry) for entry in texts(value)]
    return generic(value)
