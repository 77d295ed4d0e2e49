# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.consent_links import signed_state, state_matches
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError
from ansible_collections.m365d.partner.plugins.module_utils._core.guids import PLACEHOLDER
from ansible_collections.m365d.partner.plugins.module_utils._ops import consent_url as operation
from ansible_collections.m365d.partner.plugins.module_utils._ops._task import Outcome, Task
from hypothesis import given
from hypothesis import strategies as st
from unit.apps.exchange import APP_ID, options

CUSTOMER = "11111111-1111-4111-8111-000000000002"
OTHER = "11111111-1111-4111-8111-000000000003"
BACK = "https://onboarding.contoso.example/consented?source=a+b&x=1"
BACK_ENCODED = "https%3A%2F%2Fonboarding.contoso.example%2Fconsented%3Fsource%3Da%2Bb%26x%3D1"
STATE = "0123456789abcdef+/="
STATE_ENCODED = "0123456789abcdef%2B%2F%3D"
SECRET = "a-secret-of-the-partner-that-is-long-enough"
LOGIN = "https://login.microsoftonline.com"


def run(*, check_mode: bool = False, tenant_id: str | None = None, **given: Any) -> tuple[Outcome, list[str]]:
    warnings: list[str] = []
    params = options(operation.OPERATION, {"client_id": APP_ID, **given})
    task = Task(params={**params, "tenant_id": tenant_id}, check_mode=check_mode, warn=warnings.append)
    return operation.OPERATION.run(task), warnings


def url(**given: Any) -> str:
    outcome, _warnings = run(**given)
    return str(outcome.result["consent_url"])


SEED = f"client_id={APP_ID}&response_type=code&sso_reload=true"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({}, f"{LOGIN}/common/oauth2/authorize?prompt=consent&{SEED}", id="the link of the source page"),
        pytest.param({"tenant_id": CUSTOMER}, f"{LOGIN}/{CUSTOMER}/oauth2/authorize?prompt=consent&{SEED}", id="pinned to a tenant"),
        pytest.param(
            {"form": "v1_authorize", "tenant_id": "fabrikam.example", "redirect_uri": BACK, "state": STATE},
            f"{LOGIN}/fabrikam.example/oauth2/authorize?prompt=consent&{SEED}&redirect_uri={BACK_ENCODED}&state={STATE_ENCODED}",
            id="v1 authorize with a way back",
        ),
        pytest.param(
            {"form": "v1_authorize_admin"}, f"{LOGIN}/common/oauth2/authorize?prompt=admin_consent&{SEED}", id="v1 authorize for all users"
        ),
        pytest.param(
            {"form": "v1_admin_consent", "state": STATE}, f"{LOGIN}/common/adminconsent?client_id={APP_ID}&state={STATE_ENCODED}", id="v1"
        ),
        pytest.param(
            {"form": "v1_admin_consent", "tenant_id": CUSTOMER.upper(), "redirect_uri": BACK, "state": STATE},
            f"{LOGIN}/{CUSTOMER}/adminconsent?client_id={APP_ID}&redirect_uri={BACK_ENCODED}&state={STATE_ENCODED}",
            id="v1 admin consent",
        ),
        pytest.param(
            {"form": "v2_admin_consent", "resource": "MicrosoftThreatProtection", "redirect_uri": BACK, "state": STATE},
            f"{LOGIN}/organizations/v2.0/adminconsent?client_id={APP_ID}&scope=https%3A%2F%2Fapi.security.microsoft.com%2F.default"
            f"&redirect_uri={BACK_ENCODED}&state={STATE_ENCODED}",
            id="v2 admin consent for anybody",
        ),
        pytest.param(
            {
                "form": "v2_admin_consent",
                "permissions": ["MicrosoftGraph/SecurityIncident.Read.All"],
                "redirect_uri": "https://portal.azure.com",
                "state": STATE,
            },
            f"{LOGIN}/organizations/v2.0/adminconsent?client_id={APP_ID}&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"
            f"&redirect_uri=https%3A%2F%2Fportal.azure.com&state={STATE_ENCODED}",
            id="v2 admin consent by permission",
        ),
        pytest.param(
            {
                "form": "v2_admin_consent",
                "resource": "api://88888888-8888-4888-8888-000000000001/",
                "redirect_uri": "https://x.example",
                "state": STATE,
            },
            f"{LOGIN}/organizations/v2.0/adminconsent?client_id={APP_ID}"
            f"&scope=api%3A%2F%2F88888888-8888-4888-8888-000000000001%2F.default&redirect_uri=https%3A%2F%2Fx.example&state={STATE_ENCODED}",
            id="v2 admin consent for another API",
        ),
        pytest.param(
            {"cloud": "gcc_high"}, f"https://login.microsoftonline.us/common/oauth2/authorize?prompt=consent&{SEED}", id="another cloud"
        ),
        pytest.param(
            {"login_url": "https://localhost:8443"},
            f"https://localhost:8443/common/oauth2/authorize?prompt=consent&{SEED}",
            id="another server",
        ),
    ],
)
def test_the_links_are_those_of_microsofts_pages_parameter_by_parameter(given: dict[str, Any], expected: str) -> None:
    assert url(**given) == expected


