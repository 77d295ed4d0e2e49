# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Instants as integers: 100-nanosecond ticks since 1970-01-01T00:00:00Z.

Both services write up to seven fractional digits; a ``datetime`` holds six, so it would merge instants that differ.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Final

TICKS_PER_SECOND: Final = 10_000_000
MINUTE: Final = 60 * TICKS_PER_SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)
_ISO: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,12}))?)?)?([Zz]|[+-]\d\d:\d\d)?")


def ticks_of(moment: datetime) -> int:
    """Return the ticks of an aware datetime (a naive one is taken as UTC)."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    delta = aware - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * TICKS_PER_SECOND + delta.microseconds * 10


def parse_iso(text: str, *, offset_required: bool = False) -> int:
    """Return the ticks of an ISO 8601 instant; digits beyond the seventh are dropped.

    :raises ValueError: the text is no instant, or has no offset although one is required.
    """
    match = _ISO.fullmatch(text)
    if match is None or (offset_required and not match[8]):
        raise ValueError(f"not an instant: {text!r}")
    year, month, day, hour, minute, second = (int(group or 0) for group in match.groups()[:6])
    whole = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc)
    offset = match[8]
    if offset and offset not in "Zz":
        sign = -1 if offset[0] == "-" else 1
        whole -= sign * timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6]))
    return ticks_of(whole) + int((match[7] or "").ljust(7, "0")[:7])


def iso(ticks: int) -> str:
    """Return the instant as both services write it: UTC, ``Z``, up to seven fractional digits without trailing zeros."""
    seconds, fraction = divmod(ticks, TICKS_PER_SECOND)
    whole = (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]
    return f"{whole}.{fraction:07d}".rstrip("0") + "Z" if fraction else f"{whole}Z"


def iso_or_none(ticks: int | None) -> str | None:
    """Return :func:`iso` of the ticks, or None."""
    return None if ticks is None else iso(ticks)
