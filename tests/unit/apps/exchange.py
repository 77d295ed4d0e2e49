# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plays an operation against a script of exchanges with Microsoft Graph: each request is checked, in order.

The real client and transport run; only the socket, the token and the passing of time are stood in for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any
from urllib.parse import unquote_plus

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.m365d.partner.plugins.module_utils._core.clouds import CLOUDS
from ansible_collections.m365d.partner.plugins.module_utils._core.graph import GraphClient
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.token import AccessToken
from ansible_collections.m365d.partner.plugins.module_utils._core.tenants import TenantInfo
from ansible_collections.m365d.partner.plugins.module_utils._core.transport import Transport
from ansible_collections.m365d.partner.plugins.module_utils._ops._task import Operation, Outcome, Task
from unit.support.scripted_http import Answer, Clock, Recorded, scripted_transport

TENANT = "11111111-1111-4111-8111-000000000001"
CALLER = "22222222-2222-4222-8222-000000000001"
TOKEN = "a-token-of-the-administration-app"

APP_ID = "33333333-3333-4333-8333-000000000001"
OBJECT_ID = "44444444-4444-4444-8444-000000000001"
PRINCIPAL_ID = "55555555-5555-4555-8555-000000000001"
MTP_APP_ID = "8ee8fdad-f234-4243-8f3b-15c294843740"
MTP_PRINCIPAL_ID = "66666666-6666-4666-8666-000000000001"
GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"
GRAPH_PRINCIPAL_ID = "66666666-6666-4666-8666-000000000002"
INCIDENT_READ = "a9790345-4595-42e4-971a-ccdc79f19b7c"
INCIDENT_READWRITE = "8d90f441-09cf-4fdc-ab45-e874fa3a28e8"
SECURITY_INCIDENT_READ = "45cc0394-e837-488b-a098-1918f48d186c"

SELECT_APP = "$select=id,appId,displayName,uniqueName,signInAudience,web,requiredResourceAccess,notes,createdDateTime"
SELECT_PRINCIPAL = "$select=id,appId,displayName,accountEnabled,appOwnerOrganizationId"
SELECT_CATALOG = "$select=id,appId,displayName,appRoles,oauth2PermissionScopes"


@dataclass(frozen=True)
class Exchange:
    """One request that must come next, and what the service answers.

    :param request: method and path below the version, decoded for the reader's sake.
    :param body: the JSON that must be sent; None for none.
    :param headers: headers that must be among those sent.
    """

    request: str
    answer: Answer
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Played:
    """What came of an operation."""

    outcome: Outcome
    warnings: list[str]
    slept: list[float]
    purged: list[str]

    @property
    def result(self) -> dict[str, Any]:
        return self.outcome.result


class StubTokens:
    """Notes which tenants' tokens were to be forgotten."""

    def __init__(self) -> None:
        self.purged: list[str] = []

    def purge(self, tenant_id: str) -> int:
        self.purged.append(tenant_id)
        return 0


class StubSession:
    """One tenant, one token; the client above the scripted transport is the real one."""

    def __init__(self, transport: Transport, clock: Clock, tokens: StubTokens | None = None) -> None:
        self.transport = transport
        self.tokens = tokens or StubTokens()
        self.endpoints = CLOUDS["global"]
        self.tenant = TenantInfo(TENANT, None, f"https://login.microsoftonline.com/{TENANT}/v2.0", "EU", None, None, None, "global")
        self._clock = clock

    def graph(self) -> GraphClient:
        return GraphClient(
            self.transport,
            base_url=self.endpoints.graph_url,
            tenant_id=TENANT,
            get_token=lambda _force, _claims: AccessToken(TOKEN, TENANT, "https://graph.microsoft.com", CALLER, 2e9, "client_secret"),
            clock=self._clock,
            sleep=self._clock.sleep,
        )


