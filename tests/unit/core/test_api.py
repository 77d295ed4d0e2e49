# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.api import ApiClient, claims_challenge
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import (
    AlreadyExists,
    ForeignOrigin,
    NotFound,
    PartnerError,
    PermissionDenied,
    ServiceError,
    Throttled,
    TransportError,
)
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.token import AccessToken
from ansible_collections.m365d.partner.plugins.module_utils._core.transport import Response
from unit.support.scripted_http import Answer, Clock, ScriptedSession, scripted_transport

TENANT = "11111111-1111-4111-8111-000000000001"
BASE = "https://graph.microsoft.com"


def _jwt(claims: dict[str, object]) -> str:
    segments = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({"alg": "RS256"}, claims)]
    return f"{segments[0]}.{segments[1]}.c2lnbmF0dXJl"


class _Tokens:
    """Hands out a numbered token and records what it was asked for."""

    def __init__(self, *roles: str) -> None:
        self.roles = list(roles)
        self.asked: list[tuple[bool, str | None]] = []

    def __call__(self, force: bool, claims: str | None) -> AccessToken:
        self.asked.append((force, claims))
        number = sum(1 for forced, _claims in self.asked if forced) + 1
        value = _jwt({"roles": self.roles, "number": number} if self.roles else {"number": number})
        return AccessToken(value, TENANT, BASE, "22222222-2222-4222-8222-000000000001", 9e9, "client_secret")


def _client(
    *script: Answer, roles: tuple[str, ...] = ("SecurityIncident.Read.All",), deadline: float = 300
) -> tuple[ApiClient, ScriptedSession, _Tokens, Clock]:
    transport, session, clock = scripted_transport(*script, deadline=deadline)
    tokens = _Tokens(*roles)
    return ApiClient(transport, base_url=BASE, tenant_id=TENANT, get_token=tokens), session, tokens, clock


def _error(code: str, message: str) -> dict[str, object]:
    return {"error": {"code": code, "message": message}}


def test_a_path_is_asked_at_the_base_url_with_the_bearer_token() -> None:
    client, session, tokens, _clock = _client(Answer(200, {"value": []}))
    assert client.get("/v1.0/security/incidents", attempted="listing incidents", params={"$top": 50}) == {"value": []}
    assert session.lines() == [f"GET {BASE}/v1.0/security/incidents?%24top=50"]
    assert session.requests[0].headers["Authorization"] == f"Bearer {tokens(False, None).value}"
    assert session.requests[0].headers["client-request-id"]


def test_a_next_link_of_the_same_origin_is_followed_verbatim() -> None:
    client, session, _tokens, _clock = _client(Answer(200, {}))
    client.get(f"{BASE}/v1.0/security/incidents?$skiptoken=a%2Bb", attempted="listing incidents")
    assert session.lines() == [f"GET {BASE}/v1.0/security/incidents?$skiptoken=a%2Bb"]


@pytest.mark.parametrize(
    "link",
    [
        "https://graph.microsoft.com.example.org/v1.0/x",
        "http://graph.microsoft.com/v1.0/x",
        "https://graph.microsoft.com:8443/v1.0/x",
        "https://graph.microsoft.com@example.org/v1.0/x",
        "HTTPS://example.org/x",
        # One reader finds the host before the backslash, another one the host behind it.
        "https://example.org\\@graph.microsoft.com/v1.0/x",
        "https://example.org:8443\t\\@graph.microsoft.com/v1.0/x",
        "https://graph.microsoft.com:99999/v1.0/x",
        "https://[/v1.0/x",
        "https://example.org\N{FULLWIDTH SOLIDUS}@graph.microsoft.com/v1.0/x",
    ],
)
def test_a_link_to_another_origin_gets_neither_request_nor_token(link: str) -> None:
    client, session, tokens, _clock = _client()
    with pytest.raises(ForeignOrigin, match="token was not sent"):
        client.get(link, attempted="listing incidents")
    assert session.requests == []
    assert tokens.asked == []


def test_a_redirect_is_an_error_that_names_where_it_points() -> None:
    client, session, _tokens, _clock = _client(Answer(302, None, {"Location": "https://example.org/login"}))
    with pytest.raises(ForeignOrigin, match=r"redirects to https://example\.org:443"):
        client.get("/v1.0/x", attempted="asking")
    assert len(session.requests) == 1


@pytest.mark.parametrize("location", ["https://[", "https://example.org:99999/", "https://example.org\\@graph.microsoft.com/"])
def test_a_redirect_to_what_is_no_address_is_the_same_error(location: str) -> None:
    client, _session, _tokens, _clock = _client(Answer(302, None, {"Location": location}))
    with pytest.raises(ForeignOrigin, match="redirects to an unreadable address"):
        client.get("/v1.0/x", attempted="asking")


