# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Graph directory: registrations, credentials, service principals, grants, and what it refuses."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import jwt
import pytest

HOME = "11111111-1111-4111-8111-000000000001"
FABRIKAM = "11111111-1111-4111-8111-000000000002"
APP = "33333333-3333-4333-8333-000000000001"
MTP = "8ee8fdad-f234-4243-8f3b-15c294843740"
INCIDENT_READ = "a9790345-4595-42e4-971a-ccdc79f19b7c"
BODY = {"displayName": "Made by test", "signInAudience": "AzureADMultipleOrgs"}
NOWHERE = "44444444-4444-4444-8444-000000000004"


def code_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def create(world: Any, **more: Any) -> dict[str, Any]:
    answer = world.graph("POST", "/applications", json=BODY | more)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def test_a_registration_has_no_service_principal_until_one_is_made(world: Any) -> None:
    app = create(world)
    assert code_of(world.graph("GET", f"/servicePrincipals(appId='{app['appId']}')")) == (404, "Request_ResourceNotFound")
    assert world.graph("POST", "/servicePrincipals", json={"appId": app["appId"]}).status_code == 201
    again = world.graph("POST", "/servicePrincipals", json={"appId": app["appId"]})
    assert code_of(again) == (409, "Request_MultipleObjectsWithSameKeyValue")


def test_the_default_audience_is_the_one_of_the_api(world: Any) -> None:
    assert world.graph("POST", "/applications", json={"displayName": "x"}).json()["signInAudience"] == "AzureADandPersonalMicrosoftAccount"


def test_an_app_is_found_by_each_of_its_keys_and_not_by_the_wrong_one(world: Any) -> None:
    app = create(world, uniqueName="made-by-test")
    for path in (app["id"], f"('{app['id']}')", f"(appId='{app['appId']}')", "(uniqueName='made-by-test')"):
        path = path if path.startswith("(") else f"/{path}"
        assert world.graph("GET", f"/applications{path}").json()["appId"] == app["appId"]
    assert code_of(world.graph("GET", f"/applications/{app['appId']}")) == (404, "Request_ResourceNotFound")


@pytest.mark.parametrize(
    "change",
    [
        {"displayName": ""},
        {"displayName": "x" * 121},
        {"signInAudience": "Everybody"},
        {"web": {"redirectUris": ["http://partner.example/"]}},
        {"web": {"redirectUris": ["https://*.partner.example/"]}},
        {"web": {"redirectUris": ["not an address"]}},
        {"web": {"redirectUris": [f"https://a.example/{n}" for n in range(257)]}},
        {"requiredResourceAccess": [{"resourceAppId": MTP, "resourceAccess": [{"id": INCIDENT_READ, "type": "role"}]}]},
        {"requiredResourceAccess": [{"resourceAppId": "MTP", "resourceAccess": []}]},
        {"tags": ["with blank"]},
        {"tags": ["twice", "twice"]},
        {"notes": "x" * 1025},
        {"identifierUris": ["https://elsewhere.example/app"]},
        {"identifierUris": ["https://api.security.microsoft.com"]},
        {"api": {"requestedAccessTokenVersion": 3}},
        {"passwordCredentials": [{"displayName": "x"}]},
        {"appId": APP},
        {"colour": "blue"},
    ],
)
def test_a_value_that_graph_refuses_is_refused_and_nothing_is_made(world: Any, change: dict[str, Any]) -> None:
    before = len(world.cloud.applications)
    assert world.graph("POST", "/applications", json=BODY | change).status_code == 400
    assert len(world.cloud.applications) == before
    app = create(world)
    assert world.graph("PATCH", f"/applications/{app['id']}", json=change).status_code == 400
    assert world.graph("GET", f"/applications/{app['id']}").json()["displayName"] == BODY["displayName"]


def test_a_patch_merges_objects_and_replaces_lists(world: Any) -> None:
    app = create(world, web={"homePageUrl": "https://home.example", "redirectUris": ["https://a.example"]})
    change = {"web": {"redirectUris": ["https://b.example"]}, "notes": "changed"}
    assert world.graph("PATCH", f"/applications/{app['id']}", json=change).status_code == 204
    now = world.graph("GET", f"/applications/{app['id']}").json()
    assert now["web"]["redirectUris"] == ["https://b.example"]
    assert (now["web"]["homePageUrl"], now["notes"]) == ("https://home.example", "changed")


