# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Taking a JWT apart without forgiving anything, for the contract.

`token.peek_claims()` reads what a token says for information; here a token has to be exactly what Entra ID issues
(RFC 7519, RFC 7515 compact form): no padding, no other characters, no member twice, no number beyond all bounds.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

LARGEST_TOKEN = 64 * 1024
_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)")


class Malformed(ValueError):
    """Why a text is not a token; never with its content."""


class Parts(NamedTuple):
    """A token taken apart; nothing in it is verified."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]


def take_apart(token: str) -> Parts:
    """Return header and claims of a token.

    :raises Malformed: with the reason, for anything that is not one.
    """
    if len(token) > LARGEST_TOKEN:
        raise Malformed(f"it has {len(token)} characters, more than {LARGEST_TOKEN}")
    match = _COMPACT.fullmatch(token)
    if not match:
        raise Malformed("it does not consist of three parts in base64url, joined by dots")
    return Parts(_object(match.group(1), "header"), _object(match.group(2), "payload"))


def _object(part: str, name: str) -> Mapping[str, Any]:
    try:
        raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        value = json.loads(raw, object_pairs_hook=_without_duplicates, parse_constant=_no_constant, parse_float=_finite)
        # Half of a surrogate pair, which no file and no result could hold, is a UnicodeEncodeError here.
        json.dumps(value, ensure_ascii=False).encode()
    except Malformed as exc:
        raise Malformed(f"its {name} {exc}") from None
    except (ValueError, RecursionError):
        raise Malformed(f"its {name} is not JSON in base64url") from None
    if not isinstance(value, dict):
        raise Malformed(f"its {name} is not a JSON object")
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _value in pairs]
        raise Malformed(f"has the member {next(name for name in names if names.count(name) > 1)!r:.40} twice")
    return value


def _no_constant(text: str) -> NoReturn:
    raise Malformed(f"holds the number {text}, which JSON does not have")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Malformed("holds a number beyond all bounds")
    return number