def test_a_401_is_answered_once_with_a_fresh_token() -> None:
    client, session, tokens, _clock = _client(Answer(401, _error("InvalidAuthenticationToken", "expired")), Answer(200, {"ok": True}))
    assert client.get("/v1.0/x", attempted="asking") == {"ok": True}
    assert tokens.asked == [(False, None), (True, None)]
    assert session.requests[0].headers["Authorization"] != session.requests[1].headers["Authorization"]


def test_a_second_401_is_an_error() -> None:
    client, session, _tokens, _clock = _client(*[Answer(401, _error("InvalidAuthenticationToken", "no"))] * 2)
    with pytest.raises(ServiceError, match="does not accept the token"):
        client.get("/v1.0/x", attempted="asking")
    assert len(session.requests) == 2


def test_a_claims_challenge_is_replayed_in_the_token_request() -> None:
    claims = '{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}'
    header = (
        'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", '
        f'error="insufficient_claims", claims="{base64.urlsafe_b64encode(claims.encode()).rstrip(b"=").decode()}"'
    )
    client, _session, tokens, _clock = _client(Answer(401, None, {"WWW-Authenticate": header}), Answer(200, {}))
    client.get("/v1.0/x", attempted="asking")
    assert tokens.asked == [(False, None), (True, claims)]


@pytest.mark.parametrize("header", ["", 'Bearer error="invalid_token"', 'Bearer error="insufficient_claims", claims="!"'])
def test_no_claims_are_read_where_none_can_be(header: str) -> None:
    assert claims_challenge(Response(401, BASE, {"www-authenticate": header}, b"")) in (None, "")


_MISSING = "Missing application roles. API required roles: SecurityIncident.Read.All,SecurityIncident.ReadWrite.All, application roles: {}."


@pytest.mark.parametrize(
    ("status", "body", "roles", "kind", "state", "says"),
    [
        (400, _error("Request_BadRequest", "Invalid filter clause"), ("A",), ServiceError, None, "Invalid filter clause"),
        (
            400,
            _error("Request_BadRequest", "Permission being assigned already exists on the object"),
            ("A",),
            AlreadyExists,
            None,
            "already there",
        ),
        (409, _error("Request_MultipleObjectsWithSameKeyValue", "in use"), ("A",), AlreadyExists, None, "already there"),
        (404, _error("Request_ResourceNotFound", "does not exist"), ("A",), NotFound, None, "no such object"),
        (403, _error("Forbidden", _MISSING.format("A")), ("A",), PermissionDenied, "missing_roles", "SecurityIncident.Read.All"),
        (403, _error("Forbidden", _MISSING.format("")), (), PermissionDenied, "consented_without_roles", "carries: none"),
        (403, _error("Forbidden", "not licensed"), ("SecurityIncident.Read.All",), PermissionDenied, "not_licensed", "licence"),
        (403, _error("Forbidden", "not allowed"), (), PermissionDenied, "consented_without_roles", "carries no role of an app"),
        (403, _error("DisabledFeature", "off"), ("A",), PermissionDenied, "blocked", "switched off"),
        (403, _error("DisallowedOperation", "off"), ("A",), PermissionDenied, "blocked", "switched off"),
        (
            403,
            _error("Authorization_RequestDenied", "Insufficient privileges"),
            ("A",),
            PermissionDenied,
            "missing_roles",
            "may not do this",
        ),
        (401, _error("Unauthorized", "Account is not provisioned"), ("A",), ServiceError, "not_licensed", "not set up"),
        (401, _error("Unauthorized", "Invalid Authorization payload. AppId: x, Audience: y"), ("A",), ServiceError, None, "audience"),
        (500, _error("InternalServerError", "oops"), ("A",), ServiceError, "unreachable", "internal fault"),
        (500, b"<html/>", ("A",), ServiceError, "unreachable", "<html/>"),
    ],
)
def test_an_error_answer_becomes_a_diagnosis(
    status: int, body: object, roles: tuple[str, ...], kind: type[PartnerError], state: str | None, says: str
) -> None:
    client, _session, _tokens, _clock = _client(*[Answer(status, body, {"request-id": "r-1"})] * 2, roles=roles, deadline=0.5)
    with pytest.raises(kind) as caught:
        client.get("/v1.0/x", attempted="listing incidents")
    error = caught.value
    assert error.__class__ is kind
    assert error.state == state
    assert error.http_status == status
    assert error.request_id == "r-1"
    assert says in str(error)
    assert TENANT in str(error)
    assert error.next_step