@pytest.mark.parametrize(
    ("given", "form"),
    [
        ({}, "v1_authorize"),
        ({"permissions": ["Incident.Read.All"]}, "v1_authorize"),
        ({"redirect_uri": "https://x.example"}, "v1_admin_consent"),
        ({"redirect_uri": "https://x.example", "resource": "MicrosoftGraph"}, "v2_admin_consent"),
        ({"redirect_uri": "https://x.example", "permissions": ["Incident.Read.All", "Incident.ReadWrite.All"]}, "v2_admin_consent"),
        ({"redirect_uri": "https://x.example", "permissions": ["Incident.Read.All", "SecurityIncident.Read.All"]}, "v1_admin_consent"),
    ],
)
def test_auto_takes_the_form_that_fits(given: dict[str, Any], form: str) -> None:
    outcome, warnings = run(**given)
    assert outcome.result["form"] == form
    assert warnings == []


def test_a_state_is_made_that_nobody_guesses_wherever_something_comes_back() -> None:
    for options_given in ({"form": "v1_admin_consent"}, {"form": "v1_authorize", "redirect_uri": "https://x.example"}):
        states = {run(**options_given)[0].result["state"] for _unused in range(20)}
        assert len(states) == 20
        assert all(len(state) >= 43 for state in states)
    assert run(form="v1_authorize")[0].result["state"] is None


def test_each_tenant_gets_a_link_and_a_state_of_its_own() -> None:
    outcome, _warnings = run(tenants=[CUSTOMER, "fabrikam.example"], form="v1_admin_consent", redirect_uri="https://x.example")
    links = outcome.result["consent_urls"]
    assert [link["tenant_id"] for link in links] == [CUSTOMER, "fabrikam.example"]
    assert [urlsplit(link["url"]).path for link in links] == [f"/{CUSTOMER}/adminconsent", "/fabrikam.example/adminconsent"]
    assert links[0]["state"] != links[1]["state"]
    assert outcome.result["consent_url"] == links[0]["url"]
    assert "tenant_id" not in outcome.result
    assert not outcome.changed


def test_a_tenant_that_is_named_twice_gets_one_link_and_an_empty_list_none() -> None:
    outcome, warnings = run(tenants=[CUSTOMER, CUSTOMER.upper()])
    assert len(outcome.result["consent_urls"]) == 1
    assert "more than once" in warnings[0]
    outcome, warnings = run(tenants=[])
    assert outcome.result["consent_urls"] == []
    assert outcome.result["consent_url"] is None
    assert "no link was made" in warnings[0]


def test_the_tenants_of_a_list_come_before_the_tenant_of_the_host() -> None:
    assert run(tenant_id=OTHER, tenants=[CUSTOMER])[0].result["tenant_id"] == CUSTOMER


def test_v2_makes_a_link_for_each_resource_and_warns_that_all_must_be_opened() -> None:
    permissions = ["Incident.Read.All", "SecurityIncident.Read.All"]
    outcome, warnings = run(form="v2_admin_consent", tenant_id=CUSTOMER, permissions=permissions, redirect_uri="https://x.example")
    assert [link["resource"] for link in outcome.result["consent_urls"]] == ["MicrosoftThreatProtection", "MicrosoftGraph"]
    assert "open 2 links" in warnings[0]


def test_v2_warns_of_the_resources_that_its_one_link_leaves_out() -> None:
    permissions = ["Incident.Read.All", "SecurityIncident.Read.All"]
    outcome, warnings = run(form="v2_admin_consent", resource="MicrosoftGraph", permissions=permissions, redirect_uri="https://x.example")
    assert len(outcome.result["consent_urls"]) == 1
    assert "covers one resource" in warnings[0]
    assert "not for MicrosoftThreatProtection" in warnings[0]


def test_a_signed_state_is_recognised_for_its_own_app_and_tenant_only() -> None:
    outcome, _warnings = run(tenants=[CUSTOMER, OTHER], form="v1_admin_consent", state_secret=SECRET)
    state = outcome.result["consent_urls"][0]["state"]
    assert state_matches(state, SECRET, client_id=APP_ID, tenant=CUSTOMER)
    for secret, client_id, tenant in (
        (SECRET, APP_ID, OTHER),
        (SECRET, OTHER, CUSTOMER),
        (f"{SECRET}x", APP_ID, CUSTOMER),
        (SECRET, APP_ID, None),
    ):
        assert not state_matches(state, secret, client_id=client_id, tenant=tenant)
    assert SECRET not in str(outcome.result)


