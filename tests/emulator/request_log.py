# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was asked: one entry per request, without any secret, and counters that are never reset by the ring's size."""

from __future__ import annotations

import re
from collections import Counter, deque
from dataclasses import asdict, dataclass
from typing import Any

_SECRET_PARAMETERS = re.compile(
    r"(?i)(?<![A-Za-z0-9_])(client_secret|client_assertion|code|access_token|id_token|refresh_token|device_code|assertion|password|code_verifier)=[^&]*"
)
_GUID_PATH = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")


@dataclass(slots=True)
class Entry:
    """One request. Sizes are in bytes, `duration` in seconds, `time` is the emulated moment."""

    number: int
    time: str
    family: str
    operation: str
    method: str
    path: str
    query: str
    status: int
    tenant_id: str | None
    client_id: str | None
    credential: str | None
    error: str | None
    fault: str | None
    grant: str | None
    resource: str | None
    request_bytes: int
    response_bytes: int
    duration: float
    request_id: str
    user_agent: str


def redact_query(query: str) -> str:
    """The query string without the values of parameters that carry secrets."""
    return _SECRET_PARAMETERS.sub(lambda found: f"{found.group(1)}=***", query)


def path_shape(path: str) -> str:
    """The path with every GUID replaced by `{id}`."""
    return _GUID_PATH.sub("{id}", path)


class RequestLog:
    """A ring of the newest entries, and counters since the last reset."""

    def __init__(self, size: int = 50_000) -> None:
        self.entries: deque[Entry] = deque(maxlen=size)
        self._number = 0
        self.reset()

    def reset(self) -> None:
        """Forget entries and counters; numbers go on."""
        self.entries.clear()
        self.families: Counter[str] = Counter()
        self.operations: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.tokens: Counter[str] = Counter()

    def next_number(self) -> int:
        """The number of the next entry."""
        self._number += 1
        return self._number

    def add(self, entry: Entry) -> None:
        """Keep and count an entry. The admin API does not count itself."""
        self.entries.append(entry)
        self.families[entry.family] += 1
        self.operations[f"{entry.family}.{entry.operation or path_shape(entry.path)}"] += 1
        self.statuses[f"{entry.family}.{entry.status}"] += 1
        if entry.operation == "token" and entry.status == 200:
            self.tokens[entry.tenant_id or ""] += 1

    def counters(self) -> dict[str, Any]:
        """All counters, plain."""
        return {
            "total": sum(self.families.values()),
            "families": dict(self.families),
            "operations": dict(self.operations),
            "statuses": dict(self.statuses),
            "tokens_issued": sum(self.tokens.values()),
            "tokens_by_tenant": dict(self.tokens),
        }

    def select(self, **wanted: str) -> list[dict[str, Any]]:
        """Entries whose members equal `wanted`; `path` is a regular expression, `since` a number that is left out."""
        since = int(wanted.pop("since", "0") or 0)
        limit = int(wanted.pop("limit", "0") or 0)
        path = re.compile(wanted.pop("path", "") or "")
        found = [asdict(entry) for entry in self.entries if entry.number > since and path.search(entry.path)]
        found = [entry for entry in found if all(str(entry.get(name)) == value for name, value in wanted.items())]
        return found[-limit:] if limit else found
