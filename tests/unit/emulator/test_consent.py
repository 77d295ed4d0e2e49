# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The consent pages: what each link form shows, calls back with and leaves behind."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable
from typing import Any

import httpx
import pytest

HOME = "11111111-1111-4111-8111-000000000001"
FABRIKAM = "11111111-1111-4111-8111-000000000002"
NORTHWIND = "11111111-1111-4111-8111-000000000003"
APP = "33333333-3333-4333-8333-000000000001"
MTP = "8ee8fdad-f234-4243-8f3b-15c294843740"
PORTAL = "https://portal.azure.com"
DONE = "https://partner.contoso.example/done"
SEED_LINK = f"/common/oauth2/authorize?prompt=consent&client_id={APP}&response_type=code&sso_reload=true"
V2_SCOPE = urllib.parse.quote("https://api.security.microsoft.com/.default", safe="")


def v1(tenant: str = "organizations", **more: str) -> str:
    return f"/{tenant}/adminconsent?" + urllib.parse.urlencode({"client_id": APP, "redirect_uri": DONE, "state": "s 1"} | more)


def v2(tenant: str = "organizations", **more: str) -> str:
    query = {"client_id": APP, "redirect_uri": DONE, "state": "s 1", "scope": "https://api.security.microsoft.com/.default"} | more
    return f"/{tenant}/v2.0/adminconsent?" + urllib.parse.urlencode(query)


def landed(answer: httpx.Response) -> tuple[str, dict[str, str]]:
    """Where the browser was sent, and the query it took along."""
    assert answer.status_code == 302, answer.text
    parts = urllib.parse.urlsplit(answer.headers["location"])
    return f"{parts.scheme}://{parts.netloc}{parts.path}", dict(urllib.parse.parse_qsl(parts.query))


def code_of(page: httpx.Response) -> int | None:
    found = re.search(r'data-code="(\d+)"', page.text)
    return int(found[1]) if found else None


def granted(world: Any, tenant: str = FABRIKAM) -> list[str]:
    state = world.http.get("/_emulator/state", params={"tenant": tenant}).json()["tenants"][0]
    return sorted(one["permission"] for one in state["app_role_assignments"] if one["client_id"] == APP)


BOTH = ["Microsoft Threat Protection/AdvancedHunting.Read.All", "Microsoft Threat Protection/Incident.Read.All"]


def test_the_link_of_the_source_page_lands_at_the_portal_with_a_code(world: Any) -> None:
    place, query = landed(world.consent(SEED_LINK))
    assert place == f"{PORTAL}/"
    assert set(query) == {"code", "session_state"}
    assert granted(world) == BOTH


def test_the_page_lists_what_is_asked_for(world: Any) -> None:
    page = world.http.get(SEED_LINK)
    canary = re.search(r'name="canary" value="([^"]+)"', page.text)
    assert canary
    page = world.http.post(SEED_LINK, data={"canary": canary[1], "username": "admin@fabrikam.example", "password": "admin-pass"})
    assert "Microsoft Threat Protection: Incident.Read.All (application permission)" in page.text
    assert "partner.contoso.example" in page.text


def test_one_post_signs_in_and_consents(world: Any) -> None:
    answer = world.http.post(SEED_LINK, data={"username": "admin@fabrikam.example", "password": "admin-pass", "consent": "accept"})
    assert landed(answer)[0] == f"{PORTAL}/"


def test_a_page_form_without_its_anti_forgery_value_is_shown_again(world: Any) -> None:
    page = world.http.post(SEED_LINK, data={"username": "admin@fabrikam.example", "password": "admin-pass"})
    assert (page.status_code, code_of(page)) == (200, 9002313)
    assert granted(world) == []