def options(operation: Operation, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the complete options of a task, validated by the operation's own argument spec."""
    validator = ArgumentSpecValidator(
        {name: dict(spec) for name, spec in operation.argument_spec.items()},
        mutually_exclusive=[list(names) for names in operation.mutually_exclusive],
        required_together=[list(names) for names in operation.required_together],
        required_one_of=[list(names) for names in operation.required_one_of],
        required_if=[list(condition) for condition in operation.required_if],
        required_by={name: list(names) for name, names in operation.required_by.items()},
    )
    result = validator.validate({"tenant_id": TENANT, **given})
    if result.error_messages:
        raise ValueError("; ".join(result.error_messages))
    return dict(result.validated_parameters)


def play(
    monkeypatch: Any, module: ModuleType, *script: Exchange, check_mode: bool = False, run_directory: str | None = None, **given: Any
) -> Played:
    """Run the operation of `module` and check that it made exactly the requests of the script, in order."""
    transport, recorder, clock = scripted_transport(*(exchange.answer for exchange in script))
    tokens = StubTokens()
    monkeypatch.setattr(module, "open_session", lambda _task: StubSession(transport, clock, tokens))
    warnings: list[str] = []
    task = Task(params=options(module.OPERATION, given), check_mode=check_mode, run_directory=run_directory, warn=warnings.append)
    try:
        outcome = module.OPERATION.run(task)
    finally:
        compare(recorder.requests, script)
    assert not recorder.script, f"requests that were not made: {[exchange.request for exchange in script[len(recorder.requests) :]]}"
    return Played(outcome, warnings, clock.slept, tokens.purged)


def compare(recorded: list[Recorded], script: tuple[Exchange, ...]) -> None:
    """Fail where a request differs from the script's."""
    for request, expected in zip(recorded, script, strict=False):
        line = unquote_plus(request.line()).replace("https://graph.microsoft.com/v1.0/", "")
        assert line == expected.request
        assert request.json == expected.body, line
        assert request.headers["Authorization"] == f"Bearer {TOKEN}"
        for name, value in expected.headers.items():
            assert request.headers.get(name) == value, f"{line}: {name}"


def missing() -> Answer:
    """Graph's 404."""
    return refused(
        404, "Request_ResourceNotFound", "Resource 'x' does not exist or one of its queried reference-property objects are not present."
    )


def refused(status: int, code: str, message: str) -> Answer:
    """One of Graph's errors."""
    return Answer(status, {"error": {"code": code, "message": message}}, {"request-id": "77777777-7777-4777-8777-000000000001"})


def ok(body: Any) -> Answer:
    """An object or a collection."""
    return Answer(200, body)


def created(body: Any) -> Answer:
    """The object that was created."""
    return Answer(201, body)


def done() -> Answer:
    """Success without a body."""
    return Answer(204)


def page(*entries: Any, next_link: str | None = None) -> Answer:
    """A page of a collection."""
    return Answer(200, {"value": list(entries), **({"@odata.nextLink": next_link} if next_link else {})})


def app(**changed: Any) -> dict[str, Any]:
    """An application as Graph shows it."""
    return {
        "id": OBJECT_ID,
        "appId": APP_ID,
        "displayName": "Contoso Partner Access",
        "uniqueName": "contoso-partner-access",
        "signInAudience": "AzureADMultipleOrgs",
        "web": {
            "homePageUrl": None,
            "redirectUris": ["https://portal.azure.com"],
            "implicitGrantSettings": {"enableIdTokenIssuance": False},
        },
        "requiredResourceAccess": declares((MTP_APP_ID, INCIDENT_READ)),
        "notes": None,
        "createdDateTime": "2026-11-01T00:00:00Z",
        **changed,
    }


def declares(*pairs: tuple[str, str], kind: str = "Role") -> list[dict[str, Any]]:
    """Graph's requiredResourceAccess for pairs of resource and permission."""
    by_resource: dict[str, list[dict[str, str]]] = {}
    for resource, identifier in pairs:
        by_resource.setdefault(resource, []).append({"id": identifier, "type": kind})
    return [{"resourceAppId": resource, "resourceAccess": entries} for resource, entries in by_resource.items()]


def principal(**changed: Any) -> dict[str, Any]:
    """The app's service principal as Graph shows it."""
    return {
        "id": PRINCIPAL_ID,
        "appId": APP_ID,
        "displayName": "Contoso Partner Access",
        "accountEnabled": True,
        "appOwnerOrganizationId": TENANT,
        **changed,
    }


def role(value: str, identifier: str, **changed: Any) -> dict[str, Any]:
    """An app role as Graph shows it."""
    return {"id": identifier, "value": value, "displayName": value, "allowedMemberTypes": ["Application"], "isEnabled": True, **changed}


def mtp(*roles: dict[str, Any]) -> dict[str, Any]:
    """The service principal of Microsoft Threat Protection, with what it offers."""
    offered = roles or (role("Incident.Read.All", INCIDENT_READ), role("Incident.ReadWrite.All", INCIDENT_READWRITE))
    scopes = [{"id": "12c153a4-4204-4224-aa3c-4626e2f47c2b", "value": "Incident.Read", "isEnabled": True}]
    return {
        "id": MTP_PRINCIPAL_ID,
        "appId": MTP_APP_ID,
        "displayName": "Microsoft Threat Protection",
        "appRoles": list(offered),
        "oauth2PermissionScopes": scopes,
    }


CATALOG_MTP = Exchange(f"GET servicePrincipals(appId='{MTP_APP_ID}')?{SELECT_CATALOG}", ok(mtp()))
NO_CATALOG_MTP = Exchange(f"GET servicePrincipals(appId='{MTP_APP_ID}')?{SELECT_CATALOG}", missing())
FIND_PRINCIPAL = f"GET servicePrincipals(appId='{APP_ID}')?{SELECT_PRINCIPAL}"
FIND_BY_UNIQUE_NAME = f"GET applications(uniqueName='contoso-partner-access')?{SELECT_APP}"
FIND_BY_NAME = f"GET applications?$filter=displayName eq 'Contoso Partner Access'&{SELECT_APP}"
DELETED = f"GET directory/deletedItems/microsoft.graph.application?{SELECT_APP},deletedDateTime"