def test_an_upsert_creates_once_and_then_updates(world: Any) -> None:
    path, prefer = "/applications(uniqueName='upserted')", {"Prefer": "create-if-missing"}
    assert code_of(world.graph("PATCH", path, json=BODY)) == (404, "Request_ResourceNotFound")
    first = world.graph("PATCH", path, json=BODY, headers=prefer)
    assert (first.status_code, first.json()["uniqueName"]) == (201, "upserted")
    assert world.graph("PATCH", path, json=BODY | {"notes": "x"}, headers=prefer).status_code == 204
    assert world.graph("PATCH", path, json={"uniqueName": "other"}).status_code == 400


def test_a_deleted_app_can_be_restored_or_purged(world: Any) -> None:
    app = create(world)
    world.graph("POST", "/servicePrincipals", json={"appId": app["appId"]})
    assert world.graph("DELETE", f"/applications/{app['id']}").status_code == 204
    assert code_of(world.graph("GET", f"/applications/{app['id']}")) == (404, "Request_ResourceNotFound")
    assert code_of(world.graph("GET", f"/servicePrincipals(appId='{app['appId']}')")) == (404, "Request_ResourceNotFound")
    listed = world.graph("GET", "/directory/deletedItems/microsoft.graph.application").json()["value"]
    assert [one["id"] for one in listed] == [app["id"]]
    assert world.graph("POST", f"/directory/deletedItems/{app['id']}/restore").status_code == 200
    assert world.graph("GET", f"/applications/{app['id']}").status_code == 200
    world.graph("DELETE", f"/applications/{app['id']}")
    assert world.graph("DELETE", f"/directory/deletedItems/{app['id']}").status_code == 204
    assert world.graph("GET", f"/directory/deletedItems/{app['id']}").status_code == 404


def test_lists_come_in_pages_whose_links_are_followed_verbatim(world: Any) -> None:
    for number in range(5):
        create(world, displayName=f"Paged {number}")
    link, seen = "/applications?$filter=startswith(displayName,'paged')&$top=2&$select=displayName", []
    answer = world.graph("GET", link).json()
    while True:
        seen += [one["displayName"] for one in answer["value"]]
        assert all(set(one) == {"displayName"} for one in answer["value"])
        if "@odata.nextLink" not in answer:
            break
        assert answer["@odata.nextLink"].startswith("https://localhost/v1.0/applications?")
        answer = world.graph("GET", answer["@odata.nextLink"].removeprefix("https://localhost/v1.0")).json()
    assert seen == [f"Paged {number}" for number in range(5)]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("$filter=displayName eq 'one'", ["One"]),
        ("$filter=displayName in ('one','two')", ["One", "Two"]),
        ("$filter=startswith(displayName,'T') and signInAudience eq 'AzureADMyOrg'", ["Two"]),
        ("$filter=tags/any(t:t eq 'HideApp')", ["One"]),
        ("$filter=identifierUris/any(x:x eq 'https://one.partner.contoso.example')", ["One"]),
        ("$filter=uniqueName eq 'uno'", ["One"]),
    ],
)
def test_filters_select_apps(world: Any, query: str, names: list[str]) -> None:
    create(world, displayName="One", tags=["HideApp"], identifierUris=["https://one.partner.contoso.example"], uniqueName="uno")
    create(world, displayName="Two", signInAudience="AzureADMyOrg")
    assert [one["displayName"] for one in world.graph("GET", f"/applications?{query}").json()["value"]] == names


@pytest.mark.parametrize(
    "query",
    [
        "$filter=displayName ne 'x'",
        "$filter=endswith(displayName,'x')",
        "$filter=colour eq 'blue'",
        "$filter=(((",
        "$filter=displayName eq 'x'&$orderby=displayName",
        "$top=1000",
        "$top=0",
        "$skip=1",
        '$search="displayName:x"',
    ],
)
def test_queries_the_directory_does_not_answer_are_refused(world: Any, query: str) -> None:
    assert world.graph("GET", f"/applications?{query}").status_code == 400


def test_advanced_queries_need_their_header_and_count(world: Any) -> None:
    query, eventual = "/applications?$filter=displayName ne 'Reader'&$count=true", {"ConsistencyLevel": "eventual"}
    answer = world.graph("GET", query, headers=eventual)
    assert (answer.status_code, answer.json()["@odata.count"]) == (200, len(answer.json()["value"]))


# -- credentials --------------------------------------------------------------------------------------------------


