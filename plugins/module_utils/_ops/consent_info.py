# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Finds out how far a tenant's consent has come, from the partner's side: by asking for tokens, and the API if wanted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._argspec import shared_options
from .._core.clouds import API_RESOURCES
from .._core.consent_links import build_link
from .._core.errors import AuthenticationError, ContractViolation, PartnerError
from .._core.identity.consent_state import CONSENT_HELPS, advice, ask_api, state_of_verdict, worst
from .._core.identity.contract import Contract
from .._core.identity.keys import IssuerKeys
from .._core.permissions import Permission, parse_all
from ._fleet import with_fleet
from ._session import Session, open_session
from ._task import Operation, Outcome, Task

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "permissions": {"type": "list", "elements": "str"},
    "probe_api": {"type": "bool", "default": False},
    "force_refresh": {"type": "bool", "default": True},
}


@dataclass
class _Findings:
    """What the probes found."""

    states: list[str] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    evidence: list[dict[str, Any]] = field(default_factory=list)
    errors: list[PartnerError] = field(default_factory=list)

    @property
    def state(self) -> str:
        """The state over all probes. Where one resource gave roles, another that gave none makes roles missing."""
        state = worst(self.states)
        return "missing_roles" if state == "consented_without_roles" and self.roles else state

    def add_error(self, probe: str, resource: str, error: PartnerError) -> None:
        """Note a probe that was refused."""
        state = error.state or "unreachable"
        self.states.append(state)
        self.errors.append(error)
        self.evidence.append({"probe": probe, "resource": resource, "consent_state": state, "error": error.as_dict()})

    def error_of(self, state: str) -> PartnerError | None:
        """Return the refusal that stands for a state."""
        return next((error for error in self.errors if (error.state or "unreachable") == state), None)


def run(task: Task) -> Outcome:
    """Run the operation `m365d_consent_info`."""
    params = task.params
    wanted = _by_resource(params)
    findings = _Findings()
    try:
        session = open_session(task)
    except AuthenticationError as error:
        if error.scope != "tenant":
            raise
        findings.add_error("tenant", "", error)
        return Outcome(_result(findings, params, str(error.tenant_id), consent_url=None))
    for resource, required in wanted.items():
        _probe_token(session, resource, required, findings, force_refresh=params["force_refresh"])
    if params["probe_api"] and not findings.errors:
        _probe_api(session, params["api"], findings)
    return Outcome(_result(findings, params, session.tenant.tenant_id, consent_url=_consent_url(session, findings)))


def _by_resource(params: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return resource → the values that are wanted of it; the resource of `api` where nothing is named."""
    permissions: Iterable[Permission] = parse_all(params["permissions"] or ())
    wanted: dict[str, list[str]] = {}
    for permission in permissions:
        wanted.setdefault(permission.resource, []).append(permission.value)
    return wanted or {API_RESOURCES[params["api"]]: []}


def _probe_token(session: Session, resource: str, required: list[str], findings: _Findings, *, force_refresh: bool) -> None:
    """Ask for a token and look at what it carries. A fault of the credential is raised: it says nothing about the tenant."""
    uri = session.endpoints.resource_uri(resource)
    try:
        token = session.tokens.get(session.tenant.tenant_id, uri, force_refresh=force_refresh)
    except (AuthenticationError, ContractViolation) as error:
        if error.scope != "tenant":
            raise
        findings.add_error("token", resource, error)
        findings.missing += [f"{resource}/{value}" for value in required]
        return
    contract = Contract(
        tenant_id=session.tenant.tenant_id,
        resource=uri,
        login_url=session.endpoints.login_url,
        cloud=session.endpoints.cloud,
        client_id=session.tokens.client_id,
        token_type="any",  # noqa: S106 (a kind of token)
    )
    verdict = contract.check(token.value, IssuerKeys(session.endpoints.login_url, session.transport, session.tokens.cache.store))
    state = state_of_verdict(verdict, required=required)
    findings.states.append(state)
    findings.roles += [f"{resource}/{value}" for value in verdict.permissions]
    findings.missing += [f"{resource}/{value}" for value in required if value not in verdict.permissions]
    failed = ", ".join(check.name for check in verdict.failed)
    findings.evidence.append(
        {
            "probe": "token",
            "resource": resource,
            "consent_state": state,
            "roles": list(verdict.permissions),
            "signature": verdict.signature,
            "source": token.source,
            "failed_checks": failed.split(", ") if failed else [],
            "error": None,
        }
    )


def _probe_api(session: Session, api: str, findings: _Findings) -> None:
    """Ask the API for one incident: a token with the right roles is of no use where the product is not set up."""
    refusal = ask_api(session.client(api), api)
    if refusal:
        findings.add_error("api", API_RESOURCES[api], refusal)
    else:
        findings.evidence.append({"probe": "api", "resource": API_RESOURCES[api], "consent_state": "ready", "error": None})


def _consent_url(session: Session, findings: _Findings) -> str | None:
    if findings.state not in CONSENT_HELPS or not session.tokens.client_id:
        return None
    return build_link("v1_authorize", session.endpoints, client_id=session.tokens.client_id, tenant=session.tenant.tenant_id).url


def _result(findings: _Findings, params: Mapping[str, Any], tenant_id: str, *, consent_url: str | None) -> dict[str, Any]:
    state = findings.state
    error = findings.error_of(state)
    next_step = error.next_step if error else advice(state, findings.missing)
    return {
        "tenant_id": tenant_id,
        "client_id": params["client_id"],
        "consent_state": state,
        "roles": sorted(findings.roles),
        "missing_roles": sorted(findings.missing),
        "next_step": next_step or "",
        "consent_url": consent_url,
        "evidence": findings.evidence,
        "error": error.as_dict() if error else None,
    }


OPERATION = with_fleet(Operation(run=run, argument_spec={**shared_options("connection", "tenant", "auth", "api"), **ARGUMENT_SPEC}))