def test_a_flow_token_works_once(world: Any) -> None:
    canary = re.search(r'name="canary" value="([^"]+)"', world.http.get(SEED_LINK).text)
    assert canary
    page = world.http.post(SEED_LINK, data={"canary": canary[1], "username": "admin@fabrikam.example", "password": "admin-pass"})
    flow = re.search(r'name="flow" value="([^"]+)"', page.text)
    assert flow
    assert world.http.post(SEED_LINK, data={"flow": flow[1], "consent": "accept"}).status_code == 302
    assert code_of(world.http.post(SEED_LINK, data={"flow": flow[1], "consent": "accept"})) == 9002313


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (v1(), {"tenant": FABRIKAM, "state": "s 1", "admin_consent": "True"}),
        (v1("common"), {"tenant": FABRIKAM, "state": "s 1", "admin_consent": "True"}),
        (v1("fabrikam.example"), {"tenant": FABRIKAM, "state": "s 1", "admin_consent": "True"}),
        (
            v2(FABRIKAM),
            {
                "admin_consent": "True",
                "tenant": FABRIKAM,
                "scope": "https://api.security.microsoft.com/Incident.Read.All https://api.security.microsoft.com/AdvancedHunting.Read.All",
                "state": "s 1",
            },
        ),
    ],
)
def test_success_calls_back_with_the_parameters_of_the_link_form(world: Any, link: str, expected: dict[str, str]) -> None:
    assert landed(world.consent(link)) == (DONE, expected)
    assert granted(world) == BOTH


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (v1(), {"error": "permission_denied", "state": "s 1"}),
        (v2(), {"admin_consent": "True", "error": "consent_required", "tenant": FABRIKAM, "state": "s 1"}),
        (f"{SEED_LINK}&state=x", {"error": "access_denied", "error_subcode": "cancel", "state": "x"}),
    ],
)
def test_a_declined_consent_calls_back_with_the_error_of_the_link_form(world: Any, link: str, expected: dict[str, str]) -> None:
    _place, query = landed(world.consent(link, answer="cancel"))
    assert query.pop("error_description").startswith("AADSTS65004: ")
    assert query == expected
    assert granted(world) == []


@pytest.mark.parametrize(
    ("link", "code"),
    [
        (v1(redirect_uri="https://elsewhere.example/"), 50011),
        (v1(redirect_uri=f"{DONE}/"), 50011),
        (v1(redirect_uri=DONE.replace("done", "Done")), 50011),
        (v1(client_id="33333333-3333-4333-8333-999999999999"), 700016),
        ("/organizations/adminconsent", 900144),
        (f"/organizations/v2.0/adminconsent?client_id={APP}&redirect_uri={PORTAL}", 900144),
        (f"/organizations/v2.0/adminconsent?client_id={APP}&scope={V2_SCOPE}", 900144),
        (v2("common"), 90130),
        (v1("consumers"), 90130),
        (v1("unknown.example"), 90002),
    ],
)
def test_a_link_that_cannot_work_shows_its_error_instead_of_calling_back(world: Any, link: str, code: int) -> None:
    page = world.http.get(link)
    assert "location" not in page.headers
    assert code_of(page) == code


@pytest.mark.parametrize(
    ("username", "password", "code"),
    [
        ("admin@fabrikam.example", "wrong", 50126),
        ("nobody@fabrikam.example", "admin-pass", 50034),
        ("admin@northwind.example", "admin-pass", 50020),
        ("user@fabrikam.example", "user-pass", 90094),
    ],
)
def test_who_may_not_consent_is_told_why(world: Any, username: str, password: str, code: int) -> None:
    page = world.http.post(v1(FABRIKAM), data={"username": username, "password": password, "consent": "accept"})
    assert code_of(page) == code
    assert granted(world) == []


def test_somebody_who_needs_approval_can_go_back_to_the_application(world: Any) -> None:
    answer = world.consent(v1(FABRIKAM), username="user@fabrikam.example", password="user-pass", answer="cancel")
    assert landed(answer)[1]["error"] == "permission_denied"


def test_an_application_administrator_may_grant_defender_but_not_graph(make_world: Callable[..., Any]) -> None:
    person = {"username": "appadmin@fabrikam.example", "password": "app-pass"}
    assert landed(make_world().consent(v1(FABRIKAM), **person))[0] == DONE
    world = make_world(app={"permissions": ["MicrosoftGraph/SecurityIncident.Read.All"]})
    page = world.http.post(v1(FABRIKAM), data=person | {"consent": "accept"})
    assert code_of(page) == 90094


