# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one neutral record behind both APIs.

Enumerations use Graph's members, instants are ticks (see ``times``). A record knows neither JSON shape, nor its tenant: where a text needs
the tenant it holds a mark that rendering replaces, so that tenants can share generated data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

# Replaced in every rendered answer by the tenant's GUID and domain.
TENANT_MARK: Final = "f00df00d-0000-4000-8000-00000000f00d"
DOMAIN_MARK: Final = "domain-mark.invalid"


@dataclass(slots=True)
class Comment:
    """A remark of an analyst or of a product."""

    text: str
    created_by: str
    created: int


@dataclass(slots=True)
class Evidence:
    """One item an alert points at; ``kind`` is the x of Graph's ``#microsoft.graph.security.<x>Evidence``."""

    kind: str
    created: int
    verdict: str
    remediation: str
    remediation_details: str | None
    roles: tuple[str, ...]
    detailed_roles: tuple[str, ...]
    tags: tuple[str, ...]
    data: dict[str, Any]


@dataclass(slots=True)
class Alert:
    """One alert; it belongs to the incident under which the store keeps it."""

    id: str
    provider_alert_id: str
    incident_id: int
    status: str
    severity: str
    classification: str
    determination: str
    service_source: str
    product_name: str
    detection_source: str
    detector_id: str
    title: str
    description: str
    recommended_actions: str
    category: str
    assigned_to: str | None
    actor: str | None
    threat_display_name: str | None
    threat_family: str | None
    techniques: tuple[str, ...]
    created: int
    last_update: int
    resolved: int | None
    first_activity: int
    last_activity: int
    investigation_state: str
    investigation_id: int | None
    alert_policy_id: str | None
    system_tags: tuple[str, ...]
    additional_data: dict[str, Any] | None
    custom_details: dict[str, Any] | None
    old_source_name: bool
    comments: list[Comment] = field(default_factory=list)
    evidence: tuple[Evidence, ...] = ()


@dataclass(slots=True)
class Incident:
    """One incident without its alerts, which the store hands out by incident id.

    ``revision`` is 0 for a generated record and grows with every change: with the id it names a version.
    """

    id: int
    name: str
    description: str
    status: str
    severity: str
    classification: str
    determination: str
    assigned_to: str | None
    created: int
    last_update: int
    redirect_id: int | None = None
    tags: tuple[str, ...] = ()
    system_tags: tuple[str, ...] = ()
    comments: list[Comment] = field(default_factory=list)
    resolving_comment: str | None = None
    last_modified_by: str | None = None
    priority_score: int | None = None
    summary: str | None = None
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Version:
    """A state of an incident that a reader may see: what a reference model counts.

    ``sequence`` orders the versions of a tenant as they became visible, ``recorded`` says when (ticks of the cloud's clock);
    ``last_update`` may lie before it: then the version arrived late.
    """

    sequence: int
    incident_id: int
    revision: int
    last_update: int
    recorded: int
    status: str
    cause: str