@given(st.text(max_size=80))
def test_no_other_text_passes_for_a_signed_state(text: str) -> None:
    assert not state_matches(text, SECRET, client_id=APP_ID, tenant=CUSTOMER)
    assert signed_state(SECRET, client_id=APP_ID, tenant=CUSTOMER) != signed_state(SECRET, client_id=APP_ID, tenant=CUSTOMER)


@given(st.text(min_size=16, max_size=60), st.text(alphabet="abc/?&=#%+ äö", max_size=30).map(lambda tail: f"https://x.example/{tail}"))
def test_whatever_state_and_redirect_uri_hold_comes_through_the_url_unharmed(state: str, redirect_uri: str) -> None:
    if any(character.isspace() or character == "#" for character in redirect_uri) or "\ud800" <= max(state) <= "\udfff":
        return
    query = dict(parse_qsl(urlsplit(url(form="v1_admin_consent", redirect_uri=redirect_uri, state=state)).query, keep_blank_values=True))
    assert query == {"client_id": APP_ID, "redirect_uri": redirect_uri, "state": state}


def test_a_state_that_can_be_guessed_is_warned_about() -> None:
    _outcome, warnings = run(form="v1_admin_consent", state="12345")
    assert "can be guessed" in warnings[0]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"client_id": None}, "No app is named"),
        ({"client_id": "Contoso Partner Access"}, "client_id is not a GUID"),
        ({"client_id": PLACEHOLDER}, "stands for no app"),
        (
            {"form": "v2_admin_consent", "tenant_id": "common", "resource": "MicrosoftGraph", "redirect_uri": "https://x.example"},
            "stands for no particular tenant",
        ),
        ({"tenant_id": "common"}, "stands for no particular tenant"),
        ({"tenant_id": " Organizations "}, "stands for no particular tenant"),
        ({"tenant_id": "consumers"}, "stands for no particular tenant"),
        ({"tenants": [CUSTOMER, "common"]}, "stands for no particular tenant"),
        ({"tenant_id": "not a domain"}, "neither a tenant id"),
        ({"tenant_id": "contoso"}, "neither a tenant id"),
        ({"tenant_id": "-contoso.example"}, "neither a tenant id"),
        ({"tenant_id": "contoso.example/../common"}, "neither a tenant id"),
        ({"tenant_id": "11111111-1111-4111-8111-00000000000"}, "tenant_id is not a GUID"),
        ({"form": "v2_admin_consent", "resource": "MicrosoftGraph"}, "needs redirect_uri"),
        ({"form": "v2_admin_consent", "redirect_uri": "https://x.example"}, "asks for one resource"),
        ({"form": "v2_admin_consent", "redirect_uri": "https://x.example", "resource": "MicrosoftGraf"}, "Did you mean MicrosoftGraph"),
        (
            {"form": "v2_admin_consent", "redirect_uri": "https://x.example", "resource": "https://graph.microsoft.com/.default"},
            "a scope and no resource",
        ),
        ({"redirect_uri": "http://x.example"}, "cannot be a redirect URI"),
        ({"permissions": ["MicrosoftThreatProtection/Incidents.Read.All"]}, "Did you mean MicrosoftThreatProtection/Incident.Read.All"),
        ({"tenants": [CUSTOMER, OTHER], "state": STATE}, "One state for several tenants"),
        ({"state_secret": "short"}, "too short to sign with"),
        ({"tenant_id": CUSTOMER, "allowed_tenants": [OTHER]}, "not among allowed_tenants"),
        ({"login_url": "http://login.example"}, "must be an https URL"),
    ],
)
def test_bad_input_is_refused_with_a_next_step(given: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message) as caught:
        run(**given)
    assert caught.value.next_step


def test_an_allowed_tenant_is_allowed_in_any_letter_case() -> None:
    assert run(tenant_id=CUSTOMER.upper(), allowed_tenants=[CUSTOMER, "Fabrikam.example"])[0].result["tenant_id"] == CUSTOMER
    assert run(tenant_id="fabrikam.EXAMPLE", allowed_tenants=["Fabrikam.example"])[0].result["consent_url"]


def test_a_short_secret_is_not_repeated_in_the_message() -> None:
    with pytest.raises(OptionError) as caught:
        run(state_secret="hunter2")
    assert "hunter2" not in str(caught.value)


def test_check_mode_takes_the_stand_in_for_an_app_that_does_not_exist_yet() -> None:
    assert f"client_id={PLACEHOLDER}" in run(client_id=PLACEHOLDER, check_mode=True)[0].result["consent_url"]


def test_the_app_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("M365D_CLIENT_ID", APP_ID)
    params = {name: value for name, value in options(operation.OPERATION, {}).items() if name != "tenant_id"}
    assert operation.OPERATION.run(Task(params={**params, "tenant_id": None})).result["client_id"] == APP_ID
