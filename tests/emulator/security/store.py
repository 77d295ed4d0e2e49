# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The incidents of one tenant: generated ones plus everything that changed since, always sorted by last update."""

from __future__ import annotations

import bisect
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from .dataset import Dataset, dataset
from .model import Alert, Comment, Incident, Version
from .settings import SecuritySettings

Key = tuple[int, int]


class SecurityStore:
    """Incidents and alerts of one tenant.

    Generated records live in a shared :class:`Dataset`; a record that changes is copied here first. Nothing is generated before it is
    asked for. All instants are ticks. Meant for one event loop: no method awaits, so each is atomic.
    """

    __slots__ = (
        "_alert_homes",
        "_alerts",
        "_high_water",
        "_incidents",
        "_keys",
        "_log",
        "_next_id",
        "domain",
        "events",
        "fragments",
        "list_requests",
        "settings",
        "tenant_id",
    )

    def __init__(self, tenant_id: str, domain: str, settings: SecuritySettings) -> None:
        self.tenant_id = tenant_id
        self.domain = domain
        self.settings = settings
        self.fragments: dict[tuple[str, int | str], bytes] = {}
        self.list_requests = 0
        self.events = 0
        self._incidents: dict[int, Incident] = {}
        self._alerts: dict[int, list[Alert]] = {}
        self._alert_homes: dict[str, int] = {}
        self._keys: list[Key] | None = None
        self._log: list[Version] = []
        self._high_water = settings.plan.now
        self._next_id: int | None = None

    # -- reading -----------------------------------------------------------------------------------------------------------------

    @property
    def data(self) -> Dataset:
        """The generated part."""
        return dataset(self.settings.plan)

    def get(self, incident_id: int) -> Incident | None:
        """Return an incident, or None."""
        return self._incidents.get(incident_id) or self.data.incident(incident_id)

    @property
    def keys(self) -> Sequence[Key]:
        """(last update, id) of every incident in ascending order."""
        return self.data.keys if self._keys is None else self._keys

    def newest_first(self) -> Iterator[Incident]:
        """Yield the incidents by last update, the latest first; equal instants by id."""
        data = self.data
        own = self._incidents
        for _unused, incident_id in reversed(self.keys):
            incident = own.get(incident_id) or data.incident(incident_id)
            assert incident is not None, "the keys name existing incidents only"
            yield incident

    def __len__(self) -> int:
        return len(self.keys)

    def is_changed(self, incident_id: int) -> bool:
        """Whether the incident or one of its alerts is no longer (or never was) the generated one."""
        return incident_id in self._incidents or incident_id in self._alerts

    def alerts_of(self, incident_id: int) -> Sequence[Alert]:
        """Return the alerts of an incident."""
        own = self._alerts.get(incident_id)
        return self.data.alerts(incident_id) if own is None else own

    def all_alerts(self) -> Iterator[Alert]:
        """Yield the alerts of every incident, by last update of the incident, the latest first."""
        for incident in self.newest_first():
            yield from self.alerts_of(incident.id)

    def find_alert(self, alert_id: str) -> Alert | None:
        """Return an alert by its id, or None."""
        home = self._alert_homes.get(alert_id) or self.data.incident_of_alert.get(alert_id)
        return None if home is None else next((alert for alert in self.alerts_of(home) if alert.id == alert_id), None)

    def versions(self) -> Iterator[Version]:
        """Yield every version of every incident in the order in which they became visible."""
        now = self.settings.plan.now
        last = 0
        for last, (last_update, incident_id) in enumerate(self.data.keys, start=1):
            incident = self.data.incident(incident_id)
            assert incident is not None, "the keys name existing incidents only"
            yield Version(last, incident_id, 0, last_update, now, incident.status, "generated")
        for version in self._log:
            yield replace(version, sequence=last + version.sequence)

    # -- writing -----------------------------------------------------------------------------------------------------------------

    def stamp(self, now: int) -> int:
        """Return the last update of a change at ``now``: never earlier than any change before it, also when the clock goes back."""
        self._high_water = max(self._high_water, now)
        return self._high_water

    def new_id(self) -> int:
        """Return the next free incident id."""
        if self._next_id is None:
            generator = self.data.generator
            self._next_id = generator.first_id + generator.plan.incidents
        self._next_id += 1
        return self._next_id - 1

    def add(self, incident: Incident, alerts: Iterable[Alert] = (), *, now: int, cause: str = "added") -> Incident:
        """Take in a new incident with the last update it carries, which may lie in the past."""
        if self.get(incident.id) is not None:
            raise ValueError(f"incident {incident.id} exists")
        self._incidents[incident.id] = incident
        bisect.insort(self._own_keys(), (incident.last_update, incident.id))
        self._set_alerts(incident.id, [replace(alert, incident_id=incident.id) for alert in alerts])
        self._record(incident, now=now, cause=cause)
        return incident

    def update(
        self,
        incident_id: int,
        changes: Mapping[str, Any] | None = None,
        *,
        now: int,
        comment: Comment | None = None,
        last_update: int | None = None,
        cause: str = "updated",
    ) -> Incident:
        """Change fields of an incident and its last update.

        :param last_update: an instant of the caller's choice, for an update that arrives late; it must be later than the present one.
        :raises KeyError: no such incident.
        :raises ValueError: ``last_update`` would not move forward.
        """
        incident = self._own(incident_id)
        moment = max(self.stamp(now), incident.last_update + 1) if last_update is None else last_update
        if moment <= incident.last_update:
            raise ValueError(f"incident {incident_id} was updated later than that already")
        keys = self._own_keys()
        del keys[bisect.bisect_left(keys, (incident.last_update, incident_id))]
        comments = [*incident.comments, comment] if comment else incident.comments
        fresh = replace(incident, comments=comments, **(changes or {}))
        fresh.last_update = moment
        fresh.revision = incident.revision + 1
        self._incidents[incident_id] = fresh
        bisect.insort(keys, (moment, incident_id))
        self._forget_fragments(incident_id)
        self._record(fresh, now=now, cause=cause)
        return fresh

    def update_alert(self, alert_id: str, changes: Mapping[str, Any] | None = None, *, now: int, comment: Comment | None = None) -> Alert:
        """Change fields of an alert, its last update, and with it the last update of its incident.

        :raises KeyError: no such alert.
        """
        present = self.find_alert(alert_id)
        if present is None:
            raise KeyError(alert_id)
        alerts = self._own_alerts(present.incident_id)
        moment = max(self.stamp(now), present.last_update + 1)
        comments = [*present.comments, comment] if comment else present.comments
        fresh = replace(present, comments=comments, last_update=moment, **(changes or {}))
        if fresh.status == "resolved" and present.status != "resolved":
            fresh.resolved = moment
        elif fresh.status != "resolved":
            fresh.resolved = None
        alerts[next(place for place, alert in enumerate(alerts) if alert.id == alert_id)] = fresh
        self.update(present.incident_id, now=now, cause="alert updated")
        self._forget_fragments(alert_id)
        return fresh

    def merge(self, incident_ids: Sequence[int], *, now: int, by: str, comment: str | None = None) -> Incident:
        """Merge incidents into the oldest of them: it takes over their alerts, the others are redirected to it.

        :raises KeyError: an incident does not exist.
        """
        target, *sources = sorted(set(incident_ids))
        remark = Comment(comment, by, self.stamp(now)) if comment else None
        for source in sources:
            self._move(self._own_alerts(source), target)
            self._set_alerts(source, [])
            self.update(source, {"status": "redirected", "redirect_id": target, "last_modified_by": by}, now=now, cause="merged away")
        return self.update(target, {"last_modified_by": by}, comment=remark, now=now, cause="merged")

    def move_alerts(self, alert_ids: Sequence[str], target: int | None, *, now: int, by: str, comment: str | None = None) -> Incident:
        """Move alerts to an incident, or to a new one when ``target`` is None.

        :raises KeyError: an alert, or the incident, does not exist.
        """
        alerts = [self.find_alert(alert_id) for alert_id in dict.fromkeys(alert_ids)]
        if None in alerts:
            raise KeyError(alert_ids[alerts.index(None)])
        if target is None:
            target = self._incident_for(alerts, now=now)
        for alert in alerts:
            assert alert is not None, "checked above"
            remaining = [other for other in self._own_alerts(alert.incident_id) if other.id != alert.id]
            self._set_alerts(alert.incident_id, remaining)
            if alert.incident_id != target:
                self.update(alert.incident_id, {"last_modified_by": by}, now=now, cause="alerts moved away")
            self._move([alert], target)
        remark = Comment(comment, by, self.stamp(now)) if comment else None
        return self.update(target, {"last_modified_by": by}, comment=remark, now=now, cause="alerts moved here")

    def replace_settings(self, settings: SecuritySettings) -> None:
        """Use other settings; a change of the generation plan forgets every change made to the data."""
        if settings.plan != self.settings.plan:
            self._incidents, self._alerts, self._alert_homes = {}, {}, {}
            self._keys, self._log, self._next_id = None, [], None
            self._high_water = max(self._high_water, settings.plan.now)
        self.settings = settings
        self.fragments.clear()
        self.events = 0

    # -- inside ------------------------------------------------------------------------------------------------------------------

    def _own_keys(self) -> list[Key]:
        if self._keys is None:
            self._keys = list(self.data.keys)
        return self._keys

    def _own(self, incident_id: int) -> Incident:
        incident = self.get(incident_id)
        if incident is None:
            raise KeyError(incident_id)
        return incident

    def _own_alerts(self, incident_id: int) -> list[Alert]:
        if incident_id not in self._alerts:
            self._own(incident_id)
            self._set_alerts(incident_id, list(self.data.alerts(incident_id)))
        return self._alerts[incident_id]

    def _set_alerts(self, incident_id: int, alerts: list[Alert]) -> None:
        self._alerts[incident_id] = alerts
        self._alert_homes.update((alert.id, incident_id) for alert in alerts)
        self._forget_fragments(incident_id)

    def _move(self, alerts: Iterable[Alert], target: int) -> None:
        moved = [replace(alert, incident_id=target) for alert in alerts]
        self._set_alerts(target, [*self._own_alerts(target), *moved])
        for alert in moved:
            self._forget_fragments(alert.id)

    def _incident_for(self, alerts: Sequence[Alert | None], *, now: int) -> int:
        first = alerts[0]
        assert first is not None, "the caller has found the alerts"
        incident = Incident(
            id=self.new_id(),
            name=first.title,
            description=first.description,
            status="active",
            severity=first.severity,
            classification="unknown",
            determination="unknown",
            assigned_to=None,
            created=self.stamp(now),
            last_update=self.stamp(now),
        )
        return self.add(incident, now=now).id

    def _forget_fragments(self, record_id: int | str) -> None:
        if self.fragments:
            for key in [key for key in self.fragments if key[1] == record_id]:
                del self.fragments[key]

    def _record(self, incident: Incident, *, now: int, cause: str) -> None:
        self._log.append(Version(len(self._log) + 1, incident.id, incident.revision, incident.last_update, now, incident.status, cause))

    def rng(self, part: str, number: int) -> random.Random:
        """Return the randomness of one event of hostile behaviour: the same for the same seed, tenant and event."""
        return random.Random(f"{self.settings.hostile.seed}:{self.tenant_id}:{part}:{number}")
