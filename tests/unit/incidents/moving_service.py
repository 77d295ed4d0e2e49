# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small service whose incidents move while they are read, and that counts what it showed.

It stands where a socket would be opened, so all of the reading code is the real one. It knows pages, time filters and the
order of either service, nothing else. Everything is drawn from one seed.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ansible_collections.m365d.partner.plugins.module_utils._core.incidents import times
from unit.incidents.support import defender_incident, graph_incident

START = "2026-01-01T00:00:00.0000000Z"
_NAMES = {
    "lastUpdateDateTime": "updated",
    "lastUpdateTime": "updated",
    "createdDateTime": "created",
    "createdTime": "created",
    "status": "status",
}


class Crash(Exception):
    """The reader's process ends in the middle of a reading."""


@lru_cache(maxsize=100_000)
def instant(seconds: float) -> str:
    """Return the instant so many seconds after the start."""
    return times.shifted(START, seconds)


@dataclass
class Behaviour:
    """What may happen; numbers are means per answer, probabilities 0 to 1. After `event_limit` events a reader can catch up."""

    updates: float = 0.0
    adds: float = 0.0
    late: float = 0.0
    late_seconds: float = 60.0
    same_tick: float = 0.0
    crash: float = 0.0
    partial: float = 0.0
    order: str = "updated"
    """By which member of an incident the service sorts where it is not told, the largest first."""
    shuffle_ties: bool = False
    leaves: float = 0.0
    """How likely an update closes an incident, or opens it again."""
    event_limit: int = 60


@dataclass
class Kept:
    """One incident; instants are seconds since the start."""

    number: int
    created: float
    updated: float
    status: str = "active"


@dataclass
class MovingService:
    """Plays either service."""

    api: str
    rng: random.Random
    behaviour: Behaviour
    page_size: int = 3
    links: bool = False
    """Whether the Defender API sends next links, as Graph always does."""
    clock: float = 1000.0
    incidents: dict[int, Kept] = field(default_factory=dict)
    versions: set[tuple[str, str]] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    quiet: bool = False
    events: int = 0
    left: set[str] = field(default_factory=set)
    """The incidents that were not active at some time."""

    def add(self, *, updated: float, created: float | None = None) -> None:
        """Add an incident."""
        number = len(self.incidents) + 1
        self.incidents[number] = Kept(number, updated if created is None else created, updated)
        self._record(self.incidents[number])

    @property
    def newest(self) -> float:
        """The latest last update, in seconds since the start."""
        return max((kept.updated for kept in self.incidents.values()), default=0.0)

    def latest_versions(self) -> set[tuple[str, str]]:
        """The present version of each incident."""
        return {self.version(kept) for kept in self.incidents.values()}

    def version(self, kept: Kept) -> tuple[str, str]:
        """What tells this version of an incident from another."""
        return str(kept.number), instant(kept.updated)

    def request(self, method: str, url: str, **_options: Any) -> _Streamed:
        """Answer one request, then let things happen."""
        self.requests.append(url)
        if not self.quiet and self.rng.random() < self.behaviour.crash:
            raise Crash
        answer = self._answer(url)
        if not self.quiet:
            self._happen()
        return answer

    def _answer(self, url: str) -> _Streamed:
        options = {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
        matching = [kept for kept in self._ordered(options.get("$orderby")) if _matches(kept, options.get("$filter"))]
        skip, top = int(options.get("$skip", 0)), min(int(options.get("$top", self.page_size)), self.page_size)
        shown = matching[skip : skip + top]
        body: dict[str, Any] = {"value": [self._render(kept) for kept in shown]}
        if (self.api == "graph" or self.links) and len(matching) > skip + top:
            rest = re.sub(r"[?&]\$skip=\d+", "", url)
            body["@odata.nextLink"] = f"{rest}&$skip={skip + top}"
        if options.get("$count"):
            body["@odata.count"] = len(matching)
        status = 206 if not self.quiet and self.rng.random() < self.behaviour.partial else 200
        return _Streamed(status, json.dumps(body).encode())

    def _ordered(self, order: str | None) -> list[Kept]:
        attribute, descending = self.behaviour.order, True
        if order:
            attribute, descending = _NAMES[order.split()[0]], order.endswith("desc")
        found = list(self.incidents.values())
        if self.behaviour.shuffle_ties:
            self.rng.shuffle(found)
        return sorted(found, key=lambda kept: getattr(kept, attribute), reverse=descending)

    def _render(self, kept: Kept) -> dict[str, Any]:
        created, updated = instant(kept.created), instant(kept.updated)
        if self.api == "graph":
            return graph_incident(kept.number, updated=updated, createdDateTime=created, status=kept.status)
        return defender_incident(kept.number, updated=updated, createdTime=created, status=kept.status.capitalize())

    def _happen(self) -> None:
        self.clock += self.rng.random()
        for mean, event in (
            (self.behaviour.updates, self._update),
            (self.behaviour.adds, self._add),
            (self.behaviour.late, self._arrive_late),
        ):
            for _event in range(int(mean) + (self.rng.random() < mean % 1)):
                if self.events < self.behaviour.event_limit:
                    self.events += 1
                    event()

    def _update(self) -> None:
        if self.incidents:
            self._move(self.rng.choice(list(self.incidents.values())), self._moment())

    def _add(self) -> None:
        self.add(updated=self._moment())

    def _arrive_late(self) -> None:
        self.clock = max(self.clock, self.newest)
        moment = max(0.0, round(self.clock - self.rng.random() * self.behaviour.late_seconds, 7))
        chosen = self.rng.choice(list(self.incidents.values())) if self.incidents and self.rng.random() < 0.5 else None
        if chosen is not None and chosen.updated < moment:
            self._move(chosen, moment)
        else:
            self.add(updated=moment)

    def _moment(self) -> float:
        """The present, never before anything that happened; sometimes the very instant of the newest."""
        self.clock = max(self.clock, self.newest + 0.0000001)
        return self.newest if self.rng.random() < self.behaviour.same_tick else round(self.clock, 7)

    def _move(self, kept: Kept, moment: float) -> None:
        if moment > kept.updated:
            kept.updated = moment
            if self.rng.random() < self.behaviour.leaves:
                kept.status = "resolved" if kept.status == "active" else "active"
                self.left.add(str(kept.number))
            self._record(kept)

    def _record(self, kept: Kept) -> None:
        self.versions.add(self.version(kept))


def _matches(kept: Kept, odata: str | None) -> bool:
    """Whether an incident passes a filter: clauses that `and` joins, of which one in parentheses holds some that `or` joins."""
    return not odata or all(
        any(_passes(kept, test) for test in clause.strip("()").split(" or ")) for clause in re.split(r" and (?![^(]*\))", odata)
    )


def _passes(kept: Kept, test: str) -> bool:
    name, operator, bound = test.split()
    if name == "status":
        assert operator == "eq"
        return kept.status == bound.strip("'").lower()
    value = instant(getattr(kept, _NAMES[name]))
    return {"ge": value >= bound, "gt": value > bound, "lt": value < bound, "le": value <= bound}[operator]


@dataclass
class _Streamed:
    status_code: int
    content: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})

    def iter_content(self, size: int) -> Iterator[bytes]:
        for start in range(0, len(self.content), size):
            yield self.content[start : start + size]

    def __enter__(self) -> _Streamed:
        return self

    def __exit__(self, *_exc: object) -> None:
        return None
