# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Where incremental reading goes on: a plain mapping that anyone may keep, as a fact, in a file or in a database.

It names the instant up to which everything was delivered, and the versions that were delivered since some time before
it: what arrives late, within the overlap, is told from what is known by its id and last update. It does not say which
service it came from, since both number and date the same incidents alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import OptionError
from .times import is_instant, shifted

_FORMAT = 1

Version = tuple[str, str]


@dataclass(frozen=True)
class Cursor:
    """How far a tenant's incidents were delivered.

    :param watermark: everything that was last updated up to here was delivered, but for late arrivals; None at first.
    :param seen_from: every version that was delivered and was updated at this instant or later is in `seen`; nothing before it
        is looked for. None for the beginning of time.
    :param seen: (id, last update) of what was delivered.
    """

    tenant_id: str
    watermark: str | None = None
    seen_from: str | None = None
    seen: frozenset[Version] = field(default_factory=frozenset)

    def since(self, overlap: float) -> str | None:
        """Return from which last update on to read, so that late arrivals of `overlap` seconds are met; None for all."""
        if self.watermark is None:
            return self.seen_from
        start = shifted(self.watermark, -overlap)
        return start if self.seen_from is None else max(start, self.seen_from)

    def moved(self, delivered: Iterable[Version], *, since: str | None, watermark: str | None, overlap: float) -> Cursor:
        """Return the cursor after a delivery.

        :param since: from which last update on was read.
        :param watermark: up to which last update everything was delivered; None leaves it where it was.
        """
        reached = max(filter(None, (self.watermark, watermark)), default=None)
        start = since if reached is None else max(filter(None, (since, shifted(reached, -overlap))), default=None)
        seen = frozenset(version for version in (*self.seen, *delivered) if start is None or not version[1] or version[1] >= start)
        return Cursor(tenant_id=self.tenant_id, watermark=reached, seen_from=start, seen=seen)

    def as_dict(self) -> dict[str, Any]:
        """Return the cursor as plain values, the same for the same state."""
        seen: dict[str, list[str]] = {}
        for incident_id, last_update in sorted(self.seen):
            seen.setdefault(incident_id, []).append(last_update)
        return {
            "format": _FORMAT,
            "tenant_id": self.tenant_id,
            "watermark": self.watermark,
            "seen_from": self.seen_from,
            "seen": seen,
        }


def read_cursor(value: Mapping[str, Any], *, tenant_id: str) -> Cursor | None:
    """Return the cursor that `as_dict()` made, None for an empty mapping (a first reading).

    :raises OptionError: for one of another tenant, and for anything else that is no cursor.
    """
    if not value:
        return None
    if value.get("format") != _FORMAT:
        raise _not_a_cursor(f"its format is {value.get('format')!r}, not {_FORMAT}", tenant_id)
    if str(value.get("tenant_id") or "").lower() != tenant_id.lower():
        raise _not_a_cursor(f"it belongs to tenant {value.get('tenant_id')}", tenant_id)
    for key in ("watermark", "seen_from"):
        if value.get(key) is not None and not is_instant(value[key]):
            raise _not_a_cursor(f"its {key} is no instant", tenant_id)
    seen = value.get("seen")
    if not isinstance(seen, Mapping) or not all(isinstance(updates, list) for updates in seen.values()):
        raise _not_a_cursor("it does not say what was delivered", tenant_id)
    versions = frozenset((str(incident_id), str(update)) for incident_id, updates in seen.items() for update in updates)
    return Cursor(tenant_id=tenant_id, watermark=value.get("watermark"), seen_from=value.get("seen_from"), seen=versions)


def _not_a_cursor(why: str, tenant_id: str) -> OptionError:
    return OptionError(
        f"cursor is not one of this tenant: {why}.",
        tenant_id=tenant_id,
        next_step="Give back the cursor of this tenant's last run unchanged, or an empty mapping to begin anew.",
    )