def test_a_secret_shows_once_works_and_stops_working_when_removed(world: Any) -> None:
    path = f"/applications(appId='{APP}')"
    answer = world.graph("POST", f"{path}/addPassword", json={"passwordCredential": {"displayName": "new"}})
    made = answer.json()
    assert len(made["secretText"]) == 40
    assert made["hint"] == made["secretText"][:3]
    shown = world.graph("GET", path)
    assert made["secretText"] not in shown.text
    assert made["keyId"] in [one["keyId"] for one in shown.json()["passwordCredentials"]]
    assert world.token(HOME, client_secret=made["secretText"]).status_code == 200
    assert world.graph("POST", f"{path}/removePassword", json={"keyId": made["keyId"]}).status_code == 204
    assert world.token(HOME, client_secret=made["secretText"]).json()["error_codes"] == [7000215]
    assert world.graph("POST", f"{path}/removePassword", json={"keyId": made["keyId"]}).status_code == 400


def test_a_secret_lasts_two_years_unless_told_otherwise(world: Any) -> None:
    path = f"/applications(appId='{APP}')/addPassword"
    made = world.graph("POST", path, json={}).json()
    assert int(made["endDateTime"][:4]) - int(made["startDateTime"][:4]) == 2
    wanted = {"startDateTime": "2030-01-01T00:00:00Z", "endDateTime": "2030-02-01T00:00:00Z"}
    assert world.graph("POST", path, json={"passwordCredential": wanted}).json()["endDateTime"] == "2030-02-01T00:00:00Z"
    backwards = {"startDateTime": "2030-02-01T00:00:00Z", "endDateTime": "2030-01-01T00:00:00Z"}
    assert world.graph("POST", path, json={"passwordCredential": backwards}).status_code == 400


@pytest.mark.parametrize(
    ("policy", "credential", "code"),
    [
        ({"block_secrets": True}, {}, "CredentialTypeNotAllowedAsPerAppPolicy"),
        ({"max_secret_lifetime": "P90D"}, {}, "CredentialInvalidLifetimeAsPerAppPolicy"),
    ],
)
def test_a_tenant_policy_can_forbid_secrets(
    make_world: Callable[..., Any], policy: dict[str, Any], credential: dict[str, Any], code: str
) -> None:
    home = {"tenant_id": HOME, "domain": "partner.contoso.example", "display_name": "Contoso Partner", "policy": policy}
    world = make_world(home=home)
    answer = world.graph("POST", f"/applications(appId='{APP}')/addPassword", json={"passwordCredential": credential})
    assert code_of(answer) == (400, code)
    assert world.graph("GET", "/policies/defaultAppManagementPolicy").json()["isEnabled"] is True
    assert world.graph("PATCH", "/policies/defaultAppManagementPolicy", json={"isEnabled": False}).status_code == 204
    assert world.graph("POST", f"/applications(appId='{APP}')/addPassword", json={}).status_code == 200


def test_certificates_are_set_by_patch_and_show_their_key_only_on_request(world: Any, certificate: Any, other_certificate: Any) -> None:
    path = f"/applications(appId='{APP}')"
    entry = {"type": "AsymmetricX509Cert", "usage": "Verify", "key": base64.b64encode(certificate.der).decode()}
    assert world.graph("PATCH", path, json={"keyCredentials": [entry]}).status_code == 204
    plain = world.graph("GET", path).json()["keyCredentials"]
    full = world.graph("GET", f"{path}?$select=keyCredentials").json()["keyCredentials"]
    assert plain[0]["key"] is None
    assert full[0]["key"] == entry["key"]
    second = entry | {"key": base64.b64encode(other_certificate.der).decode()}
    world.graph("PATCH", path, json={"keyCredentials": [plain[0], second]})
    assert len(world.graph("GET", path).json()["keyCredentials"]) == 2
    world.graph("PATCH", path, json={"keyCredentials": [second]})
    assert [one["keyId"] for one in world.graph("GET", path).json()["keyCredentials"]] != [plain[0]["keyId"]]


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({"key": "bm90IGEgY2VydGlmaWNhdGU="}, "Request_BadRequest"),
        ({"key": "???"}, "Request_BadRequest"),
        ({"type": "Symmetric"}, "Request_BadRequest"),
        ({"endDateTime": "2099-01-01T00:00:00Z"}, "KeyCredentialsInvalidEndDate"),
        ({"startDateTime": "2001-01-01T00:00:00Z"}, "KeyCredentialsInvalidStartDate"),
    ],
)
def test_a_certificate_that_cannot_be_used_is_refused(world: Any, certificate: Any, entry: dict[str, str], code: str) -> None:
    whole = {"type": "AsymmetricX509Cert", "usage": "Verify", "key": base64.b64encode(certificate.der).decode()} | entry
    answer = world.graph("PATCH", f"/applications(appId='{APP}')", json={"keyCredentials": [whole]})
    assert code_of(answer) == (400, code)


