# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Gets a token for a tenant, or is handed one, and holds it against a contract."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from .._argspec import shared_options
from .._core.clouds import API_RESOURCES
from .._core.errors import AuthenticationError, ContractViolation, OptionError, PartnerError
from .._core.fleet import FleetOver
from .._core.identity.audience import check_resource, impossible_roles
from .._core.identity.consent_state import advice, state_of_verdict
from .._core.identity.contract import Contract, TokenType, Verdict
from .._core.identity.diagnosis import settles
from .._core.identity.keys import IssuerKeys
from .._core.identity.token import AccessToken
from ._fleet import with_fleet
from ._permission_options import refuse_contradictions, role_values
from ._seconds import check_seconds
from ._session import Session, open_session
from ._task import Operation, Outcome, Task

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "resource": {"type": "str"},
    "required_roles": {"type": "list", "elements": "str"},
    "allowed_roles": {"type": "list", "elements": "str"},
    "forbidden_roles": {"type": "list", "elements": "str"},
    "token_type": {"type": "str", "choices": ["app", "delegated", "any"], "no_log": False},
    "min_lifetime": {"type": "float", "default": 0.0},
    "clock_skew": {"type": "float", "default": 60.0},
    "fail_on": {"type": "str", "choices": ["violation", "never"], "default": "violation"},
    "wait_for_roles": {"type": "float", "default": 0.0, "aliases": ["until_roles"]},
    "force_refresh": {"type": "bool", "default": False},
    "return_token": {"type": "bool", "default": False, "no_log": False},
}

_DELEGATED_METHODS = frozenset({"device_code"})
_OPEN_METHODS = frozenset({"azure_cli", "ready_token"})
_FIRST_WAIT_SECONDS = 2.0
_LONGEST_WAIT_SECONDS = 20.0
_STATES_WORTH_WAITING = frozenset({"consented_without_roles", "missing_roles"})


@dataclass(frozen=True)
class _Finding:
    """A token with what was found out about it."""

    token: AccessToken
    verdict: Verdict
    state: str


@dataclass
class _Patience:
    """How long to wait for roles that are on their way.

    :param sleep, clock: the passing of time.
    """

    end: float
    sleep: Callable[[float], None]
    clock: Callable[[], float]
    pause: float = _FIRST_WAIT_SECONDS

    def is_over(self) -> bool:
        """Wait a little; return whether the time, or that of the whole fleet, is over instead."""
        left = self.end - self.clock()
        if left <= 0:
            return True
        try:
            self.sleep(min(left, self.pause * random.uniform(0.8, 1.2)))  # noqa: S311 (jitter, not a secret)
        except FleetOver:
            return True
        self.pause = min(self.pause * 2, _LONGEST_WAIT_SECONDS)
        return False


def run(task: Task, *, sleep: Callable[[float], None] | None = None, clock: Callable[[], float] = time.monotonic) -> Outcome:
    """Run the operation `m365d_token`.

    :param sleep, clock: the passing of time, exchangeable for tests; a tenant of a fleet gives its place away while it sleeps.
    """
    params = task.params
    if sleep is None:
        sleep = task.places.sleep if task.places else time.sleep
    _check_options(params)
    try:
        session = open_session(task)
    except AuthenticationError as error:
        return _unless_forgiven(error, params, tenant_id=str(error.tenant_id), resource=None, method=None)
    resource = session.endpoints.resource_uri(params["resource"] or API_RESOURCES[params["api"]])
    contract = _contract(session, params, resource)
    warning = impossible_roles(resource, contract.required_roles)
    if warning:
        task.warn(warning)
    patience = _Patience(end=clock() + params["wait_for_roles"], sleep=sleep, clock=clock)
    try:
        finding = _find(session, contract, params, patience)
    except AuthenticationError as error:
        method = session.tokens.credential.kind
        return _unless_forgiven(error, params, tenant_id=session.tenant.tenant_id, resource=resource, method=method)
    return _outcome(finding, contract, params)


def _check_options(params: Mapping[str, Any]) -> None:
    check_seconds(params, "min_lifetime", "clock_skew", "wait_for_roles", zero=True)
    refuse_contradictions(params)
    if params["resource"] is not None:
        if not params["resource"].strip():
            raise OptionError("resource is empty.", next_step="Give a name such as MicrosoftGraph, a URI or a GUID, or leave it out.")
        check_resource(params["resource"])


def _contract(session: Session, params: Mapping[str, Any], resource: str) -> Contract:
    method = session.tokens.credential.kind
    usual: TokenType = "delegated" if method in _DELEGATED_METHODS else "any" if method in _OPEN_METHODS else "app"
    allowed = params["allowed_roles"]
    return Contract(
        tenant_id=session.tenant.tenant_id,
        resource=resource,
        login_url=session.endpoints.login_url,
        cloud=session.endpoints.cloud,
        client_id=session.tokens.client_id if method not in _OPEN_METHODS or params["client_id"] else "",
        required_roles=role_values("required_roles", params["required_roles"], resource=resource),
        allowed_roles=None if allowed is None else role_values("allowed_roles", allowed, resource=resource),
        forbidden_roles=role_values("forbidden_roles", params["forbidden_roles"], resource=resource),
        min_lifetime=params["min_lifetime"],
        clock_skew=params["clock_skew"],
        token_type=params["token_type"] or usual,
    )


