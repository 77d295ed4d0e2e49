# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""From what a service sent to what is delivered: normalised, filtered, with alerts where they are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .expansion import AdaptivePages
from .query import Plan
from .schema import Place, malformed_in, normalise_incident

_MOST_NAMED = 5


@dataclass
class ReadReport:
    """What may be missing from what was read: nothing, as long as there are no reasons."""

    reasons: list[str] = field(default_factory=list)
    _left_out: dict[str, int] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether everything that was asked for was read."""
        return self.reason is None

    @property
    def reason(self) -> str | None:
        """Why not everything was read, or None."""
        return "; ".join([*self.reasons, *self._malformed]) or None

    @property
    def _malformed(self) -> list[str]:
        if not self._left_out:
            return []
        counted = "1 alert or piece of evidence that is" if self.left_out == 1 else f"{self.left_out} alerts or pieces of evidence that are"
        named = ", ".join(sorted(self._left_out)[:_MOST_NAMED]) + (" and others" if len(self._left_out) > _MOST_NAMED else "")
        return [f"the service sent {counted} no object and had to be left out, in {named}"]

    @property
    def left_out(self) -> int:
        """How many alerts and pieces of evidence were malformed."""
        return sum(self._left_out.values())

    def lacks(self, reason: str) -> None:
        """Note that something is missing; the same reason is noted once."""
        if reason not in self.reasons:
            self.reasons.append(reason)

    def leaves_out(self, owner: str, count: int) -> None:
        """Note that so many alerts or pieces of evidence of one incident or alert could not be read."""
        if count:
            self._left_out[owner] = count


@dataclass(frozen=True)
class Intake:
    """Takes the incidents of pages in.

    :param plan: its local filters decide what passes.
    :param include_alerts: whether what is delivered holds alerts.
    :param raw: whether what is delivered holds the service's own object.
    """

    source: AdaptivePages
    plan: Plan
    place: Place
    include_alerts: bool
    raw: bool
    report: ReadReport

    def take(self, source: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the normalised incident, or None where a filter keeps it out."""
        incident = self._normalised(source)
        if not self.plan.accepts(incident, alerts_known=False):
            return None
        if self.source.wants_alerts:
            incident = self._with_alerts(source, incident)
        if not self.plan.accepts(incident):
            return None
        if not self.include_alerts:
            incident["alerts"] = None
        return incident

    def _with_alerts(self, source: Mapping[str, Any], incident: dict[str, Any]) -> dict[str, Any]:
        """Return the incident with its alerts, read by itself where they did not come along; notes what is missing of them."""
        if incident["alerts"] is None:
            source, missing = self.source.completed(source)
            if missing:
                self.report.lacks(missing)
            incident = self._normalised(source)
            if incident["alerts"] is None and not missing:
                self.report.lacks(f"the service did not give the alerts of incident {incident['id']}")
        self.report.leaves_out(f"incident {incident['id']}", malformed_in(source, "alerts"))
        return incident

    def _normalised(self, source: Mapping[str, Any]) -> dict[str, Any]:
        return normalise_incident(source, place=self.place, with_alerts=self.source.wants_alerts, raw=self.raw)
