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
from .schema import Place, normalise_incident


@dataclass
class ReadReport:
    """What may be missing from what was read: nothing, as long as there are no reasons."""

    reasons: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether everything that was asked for was read."""
        return not self.reasons

    @property
    def reason(self) -> str | None:
        """Why not everything was read, or None."""
        return "; ".join(self.reasons) or None

    def lacks(self, reason: str) -> None:
        """Note that something is missing; the same reason is noted once."""
        if reason not in self.reasons:
            self.reasons.append(reason)


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
        alerts_known = incident["alerts"] is not None
        if not self.plan.accepts(incident, alerts_known=alerts_known):
            return None
        if self.source.wants_alerts and not alerts_known:
            found, missing = self.source.completed(source)
            if missing:
                self.report.lacks(missing)
            incident = self._normalised(found)
            if not self.plan.accepts(incident):
                return None
        if not self.include_alerts:
            incident["alerts"] = None
        return incident

    def _normalised(self, source: Mapping[str, Any]) -> dict[str, Any]:
        return normalise_incident(source, place=self.place, with_alerts=self.source.wants_alerts, raw=self.raw)