def test_a_403_for_a_role_that_the_token_does_carry_is_not_called_a_missing_role() -> None:
    body = _error("Forbidden", _MISSING.format("SecurityIncident.Read.All"))
    client, _session, _tokens, _clock = _client(Answer(403, body))
    with pytest.raises(PermissionDenied) as caught:
        client.get("/v1.0/x", attempted="listing incidents")
    assert caught.value.state == "not_licensed"


class _Consented(_Tokens):
    """Hands out a kept token from before a consent, and new ones from after it."""

    def __init__(self, *, before: tuple[str, ...], after: tuple[str, ...], source: str = "cache", fails: bool = False) -> None:
        super().__init__()
        self.before, self.after, self.source, self.fails = before, after, source, fails

    def __call__(self, force: bool, claims: str | None) -> AccessToken:
        self.asked.append((force, claims))
        if force and self.fails:
            raise TransportError("no token", attempted="getting a token")
        roles = self.after if force else self.before
        return AccessToken(_jwt({"roles": list(roles)}), TENANT, BASE, "c", 9e9, "client_secret", "network" if force else self.source)


READ = "SecurityIncident.Read.All"


def _refused(tokens: _Consented, *script: Answer) -> PermissionDenied:
    transport, session, _clock = scripted_transport(*script)
    with pytest.raises(PermissionDenied) as caught:
        ApiClient(transport, base_url=BASE, tenant_id=TENANT, get_token=tokens).get("/v1.0/x", attempted="listing incidents")
    assert not session.script
    return caught.value


def test_a_kept_token_that_is_older_than_the_consent_is_replaced_and_the_call_repeated() -> None:
    transport, session, _clock = scripted_transport(Answer(403, _error("Forbidden", _MISSING.format("A"))), Answer(200, {"value": []}))
    tokens = _Consented(before=("A",), after=("A", READ))
    assert ApiClient(transport, base_url=BASE, tenant_id=TENANT, get_token=tokens).get("/v1.0/x", attempted="x") == {"value": []}
    assert tokens.asked == [(False, None), (True, None)]
    assert session.requests[0].headers["Authorization"] != session.requests[1].headers["Authorization"]


def test_a_new_token_without_the_role_either_shows_that_the_permission_is_missing() -> None:
    error = _refused(_Consented(before=("A",), after=("A",)), Answer(403, _error("Forbidden", _MISSING.format("A"))))
    assert (error.state, "carries: A" in str(error)) == ("missing_roles", True)


def test_a_new_token_with_other_roles_is_named_where_it_is_refused_too() -> None:
    refusal = Answer(403, _error("Forbidden", _MISSING.format("B")))
    error = _refused(_Consented(before=("A",), after=("B",)), refusal, refusal)
    assert (error.state, "carries: B" in str(error)) == ("missing_roles", True)


def test_a_new_token_that_cannot_be_had_does_not_hide_the_refusal() -> None:
    error = _refused(_Consented(before=("A",), after=(), fails=True), Answer(403, _error("Forbidden", _MISSING.format("A"))))
    assert error.state == "missing_roles"


@pytest.mark.parametrize(
    ("source", "code", "message"),
    [
        ("network", "Forbidden", _MISSING.format("A")),
        ("given", "Forbidden", _MISSING.format("A")),
        ("cache", "DisabledFeature", "off"),
        ("cache", "Forbidden", "not licensed"),
        ("cache", "Forbidden", _MISSING.format(READ)),
    ],
)
def test_no_new_token_is_obtained_where_it_could_not_tell_anything(source: str, code: str, message: str) -> None:
    tokens = _Consented(before=("A",) if message == _MISSING.format("A") else (READ,), after=(READ,), source=source)
    error = _refused(tokens, Answer(403, _error(code, message)))
    assert tokens.asked == [(False, None)]
    assert ("give a newer one" in str(error.next_step)) is (source == "given")


def test_a_429_that_outlasts_the_deadline_says_when_to_come_back() -> None:
    client, _session, _tokens, _clock = _client(Answer(429, _error("429", "maximum allowed 45 per 00:01:00")), deadline=30)
    with pytest.raises(Throttled, match="Try again in 60 s"):
        client.get("/v1.0/x", attempted="listing incidents")


@pytest.mark.parametrize("link", [17, ["a"], {"a": 1}, True])
def test_a_next_link_that_is_no_text_is_a_fault_of_the_service(link: object) -> None:
    client, session, _tokens, _clock = _client()
    with pytest.raises(TransportError, match="next link that is no text"):
        client.get(link, attempted="listing incidents")  # type: ignore[arg-type]
    assert session.requests == []