def proof_of(world: Any, certificate: Any, **change: Any) -> str:
    """A proof of possession for addKey and removeKey."""
    now = int(datetime.now(timezone.utc).timestamp())
    claims = {"aud": "00000002-0000-0000-c000-000000000000", "iss": world.cloud.applications[APP].id, "nbf": now, "exp": now + 600} | change
    x5t = base64.urlsafe_b64encode(certificate.thumbprint()).rstrip(b"=").decode()
    return jwt.encode(claims, certificate.key_pem, algorithm="RS256", headers={"x5t": x5t})


def test_a_key_is_rolled_with_a_proof_of_the_old_one(make_world: Callable[..., Any], certificate: Any, other_certificate: Any) -> None:
    world = make_world(app={"certificates": [certificate.pem]})
    path = f"/applications(appId='{APP}')"
    fresh = {"type": "AsymmetricX509Cert", "usage": "Verify", "key": base64.b64encode(other_certificate.der).decode()}
    proof = proof_of(world, certificate)
    added = world.graph("POST", f"{path}/addKey", json={"keyCredential": fresh, "proof": proof, "passwordCredential": None})
    assert added.status_code == 200
    assert len(world.graph("GET", path).json()["keyCredentials"]) == 2
    removed = world.graph("POST", f"{path}/removeKey", json={"keyId": added.json()["keyId"], "proof": proof})
    assert removed.status_code == 204


@pytest.mark.parametrize(
    "change",
    [
        {"iss": APP},
        {"aud": "https://graph.microsoft.com"},
        {"exp": 4102444800},
        {"nbf": 0, "exp": 1},
    ],
)
def test_a_proof_that_proves_nothing_is_refused(make_world: Callable[..., Any], certificate: Any, change: dict[str, Any]) -> None:
    world = make_world(app={"certificates": [certificate.pem]})
    body = {"keyCredential": {}, "proof": proof_of(world, certificate, **change)}
    assert world.graph("POST", f"/applications(appId='{APP}')/addKey", json=body).status_code == 401


def test_a_proof_by_an_unregistered_key_is_refused(make_world: Callable[..., Any], certificate: Any, other_certificate: Any) -> None:
    world = make_world(app={"certificates": [certificate.pem]})
    body = {"keyCredential": {}, "proof": proof_of(world, other_certificate)}
    assert world.graph("POST", f"/applications(appId='{APP}')/addKey", json=body).status_code == 401


FEDERATED = {"name": "github-main", "issuer": "https://idp.example", "subject": "repo:x", "audiences": ["api://AzureADTokenExchange"]}


def test_federated_credentials_are_created_updated_upserted_and_deleted(world: Any) -> None:
    path = f"/applications(appId='{APP}')/federatedIdentityCredentials"
    made = world.graph("POST", path, json=FEDERATED)
    assert made.status_code == 201
    assert world.graph("POST", path, json=FEDERATED).status_code == 409
    assert world.graph("POST", path, json=FEDERATED | {"name": "other-name"}).status_code == 400
    assert world.graph("PATCH", f"{path}/{made.json()['id']}", json={"subject": "repo:y"}).status_code == 204
    assert world.graph("GET", f"{path}(name='github-main')").json()["subject"] == "repo:y"
    upsert = {"issuer": "https://idp2.example", "subject": "s", "audiences": ["a"]}
    prefer = {"Prefer": "create-if-missing"}
    assert world.graph("PATCH", f"{path}(name='second')", json=upsert, headers=prefer).status_code == 201
    assert world.graph("PATCH", f"{path}(name='second')", json=upsert, headers=prefer).status_code == 204
    assert len(world.graph("GET", path).json()["value"]) == 2
    assert world.graph("DELETE", f"{path}/{made.json()['id']}").status_code == 204
    assert [one["name"] for one in world.graph("GET", path).json()["value"]] == ["second"]