def _find(session: Session, contract: Contract, params: Mapping[str, Any], patience: _Patience) -> _Finding:
    """Get a token and check it; while roles are on their way, do so again until the time is over."""
    keys = IssuerKeys(session.endpoints.login_url, session.transport, session.tokens.cache.store)
    force = bool(params["force_refresh"])
    while True:
        try:
            token = session.tokens.get(
                session.tenant.tenant_id, contract.resource, force_refresh=force, min_lifetime=contract.min_lifetime, checked=False
            )
            verdict = contract.check(token.value, keys)
            finding = _Finding(token, verdict, state_of_verdict(verdict, required=contract.required_roles))
            if finding.state not in _STATES_WORTH_WAITING or token.source == "given" or patience.is_over():
                return finding
        except PartnerError as error:
            if not settles(error) or _was_waited_for(error, session, contract, params) or patience.is_over():
                raise
        force = True


def _was_waited_for(error: PartnerError, session: Session, contract: Contract, params: Mapping[str, Any]) -> bool:
    """Whether a credential has been refused for as long as one waits already: it is the same for all tenants, who wait for it once."""
    if error.scope != "credential":
        return False
    return session.tokens.refused_for(session.tenant.tenant_id, contract.resource) >= float(params["wait_for_roles"])


def _unless_forgiven(
    error: AuthenticationError, params: Mapping[str, Any], *, tenant_id: str, resource: str | None, method: str | None
) -> Outcome:
    """Return a tenant's fault as a finding where faults are findings; raise it again otherwise."""
    if params["fail_on"] != "never" or error.scope != "tenant":
        raise error
    nothing = dict.fromkeys(("audience", "issued_at", "expires_at", "expires_in", "source", "token_type"))
    return Outcome(
        {
            **nothing,
            "tenant_id": tenant_id,
            "client_id": params["client_id"],
            "auth_method": method,
            "resource": resource,
            "roles": [],
            "scopes": [],
            "missing_roles": list(params["required_roles"] or ()),
            "claims": {},
            "consent_state": error.state,
            "checks": [],
            "signature": "unchecked",
            "next_step": error.next_step,
            "error": error.as_dict(),
        }
    )


def _outcome(finding: _Finding, contract: Contract, params: Mapping[str, Any]) -> Outcome:
    token, verdict, claims = finding.token, finding.verdict, finding.verdict.claims
    is_delegated = "scp" in claims
    missing = sorted(set(contract.required_roles) - set(verdict.permissions))
    error = _violation(finding, missing) if verdict.failed else None
    result: dict[str, Any] = {
        "tenant_id": token.tenant_id,
        "client_id": token.client_id or params["client_id"],
        "auth_method": token.auth_method,
        "resource": contract.resource,
        "audience": claims.get("aud"),
        "roles": [] if is_delegated else list(verdict.permissions),
        "scopes": list(verdict.permissions) if is_delegated else [],
        "missing_roles": missing,
        "claims": dict(claims),
        "issued_at": _iso(claims.get("iat")),
        "expires_at": _iso(token.expires_at),
        "expires_in": max(0, round(token.expires_at - time.time())),
        "source": token.source,
        "token_type": "delegated" if is_delegated else "app" if claims else None,
        "consent_state": finding.state,
        "checks": [check.as_dict() for check in verdict.checks],
        "signature": verdict.signature,
        "next_step": error.next_step if error else advice(finding.state, missing),
        "error": error.as_dict() if error else None,
    }
    if params["return_token"] and error is None:
        # Nobody should use one that breaks its contract.
        result["access_token"] = token.value
    is_failure = error is not None and params["fail_on"] == "violation"
    if is_failure:
        result["msg"] = str(error)
    return Outcome(result, secret="access_token" in result, failed=is_failure)


def _violation(finding: _Finding, missing: list[str]) -> ContractViolation:
    """Return the error that names the checks which failed; the most telling one decides the next step."""
    failed = finding.verdict.failed
    names = {check.name for check in failed}
    if names == {"required_roles"}:
        next_step = advice(finding.state, missing)
    elif names & {"allowed_roles", "forbidden_roles"} and finding.state in ("ready", "missing_roles"):
        next_step = "Remove the roles that are too many from the app and from the customer's grants, or correct the contract."
    elif names & {"not_before"}:
        next_step = "Set this machine's clock; Entra ID dates tokens five minutes back."
    elif names & {"lifetime", "expiry"}:
        next_step = "Get a new token (force_refresh=true), or ask for a shorter min_lifetime."
    else:
        next_step = "Do not use this token. Check tenant_id, client_id and resource, and where the token comes from."
    return ContractViolation(
        f"The token breaks its contract ({', '.join(check.name for check in failed)}): {' '.join(check.message for check in failed)}",
        attempted=f"checking the token for {finding.token.resource}",
        tenant_id=finding.token.tenant_id,
        state=finding.state,
        next_step=next_step,
    )


def _iso(moment: Any) -> str | None:
    """Return a time of a token as ISO 8601 in UTC; None where the token holds no such time."""
    if isinstance(moment, bool) or not isinstance(moment, (int, float)):
        return None
    try:
        return datetime.fromtimestamp(moment, tz=timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return None


OPERATION = with_fleet(Operation(run=run, argument_spec={**shared_options("connection", "tenant", "auth", "api"), **ARGUMENT_SPEC}))
