# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generates the incidents and alerts of a tenant: deterministic from a seed, and record by record, so that nothing needs to be kept."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from . import catalog, vocabulary
from .catalog import STORIES, AlertTemplate
from .model import Alert, Comment, Incident
from .population import Population, begin_scene, guid, make_evidence, populate
from .times import DAY, HOUR, MINUTE, TICKS_PER_SECOND

_SEVERITIES: Final = ("high", "medium", "low", "medium", "informational", "high", "low", "unknown", "medium", "informational")
_STATUSES: Final = ("active", "resolved", "inProgress", "active", "resolved", "active", "inProgress")
_RESOLVED_AS: Final = (
    ("truePositive", "malware"),
    ("informationalExpectedActivity", "securityTesting"),
    ("falsePositive", "notMalicious"),
    ("truePositive", "phishing"),
    ("falsePositive", "notEnoughDataToValidate"),
    ("informationalExpectedActivity", "confirmedActivity"),
    ("truePositive", "compromisedAccount"),
    ("informationalExpectedActivity", "lineOfBusinessApplication"),
    ("truePositive", "multiStagedAttack"),
    ("falsePositive", "other"),
    ("truePositive", "maliciousUserActivity"),
    ("truePositive", "unwantedSoftware"),
)
# Withdrawn in 2022, still found on old incidents.
_LEGACY_DETERMINATIONS: Final = {19: "apt", 39: "securityPersonnel"}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to generate; equal plans give equal data.

    :ivar seed: any text; the same text gives the same data.
    :ivar now: ticks; every instant lies before it.
    :ivar days: how far back the oldest incident was created.
    :ivar same_timestamp: that many of the newest incidents share one instant of last update.
    :ivar redirected: whether some incidents are merged into others, one of them over two hops.
    :ivar unknown_members: whether enumeration members beyond ``unknownFutureValue`` occur.
    """

    seed: str
    now: int
    incidents: int = 20
    alerts_min: int = 2
    alerts_max: int = 2
    comments: bool = True
    days: float = 29.0
    same_timestamp: int = 0
    redirected: bool = True
    unknown_members: bool = True


class Generator:
    """Answers "what is incident number n, and what are its alerts" for one plan. Numbers run from 0, the oldest."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._known_times: dict[int, tuple[int, int]] = {}
        self.first_id = 1_000 + random.Random(f"{plan.seed}:first").randrange(9_000)

    @cached_property
    def population(self) -> Population:
        """The tenant's users, devices and apps."""
        return populate(self.plan.seed, now=self.plan.now)

    def number_of(self, incident_id: int) -> int | None:
        """Return the number of a generated incident, or None if the id is not one of them."""
        number = incident_id - self.first_id
        return number if 0 <= number < self.plan.incidents else None

    def incidents(self) -> Iterator[Incident]:
        """Yield every incident, oldest first."""
        for number in range(self.plan.incidents):
            yield self.incident(number)

    def _rng(self, part: str, number: int) -> random.Random:
        return random.Random(f"{self.plan.seed}:{part}:{number}")

    def _times(self, number: int) -> tuple[int, int]:
        """Creation and last update of an incident, before equal timestamps are arranged."""
        if number not in self._known_times:
            self._known_times[number] = self._drawn_times(number)
        return self._known_times[number]

    def _drawn_times(self, number: int) -> tuple[int, int]:
        plan = self.plan
        rng = self._rng("times", number)
        slot = int(plan.days * DAY) // max(plan.incidents, 1)
        created = plan.now - (plan.incidents - number) * slot + int(rng.random() * slot * 0.5)
        created -= created % 10 ** rng.choice((0, 0, 0, 1, 4, 7))  # Instants with fewer digits, or none, occur as well.
        ceiling = max(plan.now - created - MINUTE, TICKS_PER_SECOND)
        return created, created + int(rng.random() ** 3 * min(ceiling, 3 * DAY)) + 1

    def _timestamp_leader(self, number: int) -> int:
        """The incident whose last update this one shares: itself, unless it belongs to a group of equal timestamps."""
        last = self.plan.incidents - 1
        if last - number < self.plan.same_timestamp:
            return last
        return min(number - number % 10 + 5, last) if number % 10 in (3, 4) else number

    def _redirect(self, number: int) -> int | None:
        """The number of the incident into which this one was merged."""
        return number - 1 if self.plan.redirected and (number % 10 == 7 or number % 20 == 8) else None

    def _merged_into(self, number: int) -> list[int]:
        """The numbers of the incidents that were merged into this one, over any number of hops."""
        found: list[int] = []
        candidate = number + 1
        while candidate < self.plan.incidents and self._redirect(candidate) is not None:
            found.append(candidate)
            candidate += 1
        return found if self._redirect(number) is None else []

    def incident(self, number: int) -> Incident:
        """Return incident ``number`` as it was generated."""
        plan = self.plan
        rng = self._rng("incident", number)
        created, _unused = self._times(number)
        last_update = self._times(self._timestamp_leader(number))[1]
        story = STORIES[(number + self.first_id) % len(STORIES)]
        redirect = self._redirect(number)
        status = "redirected" if redirect is not None else _STATUSES[number % len(_STATUSES)]
        if plan.unknown_members and number % 20 == 11:
            status = "awaitingAction"
        classification, determination = self._verdict(number, status)
        resolved = status == "resolved"
        analyst = rng.choice(catalog.ANALYSTS)
        return Incident(
            id=self.first_id + number,
            name=story.title,
            description=story.alerts[0].description,
            status=status,
            severity=_SEVERITIES[number % len(_SEVERITIES)],
            classification=classification,
            determination=determination,
            assigned_to=analyst if status in ("resolved", "inProgress") or rng.random() < 0.2 else None,
            created=created,
            last_update=last_update,
            redirect_id=None if redirect is None else self.first_id + redirect,
            tags=tuple(rng.sample(catalog.TAGS, rng.choice((0, 0, 1, 2)))),
            system_tags=(catalog.SYSTEM_TAGS[number % 3],) if number % 6 == 2 else (),
            comments=self._comments(rng, analyst, created, last_update),
            resolving_comment="Resolved after review." if resolved and number % 2 else None,
            last_modified_by=analyst if resolved else "Microsoft 365 Defender-AlertCorrelation",
            priority_score=rng.randrange(101) if number % 4 else None,
            summary=f"{story.title}. Generated for tests." if number % 5 == 0 else None,
        )

    def _verdict(self, number: int, status: str) -> tuple[str, str]:
        legacy = _LEGACY_DETERMINATIONS.get(number % 40)
        if legacy is not None:
            return "truePositive", legacy
        if status in ("resolved", "inProgress"):
            return _RESOLVED_AS[(number // 2) % len(_RESOLVED_AS)]
        return "unknown", "unknown"

    def _comments(self, rng: random.Random, author: str, created: int, last_update: int) -> list[Comment]:
        if not self.plan.comments:
            return []
        moments = sorted(rng.randint(created, last_update) for _unused in range(rng.choice((0, 0, 1, 2))))
        return [Comment(rng.choice(catalog.COMMENTS), author, moment) for moment in moments]

    def alerts(self, number: int, owner: Incident | None = None) -> list[Alert]:
        """Return the alerts of incident ``number``; those of a merged incident belong to the one it was merged into.

        :param owner: incident ``number``, when the caller has it already.
        """
        if self._redirect(number) is not None:
            return []
        owner = owner or self.incident(number)
        own = self._alerts_born_in(number, owner)
        merged = [alert for other in self._merged_into(number) for alert in self._alerts_born_in(other, owner)]
        return own + merged

    def _alerts_born_in(self, number: int, owner: Incident) -> list[Alert]:
        rng = self._rng("alerts", number)
        story = STORIES[(number + self.first_id) % len(STORIES)]
        count = rng.randint(self.plan.alerts_min, self.plan.alerts_max)
        created = self._times(number)[0]
        return [
            self._alert(rng, story.alerts[index % len(story.alerts)], owner, created=created, number=number * self.plan.alerts_max + index)
            for index in range(count)
        ]

    def _alert(self, rng: random.Random, template: AlertTemplate, owner: Incident, *, created: int, number: int) -> Alert:
        plan = self.plan
        moment = created - rng.randrange(10 * MINUTE)
        serial = f"{rng.getrandbits(60) % 10**18:018d}_{rng.randrange(-(2**31), 2**31)}"
        last_update = min(moment + rng.randrange(2 * HOUR), plan.now - TICKS_PER_SECOND)
        resolved = owner.status == "resolved" or number % 5 == 4
        scene = begin_scene(rng, self.population, time=moment, number=number)
        threat = template.threat
        return Alert(
            id=f"{template.prefix}{serial}",
            provider_alert_id=serial,
            incident_id=owner.id,
            status="resolved" if resolved else ("new", "inProgress", "new", "unknown")[number % 4],
            severity=owner.severity if number % 2 == 0 else _SEVERITIES[number % len(_SEVERITIES)],
            classification=owner.classification,
            determination=owner.determination,
            service_source=template.service_source,
            product_name=template.product_name,
            detection_source=self._detection(template, number),
            detector_id=guid(rng),
            title=template.title,
            description=template.description,
            recommended_actions="1. Validate the alert.\n2. Scope the incident.\n3. Contain and remediate.",
            category=template.category,
            assigned_to=owner.assigned_to,
            actor=template.actor,
            threat_display_name=None if threat is None else threat[0],
            threat_family=None if threat is None else threat[1],
            techniques=template.techniques,
            created=moment,
            last_update=last_update,
            resolved=last_update if resolved else None,
            first_activity=moment - rng.randrange(1, HOUR),
            last_activity=moment - rng.randrange(1, MINUTE),
            investigation_state=vocabulary.INVESTIGATION_STATES[number % (len(vocabulary.INVESTIGATION_STATES) - 1)],
            investigation_id=rng.randrange(1, 5_000) if number % 3 == 0 else None,
            alert_policy_id=guid(rng) if template.prefix in ("dl", "fa") else None,
            system_tags=owner.system_tags,
            additional_data={"EventType": template.category, "Score": number % 100} if number % 4 == 1 else None,
            custom_details={"RuleOwner": "detections"} if "custom" in template.detections[0] else None,
            old_source_name=number % 2 == 0,
            comments=[Comment("Seen on another device too.", "Automation", last_update)] if plan.comments and number % 7 == 3 else [],
            evidence=tuple(make_evidence(scene, kind, unknown_members=plan.unknown_members) for kind in template.evidence),
        )

    def _detection(self, template: AlertTemplate, number: int) -> str:
        hidden = vocabulary.hidden_members(vocabulary.DETECTION_SOURCES)
        choices = template.detections
        if not self.plan.unknown_members:
            choices = tuple(member for member in choices if member not in hidden) or ("microsoft365Defender",)
        rounds = number // (max(self.plan.alerts_max, 1) * len(STORIES))  # How often this story was told before.
        return choices[rounds % len(choices)]
