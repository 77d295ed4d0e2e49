# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._argspec import secrets_in
from ansible_collections.m365d.partner.plugins.module_utils._core.clouds import CLOUDS, resolve_endpoints
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError, PartnerError, excerpt, redact
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.base import TokenRequest
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.ready_token import ReadyToken
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.token import AccessToken, peek_claims
from hypothesis import given
from hypothesis import strategies as st
from unit.support.scripted_http import scripted_transport

_JWT = "eyJhbGciOiJSUzI1NiJ9.eyJyb2xlcyI6W119.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "text",
    [
        f"the token {_JWT} was refused",
        f"Authorization: Bearer {_JWT}",
        "Authorization: Bearer abcdefgh1234",
        "client_id=x&client_secret=abcdefgh1234&grant_type=client_credentials",
        '{"client_secret": "abcdefgh1234"}',
        '{"access_token":"abcdefgh1234"}',
        "client_assertion=abcdefgh1234",
        '{"secretText": "abcdefgh1234"}',
    ],
)
def test_no_error_text_carries_a_secret(text: str) -> None:
    error = PartnerError(text, service_message=text, next_step="x")
    for shown in (redact(text), str(error), repr(error), repr(error.as_dict()), repr(error.args)):
        assert "abcdefgh1234" not in shown
        assert "eyJyb2xlcyI6W119" not in shown


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_an_excerpt_is_one_line_of_bounded_length(text: str, limit: int) -> None:
    line = excerpt(text, limit=limit)
    assert len(line) <= limit
    assert "\n" not in line


def test_a_message_tells_attempt_tenant_cause_facts_and_next_step_in_this_order() -> None:
    error = PartnerError(
        "The app is not in the tenant.",
        attempted="getting a token",
        tenant_id="contoso.com",
        code="AADSTS700016",
        http_status=400,
        request_id="r-1",
        service_message="Application not found",
        next_step="Send the consent link.",
    )
    assert str(error) == (
        "Getting a token for tenant contoso.com failed: The app is not in the tenant. (HTTP 400, AADSTS700016, request id r-1) "
        "The service said: Application not found Next step: Send the consent link."
    )


@pytest.mark.parametrize(
    ("cloud", "login", "graph", "defender"),
    [
        ("global", "https://login.microsoftonline.com", "https://graph.microsoft.com", "https://api.security.microsoft.com"),
        ("gcc", "https://login.microsoftonline.com", "https://graph.microsoft.com", "https://api-gcc.security.microsoft.us"),
        ("gcc_high", "https://login.microsoftonline.us", "https://graph.microsoft.us", "https://api-gov.security.microsoft.us"),
        ("dod", "https://login.microsoftonline.us", "https://dod-graph.microsoft.us", "https://api-gov.security.microsoft.us"),
        ("china", "https://login.partner.microsoftonline.cn", "https://microsoftgraph.chinacloudapi.cn", None),
    ],
)
def test_each_cloud_has_its_own_hosts(cloud: str, login: str, graph: str, defender: str | None) -> None:
    endpoints = resolve_endpoints(cloud)
    assert (endpoints.login_url, endpoints.graph_url, endpoints.defender_url) == (login, graph, defender)


def test_an_unknown_cloud_is_refused_with_the_known_ones() -> None:
    with pytest.raises(OptionError, match="gcc_high"):
        resolve_endpoints("moon")


def test_the_cloud_without_a_defender_api_says_so() -> None:
    with pytest.raises(OptionError, match="no documented Defender API"):
        resolve_endpoints("china").base_url("defender")


UNREADABLE = (
    "https://[",
    "https://localhost:99999",
    "https://localhost:0",
    "https://a\\@localhost",
    "https://local host",
    "https://localhost\n",
)


@pytest.mark.parametrize(
    "url", ["http://localhost", "localhost", "https://", "https://user@localhost", "https://localhost/?a=b", *UNREADABLE]
)
def test_an_endpoint_that_is_not_plain_https_is_refused(url: str) -> None:
    with pytest.raises(OptionError, match="graph_url"):
        resolve_endpoints("global", graph_url=url)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_another_host_does_not_change_the_audience(cloud: str) -> None:
    given_urls = {"login_url": "https://localhost:1", "graph_url": "https://localhost:2/", "defender_url": "https://localhost:3"}
    endpoints = resolve_endpoints(cloud, **given_urls)
    assert endpoints.graph_url == "https://localhost:2"
    assert endpoints.resources == CLOUDS[cloud].resources
    assert endpoints.resource_uri("api://something") == "api://something"


def test_a_token_does_not_print_itself() -> None:
    token = AccessToken(_JWT, "t", "r", "c", 0.0, "client_secret")
    assert _JWT not in repr(token)
    assert _JWT not in str(token)
    assert token.roles == ()


@given(st.text())
def test_peeking_at_anything_gives_a_mapping(text: str) -> None:
    assert isinstance(peek_claims(text), dict)
    assert isinstance(peek_claims(f"a.{text}.b"), dict)


def test_a_password_within_a_url_is_not_repeated_in_the_message() -> None:
    with pytest.raises(OptionError) as caught:
        resolve_endpoints("global", graph_url="https://somebody:abcdefgh1234@localhost")
    assert "abcdefgh1234" not in str(caught.value)


@pytest.mark.parametrize("password", ["abcdefgh/1234", "abcdefgh#1234", "abcdefgh?1234", "abcdefgh@1234", "abcdefgh1234@["])
def test_a_password_that_no_url_can_hold_is_hidden_too(password: str) -> None:
    url = f"https://somebody:{password}@localhost"
    assert password in secrets_in({"proxy": url})
    with pytest.raises(OptionError) as caught:
        resolve_endpoints("global", graph_url=url)
    assert "1234" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://somebody:abcd%40efgh@proxy:3128", "http://somebody:abcd%40efgh@[::1]:3128/"])
def test_a_password_within_a_url_counts_as_a_secret(url: str) -> None:
    assert {"abcd%40efgh", "abcd@efgh"} <= secrets_in({"proxy": url})
    assert secrets_in({"proxy": "http://proxy:3128", "login_url": None}) == set()


def test_claims_that_are_nested_beyond_reason_are_no_claims() -> None:
    payload = base64.urlsafe_b64encode(b'{"a":' + b"[" * 100_000).decode().rstrip("=")
    assert peek_claims(f"eyJhbGciOiJSUzI1NiJ9.{payload}.c2ln") == {}


@pytest.mark.parametrize("expiry", ["1e400", "-1e400", "1e300", '"soon"', "null", "[]"])
def test_a_given_token_with_an_absurd_expiry_has_no_life_left(expiry: str) -> None:
    payload = base64.urlsafe_b64encode(f'{{"exp": {expiry}}}'.encode()).decode().rstrip("=")
    request = TokenRequest("t", "c", "r", resolve_endpoints("global"), scripted_transport()[0], "v2", None)
    assert ReadyToken(f"eyJhbGciOiJSUzI1NiJ9.{payload}.c2ln").acquire(request).expires_in <= 0