@pytest.mark.parametrize("change", [{"name": "x"}, {"issuer": ""}, {"audiences": ["a", "b"]}, {"audiences": []}, {"subject": "s" * 601}])
def test_a_federated_credential_outside_the_limits_is_refused(world: Any, change: dict[str, Any]) -> None:
    path = f"/applications(appId='{APP}')/federatedIdentityCredentials"
    assert world.graph("POST", path, json=FEDERATED | change).status_code == 400


def test_an_app_has_twenty_federated_credentials_at_most(world: Any) -> None:
    path = f"/applications(appId='{APP}')/federatedIdentityCredentials"
    for number in range(20):
        assert world.graph("POST", path, json=FEDERATED | {"name": f"name-{number}", "subject": str(number)}).status_code == 201
    assert code_of(world.graph("POST", path, json=FEDERATED)) == (403, "Directory_QuotaExceeded")


# -- grants -------------------------------------------------------------------------------------------------------


def principal(world: Any, app_id: str, tenant: str = FABRIKAM) -> str:
    return str(world.graph("GET", f"/servicePrincipals(appId='{app_id}')?$select=id", tenant=tenant).json()["id"])


def test_a_grant_made_through_graph_gives_the_role_and_its_removal_takes_it(world: Any) -> None:
    client = world.graph("POST", "/servicePrincipals", tenant=FABRIKAM, json={"appId": APP}).json()["id"]
    resource = principal(world, MTP)
    body = {"principalId": client, "resourceId": resource, "appRoleId": INCIDENT_READ}
    path = f"/servicePrincipals/{resource}/appRoleAssignedTo"
    made = world.graph("POST", path, tenant=FABRIKAM, json=body)
    assert made.status_code == 201
    assert made.json()["resourceDisplayName"] == "Microsoft Threat Protection"
    assert len(made.json()["id"]) == 43
    again = world.graph("POST", f"/servicePrincipals/{client}/appRoleAssignments", tenant=FABRIKAM, json=body)
    assert code_of(again) == (400, "Request_BadRequest")
    assert "already exists" in again.json()["error"]["message"]
    listed = world.graph("GET", f"/servicePrincipals(appId='{APP}')/appRoleAssignments", tenant=FABRIKAM).json()["value"]
    assert [one["id"] for one in listed] == [made.json()["id"]]
    roles = jwt.decode(world.token().json()["access_token"], options={"verify_signature": False})["roles"]
    assert roles == ["Incident.Read.All"]
    assert world.graph("DELETE", f"{path}/{made.json()['id']}", tenant=FABRIKAM).status_code == 204
    assert "roles" not in jwt.decode(world.token().json()["access_token"], options={"verify_signature": False})


@pytest.mark.parametrize(
    ("change", "status", "text"),
    [
        ({"appRoleId": NOWHERE}, 400, "was not found on application"),
        ({"appRoleId": "12c153a4-4204-4224-aa3c-4626e2f47c2b"}, 400, "was not found on application"),
        ({"principalId": NOWHERE}, 400, "Not a valid reference update"),
        ({"appRoleId": "no guid"}, 400, "Invalid value"),
        ({"resourceId": NOWHERE}, 400, "does not match"),
    ],
)
def test_a_grant_that_refers_to_nothing_is_refused(world: Any, change: dict[str, str], status: int, text: str) -> None:
    client = world.graph("POST", "/servicePrincipals", tenant=FABRIKAM, json={"appId": APP}).json()["id"]
    resource = principal(world, MTP)
    body = {"principalId": client, "resourceId": resource, "appRoleId": INCIDENT_READ} | change
    answer = world.graph("POST", f"/servicePrincipals/{resource}/appRoleAssignedTo", tenant=FABRIKAM, json=body)
    assert answer.status_code == status
    assert text in answer.json()["error"]["message"]


