# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The consent state of a tenant, from what a token carries or from why there is none."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ..api import ApiClient
from ..errors import PartnerError, TransportError
from ..incidents.pages import incidents_in, warnings_in
from .contract import Verdict

# All states, the one that explains most first: a tenant that does not exist needs no licence.
STATES = (
    "unreachable",
    "credential_error",
    "unknown_tenant",
    "blocked",
    "disabled",
    "not_consented",
    "not_licensed",
    "consented_without_roles",
    "missing_roles",
    "ready",
)
# Those that the customer changes by accepting the consent link.
CONSENT_HELPS = frozenset({"not_consented", "consented_without_roles", "missing_roles"})

# Checks without which the other claims prove nothing.
_IDENTITY_CHECKS = frozenset(
    {"format", "algorithm", "signature", "issuer", "tenant", "audience", "client", "not_before", "expiry", "token_type", "roles"}
)
_INCIDENT_PATHS = {"graph": "v1.0/security/incidents", "defender": "api/incidents"}


def state_of_verdict(verdict: Verdict, *, required: Collection[str]) -> str:
    """Return the state that a token proves.

    :param required: the roles that make the tenant ready; where there are none, any role does.
    """
    if any(check.name in _IDENTITY_CHECKS for check in verdict.failed):
        return "unreachable" if verdict.signature == "unchecked" and verdict.outcome("signature") == "failed" else "credential_error"
    if not verdict.permissions:
        return "consented_without_roles"
    return "missing_roles" if set(required) - set(verdict.permissions) else "ready"


def worst(states: Iterable[str]) -> str:
    """Return the state that explains most; `unreachable` where none was found out."""
    return min(states, key=STATES.index, default="unreachable")


def advice(state: str, missing: Collection[str] = ()) -> str:
    """Return the next step for a state that a token showed; empty where nothing is to be done."""
    if state == "consented_without_roles":
        return (
            "Declare the permissions on the app, then send the customer the consent link (m365d.partner.m365d_consent_url) again. "
            "After a consent, new roles can take minutes to arrive."
        )
    if state == "missing_roles":
        return (
            f"Declare {', '.join(sorted(missing)) or 'the missing roles'} on the app, then send the customer the consent link "
            "(m365d.partner.m365d_consent_url) again."
        )
    return ""


def ask_api(client: ApiClient, api: str) -> PartnerError | None:
    """Return why the API does not hand out incidents, or None where it does; one incident at most is read.

    An answer counts as it would when incidents are read: a list of this tenant's incidents that the service vouches for.
    """
    try:
        response = client.call("GET", _INCIDENT_PATHS[api], attempted="probing the incidents API", params={"$top": 1})
        incidents_in(response.json(), response)
    except PartnerError as error:
        return error
    warnings = warnings_in(response)
    if not warnings:
        return None
    return TransportError(
        f"The answer is not everything: {'; '.join(warnings)}.",
        attempted=response.attempted,
        tenant_id=response.tenant_id,
        state="unreachable",
        http_status=response.status,
        request_id=response.request_id,
        next_step="Try again; if it persists, report the request id to the service's support.",
    )
