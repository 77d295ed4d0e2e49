# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tenant's default app management policy, which may forbid secrets or cap lifetimes."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..errors import bad_request
from ..state import Tenant
from .access import READ_POLICY, WRITE_POLICY, enter, no_content, respond

POLICY_ID = "d015220e-9789-4e8e-bbcc-270fe419229d"
_DURATION = re.compile(r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


def policy_body(tenant: Tenant) -> dict[str, Any]:
    """The policy in Graph's form; the scenario's short keys (`block_secrets`, `max_…_lifetime`) become restrictions."""
    short = tenant.directory.policy
    passwords: list[dict[str, Any]] = []
    keys: list[dict[str, Any]] = []
    if short.get("block_secrets"):
        passwords.append(_restriction("passwordAddition", None))
    if short.get("max_secret_lifetime"):
        passwords.append(_restriction("passwordLifetime", str(short["max_secret_lifetime"])))
    if short.get("max_certificate_lifetime"):
        keys.append(_restriction("asymmetricKeyLifetime", str(short["max_certificate_lifetime"])))
    written = short.get("applicationRestrictions") or {}
    restrictions = {
        "passwordCredentials": written.get("passwordCredentials", passwords),
        "keyCredentials": written.get("keyCredentials", keys),
    }
    enabled = short.get("isEnabled", bool(passwords or keys))
    return {
        "id": POLICY_ID,
        "displayName": "Default app management tenant policy",
        "description": "Default tenant policy that enforces app management restrictions on applications and service principals.",
        "isEnabled": enabled,
        "applicationRestrictions": restrictions,
        "servicePrincipalRestrictions": {"passwordCredentials": [], "keyCredentials": []},
    }


def _restriction(kind: str, longest: str | None) -> dict[str, Any]:
    return {"restrictionType": kind, "maxLifetime": longest, "restrictForAppsCreatedAfterDateTime": None, "state": "enabled"}


def _active(tenant: Tenant, group: str) -> dict[str, dict[str, Any]]:
    policy = policy_body(tenant)
    if not policy["isEnabled"]:
        return {}
    entries = policy["applicationRestrictions"][group] or []
    return {str(one.get("restrictionType")): one for one in entries if one.get("state", "enabled") == "enabled"}


def check_password(tenant: Tenant, start: datetime, end: datetime) -> None:
    """Raises ApiError 400 when the policy forbids a secret with this lifetime."""
    active = _active(tenant, "passwordCredentials")
    if "passwordAddition" in active:
        text = f"Credential type not allowed as per assigned policy '{POLICY_ID}'."
        raise bad_request(text, code="CredentialTypeNotAllowedAsPerAppPolicy")
    _check_lifetime(active.get("passwordLifetime"), start, end)


def check_key(tenant: Tenant, start: datetime, end: datetime) -> None:
    """Raises ApiError 400 when the policy forbids a certificate with this lifetime."""
    _check_lifetime(_active(tenant, "keyCredentials").get("asymmetricKeyLifetime"), start, end)


def _check_lifetime(restriction: dict[str, Any] | None, start: datetime, end: datetime) -> None:
    if restriction is None or not restriction.get("maxLifetime"):
        return
    if end - start > duration(str(restriction["maxLifetime"])) + timedelta(seconds=1):
        text = f"Credential lifetime exceeds the max value allowed as per assigned policy '{POLICY_ID}'."
        raise bad_request(text, code="CredentialInvalidLifetimeAsPerAppPolicy")


def duration(text: str) -> timedelta:
    """An ISO 8601 duration, a year taken as 365 days and a month as 30. Raises ValueError."""
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()):
        raise ValueError(f"not an ISO 8601 duration: {text}")
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=years * 365 + months * 30 + weeks * 7 + days, hours=hours, minutes=minutes, seconds=seconds)


async def get_policy(request: Request) -> Response:
    """GET /policies/defaultAppManagementPolicy."""
    access = enter(request, "policy.get", READ_POLICY)
    return respond({"@odata.context": access.context_url("policies/defaultAppManagementPolicy/$entity")} | policy_body(access.tenant))


async def update_policy(request: Request) -> Response:
    """PATCH /policies/defaultAppManagementPolicy."""
    access = enter(request, "policy.update", WRITE_POLICY)
    raw = await access.json()
    for group in ("passwordCredentials", "keyCredentials"):
        for one in (raw.get("applicationRestrictions") or {}).get(group) or []:
            try:
                if one.get("maxLifetime"):
                    duration(str(one["maxLifetime"]))
            except ValueError as exc:
                raise bad_request("Invalid value specified for property 'maxLifetime'.") from exc
    access.tenant.directory.policy |= {name: raw[name] for name in ("isEnabled", "applicationRestrictions") if name in raw}
    return no_content()