def test_delegated_grants_are_made_extended_and_revoked(world: Any) -> None:
    client = world.graph("POST", "/servicePrincipals", tenant=FABRIKAM, json={"appId": APP}).json()["id"]
    resource = principal(world, MTP)
    body = {"clientId": client, "consentType": "AllPrincipals", "principalId": None, "resourceId": resource, "scope": "Incident.Read"}
    made = world.graph("POST", "/oauth2PermissionGrants", tenant=FABRIKAM, json=body)
    assert made.status_code == 201
    assert world.graph("POST", "/oauth2PermissionGrants", tenant=FABRIKAM, json=body).status_code == 409
    path = f"/oauth2PermissionGrants/{made.json()['id']}"
    assert world.graph("PATCH", path, tenant=FABRIKAM, json={"scope": "Incident.Read Incident.ReadWrite"}).status_code == 204
    assert world.graph("GET", path, tenant=FABRIKAM).json()["scope"] == "Incident.Read Incident.ReadWrite"
    found = world.graph("GET", f"/oauth2PermissionGrants?$filter=clientId eq '{client}'", tenant=FABRIKAM).json()["value"]
    assert len(found) == 1
    assert world.graph("DELETE", path, tenant=FABRIKAM).status_code == 204
    assert world.graph("GET", path, tenant=FABRIKAM).status_code == 404


def test_the_roles_of_a_resource_are_looked_up_in_the_tenant(world: Any) -> None:
    body = world.graph("GET", f"/servicePrincipals(appId='{MTP}')?$select=id,appRoles,oauth2PermissionScopes").json()
    assert {role["value"]: role["id"] for role in body["appRoles"]}["Incident.Read.All"] == INCIDENT_READ
    assert len(body["appRoles"]) == len(body["oauth2PermissionScopes"]) == 4


# -- permissions --------------------------------------------------------------------------------------------------


def limited(make_world: Callable[..., Any], *permissions: str) -> Any:
    """A world whose bootstrap app holds these Graph permissions alone."""
    return make_world(bootstrap={"permissions": [f"MicrosoftGraph/{name}" for name in permissions]})


@pytest.mark.parametrize(
    ("permissions", "method", "path", "body", "status"),
    [
        (["Application.Read.All"], "GET", "/applications", None, 200),
        (["Application.Read.All"], "POST", "/applications", BODY, 403),
        (["AppRegistration.Create"], "POST", "/applications", BODY, 201),
        (["AppRegistration.Create"], "GET", "/applications", None, 403),
        (["Application.ReadWrite.OwnedBy"], "POST", "/applications", BODY, 201),
        (["Application.ReadWrite.OwnedBy"], "PATCH", f"/applications(appId='{APP}')", {"notes": "x"}, 403),
        (["Application.ReadWrite.OwnedBy"], "POST", "/servicePrincipals", {"appId": MTP}, 403),
        (["Application.Read.All"], "GET", "/contracts", None, 403),
        (["Directory.Read.All"], "GET", "/contracts", None, 200),
        (["Directory.Read.All"], "GET", "/oauth2PermissionGrants", None, 200),
        (["Application.Read.All"], "GET", "/oauth2PermissionGrants", None, 403),
        (["Directory.Read.All"], "GET", "/organization", None, 200),
        (["SecurityIncident.Read.All"], "GET", "/organization", None, 403),
        (["Directory.Read.All"], "GET", "/policies/defaultAppManagementPolicy", None, 403),
    ],
)
def test_each_call_needs_its_permission(
    make_world: Callable[..., Any], permissions: list[str], method: str, path: str, body: dict[str, Any] | None, status: int
) -> None:
    answer = limited(make_world, *permissions).graph(method, path, json=body)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["error"]["code"] == "Authorization_RequestDenied"


@pytest.mark.parametrize(
    ("permissions", "status"),
    [
        (["AppRoleAssignment.ReadWrite.All"], 403),
        (["Application.Read.All"], 403),
        (["AppRoleAssignment.ReadWrite.All", "Application.Read.All"], 201),
    ],
)
def test_granting_a_role_needs_two_permissions(make_world: Callable[..., Any], permissions: list[str], status: int) -> None:
    world = limited(make_world, *permissions)
    directory = world.cloud.tenants[HOME].directory
    client, resource = directory.service_principal(APP).id, directory.service_principal(MTP).id
    body = {"principalId": client, "resourceId": resource, "appRoleId": "8d90f441-09cf-4fdc-ab45-e874fa3a28e8"}
    assert world.graph("POST", f"/servicePrincipals/{resource}/appRoleAssignedTo", json=body).status_code == status


def test_owned_by_manages_the_apps_it_made(make_world: Callable[..., Any]) -> None:
    world = limited(make_world, "Application.ReadWrite.OwnedBy")
    app = world.graph("POST", "/applications", json=BODY).json()
    owners = world.graph("GET", f"/applications/{app['id']}/owners").json()["value"]
    assert [one["appId"] for one in owners] == [world.cloud.bootstrap["client_id"]]
    assert world.graph("PATCH", f"/applications/{app['id']}", json={"notes": "mine"}).status_code == 204
    assert world.graph("POST", f"/applications/{app['id']}/addPassword", json={}).status_code == 200
    assert world.graph("POST", "/servicePrincipals", json={"appId": app["appId"]}).status_code == 201