def test_a_tenant_without_the_product_cannot_consent(world: Any) -> None:
    page = world.consent(v1(NORTHWIND), username="admin@northwind.example")
    assert (page.status_code, code_of(page)) == (200, 650052)
    assert world.token(NORTHWIND).json()["error_codes"] == [700016]


def test_a_scenario_may_send_the_missing_product_back_to_the_application(make_world: Callable[..., Any]) -> None:
    world = make_world(unverified={"consent_error_delivery": "redirect"})
    assert landed(world.consent(v2(NORTHWIND), username="admin@northwind.example"))[1]["error"] == "consent_required"


def test_a_scenario_may_let_consent_pass_over_a_missing_product(make_world: Callable[..., Any]) -> None:
    world = make_world(unverified={"consent_without_product": "skip"})
    assert landed(world.consent(v1(NORTHWIND), username="admin@northwind.example"))[0] == DONE
    assert world.token(NORTHWIND).json()["error_codes"] == [500011]


def test_consenting_again_changes_nothing_and_revokes_what_is_no_longer_declared(world: Any) -> None:
    world.consented()
    directory = world.cloud.tenants[FABRIKAM].directory
    before = (directory.service_principal(APP).id, set(directory.assignments))
    world.consented()
    assert (directory.service_principal(APP).id, set(directory.assignments)) == before
    access = [{"resourceAppId": MTP, "resourceAccess": [{"id": "a9790345-4595-42e4-971a-ccdc79f19b7c", "type": "Role"}]}]
    assert world.graph("PATCH", f"/applications(appId='{APP}')", json={"requiredResourceAccess": access}).status_code == 204
    assert granted(world) == BOTH
    world.consented()
    assert granted(world) == ["Microsoft Threat Protection/Incident.Read.All"]


def test_consent_for_one_resource_leaves_the_grants_of_others_alone(make_world: Callable[..., Any]) -> None:
    world = make_world(app={"permissions": ["MicrosoftThreatProtection/Incident.Read.All", "MicrosoftGraph/SecurityIncident.Read.All"]})
    landed(world.consent(v2(FABRIKAM, scope="https://graph.microsoft.com/.default")))
    assert granted(world) == ["Microsoft Graph/SecurityIncident.Read.All"]
    landed(world.consent(v2(FABRIKAM)))
    assert granted(world) == ["Microsoft Graph/SecurityIncident.Read.All", "Microsoft Threat Protection/Incident.Read.All"]


def test_consent_after_deletion_makes_a_new_object(world: Any) -> None:
    world.consented()
    directory = world.cloud.tenants[FABRIKAM].directory
    before = directory.service_principal(APP).id
    world.graph("DELETE", f"/servicePrincipals/{before}", tenant=FABRIKAM)
    world.consented()
    assert directory.service_principal(APP).id != before
    assert granted(world) == BOTH


def test_delegated_permissions_are_granted_for_everybody(make_world: Callable[..., Any]) -> None:
    world = make_world(app={"permissions": [], "scopes": ["MicrosoftThreatProtection/Incident.Read"]})
    landed(world.consent(v1(FABRIKAM)))
    grants = world.graph("GET", "/oauth2PermissionGrants", tenant=FABRIKAM).json()["value"]
    assert [(one["consentType"], one["principalId"], one["scope"].split()) for one in grants] == [
        ("AllPrincipals", None, ["Incident.Read"])
    ]


def test_prompt_admin_consent_marks_the_success(world: Any) -> None:
    link = SEED_LINK.replace("prompt=consent", "prompt=admin_consent")
    assert landed(world.consent(link))[1]["admin_consent"] == "True"


def test_prompt_none_answers_that_nobody_is_signed_in(world: Any) -> None:
    link = SEED_LINK.replace("prompt=consent", "prompt=none")
    assert landed(world.http.get(link))[1]["error"] == "login_required"


def test_no_password_reaches_the_request_log(world: Any) -> None:
    world.consent(SEED_LINK)
    shown = world.http.get("/_emulator/requests").text
    assert "admin-pass" not in shown
    assert "authorize_v1" in shown
