# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plays an operation on incidents or alerts against a script of exchanges: each request is checked, in order.

The real clients and transport run; only the socket and the token are stood in for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any
from urllib.parse import unquote

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.m365d.partner.plugins.module_utils._core.api import ApiClient
from ansible_collections.m365d.partner.plugins.module_utils._core.clouds import CLOUDS
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.token import AccessToken
from ansible_collections.m365d.partner.plugins.module_utils._core.tenants import TenantInfo
from ansible_collections.m365d.partner.plugins.module_utils._core.transport import Transport
from ansible_collections.m365d.partner.plugins.module_utils._ops._task import Operation, Outcome, Task
from unit.support.scripted_http import Answer, scripted_transport

TENANT = "11111111-1111-4111-8111-000000000001"
TOKEN = "a-token-of-the-partner-app"
PREFER = {"Prefer": "include-unknown-enum-members"}
GRAPH = "https://graph.microsoft.com/v1.0/security/"
DEFENDER = "https://api.security.microsoft.com/api/"
COMMENT_TYPE = "microsoft.graph.security.alertComment"


@dataclass(frozen=True)
class Exchange:
    """One request that must come next, and what the service answers.

    :param request: method and path below the service's base, decoded for the reader's sake.
    :param body: the JSON that must be sent; None for none.
    """

    request: str
    answer: Answer
    body: Any = None


@dataclass
class Played:
    """What came of an operation."""

    outcome: Outcome
    warnings: list[str]
    urls: list[str]
    deprecations: list[tuple[str, str]]
    """Messages with their dates."""

    @property
    def result(self) -> dict[str, Any]:
        return self.outcome.result


class StubSession:
    """One tenant, one token; the clients above the scripted transport are the real ones."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.endpoints = CLOUDS["global"]
        self.tenant = TenantInfo(TENANT, None, f"https://login.microsoftonline.com/{TENANT}/v2.0", "EU", None, None, None, "global")

    def client(self, api: str = "graph") -> ApiClient:
        return ApiClient(
            self.transport,
            base_url=self.endpoints.base_url(api),
            tenant_id=TENANT,
            get_token=lambda _force, _claims: AccessToken(TOKEN, TENANT, "https://graph.microsoft.com", "c", 2e9, "client_secret"),
        )


def options(operation: Operation, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the complete options of a task, validated by the operation's own argument spec."""
    validator = ArgumentSpecValidator(
        {name: dict(spec) for name, spec in operation.argument_spec.items()},
        mutually_exclusive=[list(names) for names in operation.mutually_exclusive],
        required_one_of=[list(names) for names in operation.required_one_of],
    )
    result = validator.validate({"tenant_id": TENANT, **given})
    if result.error_messages:
        raise ValueError("; ".join(result.error_messages))
    return dict(result.validated_parameters)


def play(
    monkeypatch: Any, module: ModuleType, *script: Exchange, check_mode: bool = False, deadline: float = 300.0, **given: Any
) -> Played:
    """Run the operation of `module` and check that it made exactly the requests of the script, in order."""
    transport, recorder, _clock = scripted_transport(*(exchange.answer for exchange in script), deadline=deadline)
    monkeypatch.setattr(module, "open_session", lambda _task: StubSession(transport))
    warnings: list[str] = []
    deprecations: list[tuple[str, str]] = []
    task = Task(
        params=options(module.OPERATION, given),
        check_mode=check_mode,
        warn=warnings.append,
        deprecate=lambda message, date: deprecations.append((message, date)),
    )
    try:
        outcome = module.OPERATION.run(task)
    finally:
        for request, expected in zip(recorder.requests, script, strict=False):
            line = unquote(request.line()).replace(GRAPH, "").replace(DEFENDER, "")
            assert line == expected.request
            assert request.json == expected.body, line
            assert request.headers["Authorization"] == f"Bearer {TOKEN}"
            if request.url.startswith(GRAPH):
                assert request.headers["Prefer"] == PREFER["Prefer"]
    assert not recorder.script, f"requests that were not made: {[exchange.request for exchange in script[len(recorder.requests) :]]}"
    return Played(outcome, warnings, [request.url for request in recorder.requests], deprecations)


def refused(status: int, code: str, message: str = "") -> Answer:
    """An error as both services write it."""
    return Answer(status, {"error": {"code": code, "message": message}}, {"request-id": "77777777-7777-4777-8777-000000000001"})


def graph_incident(**members: Any) -> dict[str, Any]:
    """An incident as Microsoft Graph writes it."""
    return {
        "id": "17",
        "displayName": "Incident 17",
        "status": "active",
        "severity": "high",
        "classification": "unknown",
        "determination": "unknown",
        "assignedTo": None,
        "customTags": ["vip"],
        "comments": [],
        "createdDateTime": "2026-01-01T00:00:00Z",
        "lastUpdateDateTime": "2026-01-02T00:00:00Z",
        "redirectIncidentId": None,
        **members,
    }


def defender_incident(**members: Any) -> dict[str, Any]:
    """An incident as the Defender API writes it."""
    return {
        "incidentId": 17,
        "incidentName": "Incident 17",
        "status": "Active",
        "severity": "High",
        "classification": "Unknown",
        "determination": "NotAvailable",
        "assignedTo": None,
        "tags": ["vip"],
        "comments": [],
        "createdTime": "2026-01-01T00:00:00Z",
        "lastUpdateTime": "2026-01-02T00:00:00Z",
        "redirectIncidentId": None,
        "alerts": [],
        **members,
    }


def graph_alert(number: int = 1, **members: Any) -> dict[str, Any]:
    """An alert as Microsoft Graph writes it; the higher its number, the later its update."""
    return {
        "id": f"da{number}",
        "incidentId": "17",
        "title": f"Alert {number}",
        "status": "new",
        "severity": "high",
        "classification": "unknown",
        "determination": "unknown",
        "serviceSource": "microsoftDefenderForEndpoint",
        "detectionSource": "antivirus",
        "assignedTo": None,
        "category": "Execution",
        "mitreTechniques": ["T1059.001"],
        "comments": [],
        "evidence": [],
        "createdDateTime": "2026-01-01T00:00:00Z",
        "lastUpdateDateTime": f"2026-01-02T00:00:00.{number:07d}Z",
        **members,
    }


def remark(text: str) -> dict[str, Any]:
    """A comment as Microsoft Graph writes it."""
    return {"comment": text, "createdByDisplayName": "API-App:Contoso", "createdDateTime": "2026-01-03T00:00:00Z"}


def comment_body(text: str) -> dict[str, Any]:
    """What Microsoft Graph is sent for a comment."""
    return {"@odata.type": COMMENT_TYPE, "comment": text}