# -- authentication -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("", "Access token is empty."),
        ("abc", "IDX14100: JWT is not well formed"),
        ("a.b.c", "IDX14100: JWT is not well formed"),
    ],
)
def test_a_bad_bearer_token_gives_401_with_the_reason(world: Any, token: str, message: str) -> None:
    answer = world.http.get("/v1.0/applications", headers={"Authorization": f"Bearer {token}"})
    assert code_of(answer) == (401, "InvalidAuthenticationToken")
    assert answer.json()["error"]["message"].startswith(message)
    assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert answer.headers["request-id"] == answer.json()["error"]["innerError"]["request-id"]


def test_a_token_for_another_audience_or_with_another_signature_is_refused(world: Any) -> None:
    world.consented()
    defender = world.token().json()["access_token"]
    wrong = world.http.get("/v1.0/applications", headers={"Authorization": f"Bearer {defender}"})
    assert "Invalid audience" in wrong.json()["error"]["message"]
    forged = world.graph_token()[:-6] + "AAAAAA"
    assert "Signature is invalid" in world.graph("GET", "/applications", token=forged).json()["error"]["message"]
    graph = world.graph_token()
    incidents = world.http.get("/api/incidents", headers={"Authorization": f"Bearer {graph}"})
    assert incidents.status_code == 401
    assert "Audience: https://graph.microsoft.com" in incidents.json()["error"]["message"]


def test_an_unknown_path_is_an_unknown_segment(world: Any) -> None:
    assert code_of(world.graph("GET", "/unknownThings")) == (400, "BadRequest")
    assert world.http.get("/api/unknown").status_code == 404


ODD: list[Any] = [{"oauth2PermissionScopes": [5]}, 5, "text", [], {}, [5], ["x"], {"a": 5}, True, None, [[]], [{}]]
PROPERTIES = (
    "displayName",
    "signInAudience",
    "web",
    "spa",
    "publicClient",
    "api",
    "info",
    "requiredResourceAccess",
    "tags",
    "notes",
    "identifierUris",
    "keyCredentials",
    "passwordCredentials",
    "isFallbackPublicClient",
    "uniqueName",
    "appRoles",
)


@pytest.mark.parametrize("name", PROPERTIES)
def test_no_odd_value_of_a_property_makes_the_service_stumble(world: Any, name: str) -> None:
    for value in ODD:
        answer = world.graph("POST", "/applications", json=BODY | {name: value})
        assert answer.status_code in (201, 400), (name, value, answer.text)
        if answer.status_code == 201:
            path = f"/applications/{answer.json()['id']}"
            assert world.graph("GET", path).status_code == 200, (name, value)
            assert world.graph("POST", "/servicePrincipals", json={"appId": answer.json()["appId"]}).status_code == 201
            assert world.graph("DELETE", path).status_code == 204
    assert world.graph("GET", "/servicePrincipals").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"/applications(appId='{APP}')/addPassword", {"passwordCredential": "x"}),
        ("POST", f"/applications(appId='{APP}')/addPassword", {"passwordCredential": {"endDateTime": 5}}),
        ("PATCH", f"/applications(appId='{APP}')", {"keyCredentials": ["x"]}),
        ("POST", "/servicePrincipals", {"appId": 5}),
        ("PATCH", f"/servicePrincipals(appId='{APP}')", {"accountEnabled": "no"}),
        ("POST", f"/servicePrincipals(appId='{APP}')/appRoleAssignments", {"principalId": 5}),
        ("POST", "/oauth2PermissionGrants", {"clientId": 5, "consentType": "AllPrincipals", "scope": "x"}),
        ("POST", "/oauth2PermissionGrants", {"clientId": [], "consentType": []}),
    ],
)
def test_a_body_of_the_wrong_shape_is_a_bad_request(world: Any, method: str, path: str, body: dict[str, Any]) -> None:
    assert world.graph(method, path, json=body).status_code == 400
    assert world.graph(method, path, content=b"{not json").status_code == 400
    assert world.graph(method, path, content=b"[]").status_code == 400
