# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What a tenant still lacks before the Defender XDR API can be left for Microsoft Graph.

The permissions of Microsoft Graph belong to another resource: a customer has to consent again, even for the same app.
Microsoft retires the Defender XDR API on 2027-02-01 (message centre MC1220762).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from .clouds import MICROSOFT_GRAPH, MICROSOFT_THREAT_PROTECTION

Status = Literal["ready", "consent_needed", "nothing_to_migrate", "unknown"]

# Source: the permissions sections of both APIs' pages. What may write may read too.
REPLACEMENTS: Mapping[str, str] = {
    f"{MICROSOFT_THREAT_PROTECTION}/Incident.Read.All": f"{MICROSOFT_GRAPH}/SecurityIncident.Read.All",
    f"{MICROSOFT_THREAT_PROTECTION}/Incident.ReadWrite.All": f"{MICROSOFT_GRAPH}/SecurityIncident.ReadWrite.All",
    f"{MICROSOFT_THREAT_PROTECTION}/AdvancedHunting.Read.All": f"{MICROSOFT_GRAPH}/ThreatHunting.Read.All",
}
_IMPLIES: Mapping[str, str] = {f"{MICROSOFT_GRAPH}/SecurityIncident.ReadWrite.All": f"{MICROSOFT_GRAPH}/SecurityIncident.Read.All"}
# The service has not answered for certain what was granted.
_UNCERTAIN = frozenset({"unreachable", "credential_error", "unknown_tenant", "blocked"})


@dataclass(frozen=True)
class MigrationPlan:
    """What one tenant needs.

    :param in_use: the permissions of the Defender XDR API that the tenant granted.
    :param needed: those of Microsoft Graph that replace them.
    :param missing: those among them that the tenant has not granted.
    """

    status: Status
    in_use: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    next_step: str = ""


def plan_migration(
    roles: Sequence[str], *, state: str | None, unread: Sequence[str] = (), always: Sequence[str] = (), reason: str = ""
) -> MigrationPlan:
    """Return the plan of a tenant.

    :param roles: the permissions that it granted, as `Resource/Role`.
    :param state: its consent state; None where it was not asked.
    :param unread: resources of which no token could be had, so that what was granted of them is not known.
    :param always: permissions of Microsoft Graph that it needs whatever it granted before.
    :param reason: why nothing is known, for the next step.
    """
    held = set(roles)
    in_use = tuple(old for old in REPLACEMENTS if old in held)
    needed = tuple(dict.fromkeys([*(REPLACEMENTS[old] for old in in_use), *always]))
    covered = held | {implied for strong, implied in _IMPLIES.items() if strong in held}
    missing = tuple(permission for permission in needed if permission not in covered)
    if state is None or state in _UNCERTAIN or (unread and state != "not_consented"):
        return MigrationPlan("unknown", in_use, needed, (), reason or "Find out why the tenant did not answer, and plan again.")
    if missing:
        step = f"Declare {', '.join(missing)} on the app, then have an administrator of the customer open the consent link."
        return MigrationPlan("consent_needed", in_use, needed, missing, step)
    if not needed:
        return MigrationPlan(
            "nothing_to_migrate", next_step="The tenant granted no permission of the Defender XDR API, so that nothing has to be replaced."
        )
    return MigrationPlan("ready", in_use, needed, (), "Use api=graph for this tenant.")
