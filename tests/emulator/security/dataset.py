# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated data, kept only while they are in use: a data set is a pure function of its plan and can be made again at any time."""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property
from typing import Final

from .generator import Generator, Plan
from .model import Alert, Incident

# Incidents held in memory over all tenants, with their alerts and rendered forms about 30 KB each.
_BUDGET: Final = 4_000


class Dataset:
    """The generated records of one plan. They are shared and must not be changed."""

    def __init__(self, plan: Plan) -> None:
        self.generator = Generator(plan)
        self.fragments: dict[tuple[str, int | str], bytes] = {}
        self._alerts: dict[int, tuple[Alert, ...]] = {}

    @cached_property
    def incidents(self) -> tuple[Incident, ...]:
        """Every incident, oldest first."""
        return tuple(self.generator.incidents())

    @cached_property
    def keys(self) -> tuple[tuple[int, int], ...]:
        """(last update, id) of every incident in ascending order."""
        return tuple(sorted((incident.last_update, incident.id) for incident in self.incidents))

    def incident(self, incident_id: int) -> Incident | None:
        """Return a generated incident, or None."""
        number = self.generator.number_of(incident_id)
        return None if number is None else self.incidents[number]

    def alerts(self, incident_id: int) -> tuple[Alert, ...]:
        """Return the generated alerts of a generated incident."""
        if incident_id not in self._alerts:
            number = self.generator.number_of(incident_id)
            self._alerts[incident_id] = () if number is None else tuple(self.generator.alerts(number, self.incidents[number]))
        return self._alerts[incident_id]

    @cached_property
    def incident_of_alert(self) -> dict[str, int]:
        """The incident of every generated alert."""
        return {alert.id: incident.id for incident in self.incidents for alert in self.alerts(incident.id)}


_cache: OrderedDict[Plan, Dataset] = OrderedDict()
_held = 0


def dataset(plan: Plan) -> Dataset:
    """Return the data set of ``plan``; the ones unused for longest make room when many are asked for."""
    global _held
    found = _cache.get(plan)
    if found is not None:
        _cache.move_to_end(plan)
        return found
    found = _cache[plan] = Dataset(plan)
    _held += plan.incidents
    while _held > _BUDGET and len(_cache) > 1:
        dropped, _unused = _cache.popitem(last=False)
        _held -= dropped.incidents
    return found
