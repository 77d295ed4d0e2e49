# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Alerts with incidents, from a service that chokes on them: ask for less until it answers, and remember what worked.

`$expand=alerts` answers 500 or 504, for ever, where a page of incidents has too many alerts. So a failed page is asked for
once more, then in smaller pages, then without alerts, which are then read incident by incident. What a tenant can take is
remembered for the process, and for all processes of a run where they share a directory.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from ..errors import NotFound, ServiceError
from .pages import OVERLOAD_STATUS, Backend, IncidentPage, ServerQuery, Trail, pages
from .schema import version_of

T = TypeVar("T")

# Incidents per page with alerts, step by step; after the last, alerts are read incident by incident.
EXPANSION_STEPS = (50, 10)
PER_INCIDENT = len(EXPANSION_STEPS)

_STEP_OF_TENANT: dict[str, int] = {}


class ExpansionMemory:
    """What the tenants of this process, and of this run, can take.

    :param directory: a directory that the processes of a run share, or None.
    """

    def __init__(self, directory: str | None = None) -> None:
        self._directory = directory

    def step(self, key: str) -> int:
        """Return the step to begin with; `PER_INCIDENT` says: not expanded."""
        known = _STEP_OF_TENANT.get(key)
        if known is None:
            known = _STEP_OF_TENANT[key] = self._stored(key)
        return known

    def remember(self, key: str, step: int) -> None:
        """Begin with `step` from now on."""
        _STEP_OF_TENANT[key] = step
        if self._directory is None:
            return
        try:
            with open(self._path(key), "w", encoding="ascii", opener=_private) as file:
                file.write(str(step))
        except OSError:
            # A hint only: a process that does not find it learns it anew.
            return

    def _stored(self, key: str) -> int:
        if self._directory is None:
            return 0
        try:
            with open(self._path(key), encoding="ascii") as file:
                return min(PER_INCIDENT, max(0, int(file.read(8))))
        except (OSError, ValueError):
            return 0

    def _path(self, key: str) -> str:
        return os.path.join(self._directory or "", f"expansion-{hashlib.sha256(key.encode()).hexdigest()[:32]}")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def forget_expansions() -> None:
    """Forget what the tenants of this process can take, as a new process would."""
    _STEP_OF_TENANT.clear()


class AdaptivePages:
    """The pages of a backend, with alerts where they are wanted.

    :param wants_alerts: whether incidents come with their alerts.
    :param memory: what earlier reads found out about the tenant.
    """

    def __init__(self, backend: Backend, *, wants_alerts: bool, memory: ExpansionMemory | None = None) -> None:
        self.backend = backend
        self.wants_alerts = wants_alerts
        self._memory = memory or ExpansionMemory()
        self._key = f"{backend.client.base_url} {backend.client.tenant_id}"

    def pages(self, query: ServerQuery, *, top: int) -> Iterator[IncidentPage]:
        """Yield the pages of `query`, each fetched when it is asked for; incidents may lack alerts, see `completed()`."""
        if self.backend.alerts_inline or not self.wants_alerts:
            yield from pages(self.backend, query, top=top)
            return
        consumed = 0
        target: str | None = None
        trail = Trail(self.backend.client.tenant_id)
        while True:
            step = self._memory.step(self._key)
            expanded = step < PER_INCIDENT
            size = min(top, EXPANSION_STEPS[step]) if expanded else top
            target = target or self.backend.target(replace(query, expand_alerts=expanded), top=size, skip=consumed)
            trail.enter(target)
            page = self._page(target, size, expanded=expanded)
            if page is None:
                self._memory.remember(self._key, step + 1)
                target = None
                continue
            trail.leave(page.incidents, page.next_target)
            yield page
            consumed += len(page.incidents)
            target = page.next_target
            if target is None:
                return

    def completed(self, source: Mapping[str, Any]) -> tuple[Mapping[str, Any], str | None]:
        """Return an incident with its alerts, read by itself, and None; as it was, and what is missing, where that failed."""
        incident_id = version_of(source)[0]
        try:
            answer = _twice(lambda: self.backend.incident(incident_id, expand_alerts=True, fragile=True))
        except NotFound:
            answer = None
        if answer is None:
            return source, f"the service did not give the alerts of incident {incident_id}"
        found, warnings = answer
        return found, "; ".join(warnings) or None

    def one(self, incident_id: str) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Return one incident and the service's warnings; without alerts where the service is overloaded by them.

        :raises NotFound: where there is no such incident.
        """
        if self.wants_alerts and not self.backend.alerts_inline:
            answer = _twice(lambda: self.backend.incident(incident_id, expand_alerts=True, fragile=True))
            if answer is not None:
                return answer
        return self.backend.incident(incident_id, expand_alerts=False)

    def _page(self, target: str, size: int, *, expanded: bool) -> IncidentPage | None:
        """Return the page, or None where the service is overloaded by it."""
        if not expanded:
            return self.backend.fetch(target, top=size)
        return _twice(lambda: self.backend.fetch(target, top=size, fragile=True))


def _twice(attempt: Callable[[], T]) -> T | None:
    """Return what `attempt` returns, at its second try at the latest; None where the service was overloaded both times."""
    for _try in range(2):
        try:
            return attempt()
        except ServiceError as error:
            if error.http_status not in OVERLOAD_STATUS:
                raise
    return None
