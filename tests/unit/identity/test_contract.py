# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import json
from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import TransportError
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.consent_state import STATES, advice, state_of_verdict, worst
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.contract import CHECKS, Contract, Verdict, token_type_of
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.strict_jwt import LARGEST_TOKEN
from hypothesis import given
from hypothesis import strategies as st
from unit.identity.tokens import (
    CLIENT,
    GRAPH,
    LOGIN,
    MTP,
    NOW,
    OTHER_TENANT,
    TENANT,
    b64,
    claims,
    private_key,
    ps256_token,
    segment,
    token,
    v2_claims,
)

LETTERS = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
CONTRACT = Contract(tenant_id=TENANT, resource=MTP, login_url=LOGIN, client_id=CLIENT, required_roles=["Incident.Read.All"])


class Keys:
    """The keys of the login host: `first` and `second`."""

    def __init__(self, issuer: str | None = None) -> None:
        self.issuer = issuer
        self.asked: list[tuple[str, str]] = []

    def find(self, kid: str, *, version: str) -> Any:
        self.asked.append((kid, version))
        return (private_key(kid).public_key(), self.issuer) if kid in ("first", "second") else None


def check(value: str, contract: Contract = CONTRACT, *, keys: Any = None, now: float = NOW) -> Verdict:
    return contract.check(value, keys or Keys(), now=now)


def failed(verdict: Verdict) -> set[str]:
    return {found.name for found in verdict.failed}


def changed(**changes: Any) -> Contract:
    return dataclasses.replace(CONTRACT, **changes)


@pytest.mark.parametrize("value", [token(), ps256_token()], ids=["RS256", "PS256"])
def test_a_token_that_satisfies_the_contract_passes_every_check(value: str) -> None:
    verdict = check(value)
    assert failed(verdict) == set()
    assert verdict.signature == "verified"
    assert verdict.permissions == ("Incident.Read.All",)
    assert [found.name for found in verdict.checks] == list(CHECKS)
    outcomes = {found.name: found.outcome for found in verdict.checks}
    assert outcomes == {name: "skipped" if name in ("lifetime", "allowed_roles", "forbidden_roles") else "passed" for name in CHECKS}


def test_the_keys_of_its_own_version_are_asked_for() -> None:
    keys = Keys()
    check(token(), keys=keys)
    assert keys.asked == [("first", "1.0")]


def test_a_v2_token_is_checked_by_its_own_claims_and_keys() -> None:
    keys = Keys(issuer=f"{LOGIN}/{{tenantid}}/v2.0")
    assert failed(check(token(v2_claims()), keys=keys)) == set()
    assert keys.asked == [("first", "2.0")]
    assert failed(check(token(v2_claims(azp=None, appid=CLIENT)), keys=keys)) == {"client"}
    assert failed(check(token(v2_claims(iss=f"https://sts.windows.net/{TENANT}/")), keys=Keys())) == {"issuer"}


def hs256_with_the_public_key(**header: Any) -> str:
    """The classic confusion: the public key, which everybody has, used as a shared secret."""
    data = f"{segment({'typ': 'JWT', 'alg': 'HS256', 'kid': 'first', **header})}.{segment(claims())}"
    secret = pem_of_public_key()
    return f"{data}.{b64(hmac.new(secret, data.encode(), hashlib.sha256).digest())}"


def pem_of_public_key() -> bytes:
    from cryptography.hazmat.primitives import serialization

    return private_key("first").public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def unsigned(algorithm: Any) -> str:
    return f"{segment({'typ': 'JWT', 'alg': algorithm})}.{segment(claims())}."


def tampered() -> str:
    first, _payload, signature = token().split(".")
    return f"{first}.{segment(claims(roles=['Incident.ReadWrite.All', 'Incident.Read.All']))}.{signature}"


TWICE = b'{"alg": "none", "alg": "RS256"}'

HOSTILE: dict[str, tuple[str, set[str]]] = {
    # what it is: (token, the checks that must fail)
    "alg none": (unsigned("none"), {"algorithm"}),
    "alg None": (unsigned("None"), {"algorithm"}),
    "alg missing": (unsigned(None), {"algorithm"}),
    "alg a list": (unsigned(["RS256"]), {"algorithm"}),
    "alg a number": (unsigned(1), {"algorithm"}),
    "HS256 with the public key": (hs256_with_the_public_key(), {"algorithm"}),
    "RS512": (token(header={"alg": "RS512"}), {"algorithm"}),
    "ES256": (token(header={"alg": "ES256"}), {"algorithm"}),
    "RS256 named PS256": (token(header={"alg": "PS256"}), {"signature"}),
    "signature removed": (f"{token().rsplit('.', 1)[0]}.", {"signature"}),
    "payload changed": (tampered(), {"signature"}),
    "signed by a stranger": (token(key="stranger"), {"signature"}),
    "signed by a stranger with a known kid": (token(header={"kid": "first"}, key="stranger"), {"signature"}),
    "swapped kid": (token(header={"kid": "second"}, key="first"), {"signature"}),
    "kid missing": (token(header={"kid": None}), {"signature"}),
    "kid empty": (token(header={"kid": ""}), {"signature"}),
    "kid a list": (token(header={"kid": ["first"]}), {"signature"}),
    "kid a path": (token(header={"kid": "../../dev/null"}), {"signature"}),
    "embedded jwk": (token(header={"jwk": {"kty": "RSA", "n": "x", "e": "AQAB"}}, key="stranger"), {"signature"}),
    "embedded jwk with a good signature": (token(header={"jwk": {"kty": "RSA"}}), {"signature"}),
    "jku": (token(header={"jku": "https://attacker.example/keys"}), {"signature"}),
    "x5u": (token(header={"x5u": "https://attacker.example/cert"}), {"signature"}),
    "x5c": (token(header={"x5c": ["MIIB"]}), {"signature"}),
    "a nonce does not excuse other resources": (token(header={"nonce": "n"}, key="stranger"), {"signature"}),
    "crit": (token(header={"crit": ["exp"]}), {"format"}),
    "b64": (token(header={"b64": False}), {"format"}),
    "compressed": (token(header={"zip": "DEF"}), {"format"}),
    "expired": (token(claims(exp=int(NOW) - 1)), {"expiry"}),
    "expires now": (token(claims(exp=int(NOW))), {"expiry"}),
    "never expires": (token(claims(exp=None)), {"expiry"}),
    "expiry a text": (token(claims(exp="9999999999")), {"expiry"}),
    "expiry true": (token(claims(exp=True)), {"expiry"}),
    "expiry beyond any calendar": (token(claims(exp=10**30)), {"expiry"}),
    "not valid yet": (token(claims(nbf=int(NOW) + 3600)), {"not_before"}),
    "issued in the future": (token(claims(iat=int(NOW) + 3600)), {"not_before"}),
    "begins at no time": (token(claims(nbf=None, iat=None)), {"not_before"}),
    "begins at a truth value": (token(claims(nbf=True, iat=None)), {"not_before"}),
    "begins at a text": (token(claims(nbf="now")), {"not_before"}),
    "wrong tenant": (token(claims(tid=OTHER_TENANT)), {"tenant"}),
    "tenant missing": (token(claims(tid=None)), {"tenant"}),
    "tenant a list": (token(claims(tid=[TENANT])), {"tenant"}),
    "whole token of another tenant": (
        token(claims(tid=OTHER_TENANT, iss=f"https://sts.windows.net/{OTHER_TENANT}/")),
        {"tenant", "issuer"},
    ),
    "wrong audience": (token(claims(aud="https://api.securitycenter.microsoft.com")), {"audience"}),
    "audience a list that holds the right one": (token(claims(aud=[MTP, "https://attacker.example"])), {"audience"}),
    "audience missing": (token(claims(aud=None)), {"audience"}),
    "audience with the right start": (token(claims(aud=f"{MTP}.attacker.example")), {"audience"}),
    "wrong app": (token(claims(appid="22222222-2222-4222-8222-000000000009")), {"client"}),
    "app missing": (token(claims(appid=None)), {"client"}),
    "app in the claim of the other version": (token(claims(appid=None, azp=CLIENT)), {"client"}),
    "wrong issuer": (token(claims(iss=f"https://attacker.example/{TENANT}/")), {"issuer"}),
    "issuer of the other version": (token(claims(iss=f"{LOGIN}/{TENANT}/v2.0")), {"issuer"}),
    "issuer missing": (token(claims(iss=None)), {"issuer"}),
    "issuer with another end": (token(claims(iss=f"https://sts.windows.net/{TENANT}")), {"issuer"}),
    "token of a user": (token(claims(scp="Incident.Read", roles=None)), {"token_type", "required_roles"}),
    "token of a user with roles": (token(claims(scp="User.Read")), {"token_type", "required_roles"}),
    "app and user at once": (token(claims(idtyp="app", scp="Incident.Read.All")), {"token_type"}),
    "user without scopes": (token(claims(idtyp="user")), {"token_type"}),
    "subject of somebody else": (token(claims(sub="somebody")), {"token_type"}),
    "no subject": (token(claims(sub=None, oid=None)), {"token_type"}),
    "no roles": (token(claims(roles=None)), {"required_roles"}),
    "roles empty": (token(claims(roles=[])), {"required_roles"}),
    "another role": (token(claims(roles=["Incident.ReadWrite.All"])), {"required_roles"}),
    "the role in another case": (token(claims(roles=["incident.read.all"])), {"required_roles"}),
    "the role in another claim": (token(claims(roles=None, wids=["Incident.Read.All"], groups=["Incident.Read.All"])), {"required_roles"}),
    "roles a text": (token(claims(roles="Incident.Read.All")), {"roles", "required_roles"}),
    "roles a mapping": (token(claims(roles={"Incident.Read.All": True})), {"roles", "required_roles"}),
    "roles of lists": (token(claims(roles=[["Incident.Read.All"]])), {"roles", "required_roles"}),
    "roles with an empty one": (token(claims(roles=["Incident.Read.All", ""])), {"roles", "required_roles"}),
    "scopes a list": (token(claims(scp=["Incident.Read.All"])), {"roles", "token_type", "required_roles"}),
    "duplicate claims": (token(json.dumps(claims())[:-1].encode() + b', "tid": "x"}'), {"format"}),
    "duplicate claims of the same value": (token(json.dumps(claims())[:-1].encode() + f', "tid": "{TENANT}"}}'.encode()), {"format"}),
    "duplicates deep inside": (token(json.dumps(claims())[:-1].encode() + b', "x": {"a": 1, "a": 2}}'), {"format"}),
    "duplicate members of the header": (f"{segment(TWICE)}.{segment(claims())}.c2ln", {"format"}),
    "not a number": (token(json.dumps(claims())[:-1].encode() + b', "x": NaN}'), {"format"}),
    "an infinite number": (token(json.dumps(claims())[:-1].encode() + b', "x": 1e999}'), {"format"}),
    "nested without end": (token(b"[" * 40000), {"format"}),
    "a number without end": (token(b'{"exp": ' + b"9" * 20000 + b"}"), {"format"}),
    "half a pair of surrogates": (token(json.dumps(claims())[:-1].encode() + b', "x": "\\ud800"}'), {"format"}),
    "payload a list": (token(b"[1]"), {"format"}),
    "payload no JSON": (token(b"tid=1"), {"format"}),
    "payload no UTF-8": (token(b'{"a": "\xff"}'), {"format"}),
    "one megabyte": (token(claims(x="A" * 1024 * 1024)), {"format"}),
    "not a token": ("not a token", {"format"}),
    "empty": ("", {"format"}),
    "two parts": ("e30.e30", {"format"}),
    "four parts": (f"{token()}.e30", {"format"}),
    "five parts, as an encrypted token": ("a.b.c.d.e", {"format"}),
    "with the word Bearer": (f"Bearer {token()}", {"format"}),
    "with a line break": (f"{token()}\n", {"format"}),
    "padded": (f"{segment({'alg': 'RS256'})}=.{segment(claims())}.c2ln", {"format"}),
    "in the other base64": (f"{segment({'alg': 'RS256'})}.e30/.c2ln", {"format"}),
    "letters beyond ASCII": ("é.é.é", {"format"}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_token_fails_exactly_the_right_checks(name: str) -> None:
    value, expected = HOSTILE[name]
    verdict = check(value)
    assert failed(verdict) == expected
    if expected & {"format", "algorithm", "signature"}:
        assert verdict.signature == "invalid"
    assert [found.name for found in verdict.checks] == list(CHECKS)


def test_a_token_that_is_none_leaves_nothing_to_believe() -> None:
    verdict = check("not a token")
    assert verdict.claims == {}
    assert verdict.permissions == ()
    assert {found.outcome for found in verdict.checks[1:]} == {"skipped"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("payload a list", "its payload is not a JSON object"),
        ("payload no JSON", "its payload is not JSON in base64url"),
        ("duplicate claims", "its payload has the member 'tid' twice"),
        ("duplicate members of the header", "its header has the member 'alg' twice"),
        ("not a number", "its payload holds the number NaN"),
        ("an infinite number", "its payload holds a number beyond all bounds"),
        ("crit", "its header demands an extension (crit)"),
        ("one megabyte", "more than 65536"),
        ("two parts", "three parts"),
    ],
)
def test_a_text_that_is_no_token_is_refused_with_the_reason(name: str, reason: str) -> None:
    assert reason in check(HOSTILE[name][0]).checks[0].message


KEYLESS = [
    name
    for name, (_value, expected) in HOSTILE.items()
    if expected & {"format", "algorithm"} or name in ("kid missing", "kid a list", "kid empty")
]


@pytest.mark.parametrize("name", KEYLESS)
def test_no_key_is_asked_for_where_there_is_no_signature_worth_verifying(name: str) -> None:
    keys = Keys()
    check(HOSTILE[name][0], keys=keys)
    assert keys.asked == []


@given(st.text(max_size=200))
def test_no_text_makes_the_contract_stumble_or_pass(text: str) -> None:
    assert check(text).failed


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3), max_leaves=5)
)
def test_no_value_of_a_claim_makes_the_contract_stumble(value: Any) -> None:
    for name in claims():
        verdict = check(token({**claims(), name: value}))
        assert verdict.signature == "verified"
        json.dumps([found.as_dict() for found in verdict.checks])


def test_the_largest_token_still_counts_and_one_character_more_does_not() -> None:
    assert LARGEST_TOKEN == 65536
    plain = len(f"{token(claims(x=''))}")
    fitting = token(claims(x="A" * ((LARGEST_TOKEN - plain) * 3 // 4 - 8)))
    assert len(fitting) <= LARGEST_TOKEN
    assert failed(check(fitting)) == set()
    assert failed(check("a.b." + "c" * (LARGEST_TOKEN - 3))) == {"format"}


def test_a_token_of_exactly_the_largest_size_counts() -> None:
    # A token's parts grow by four characters for three bytes; what is missing stands in the signature, which is not decoded.
    value = f"{segment({'alg': 'RS256'})}.{segment({})}."
    exact = value + "A" * (LARGEST_TOKEN - len(value))
    assert len(exact) == LARGEST_TOKEN
    assert check(exact).outcome("format") == "passed"
    assert check(exact + "A").outcome("format") == "failed"


@pytest.mark.parametrize(
    ("slow_by", "skew", "expected"), [(300, 0, set()), (301, 0, {"not_before"}), (360, 60, set()), (361, 60, {"not_before"})]
)
def test_a_clock_may_be_slow_by_the_five_minutes_that_tokens_are_dated_back_and_by_the_skew(
    slow_by: int, skew: int, expected: set[str]
) -> None:
    issued_now = claims()
    assert issued_now["iat"] == issued_now["nbf"] == NOW - 300
    assert failed(check(token(issued_now), changed(clock_skew=skew), now=NOW - slow_by)) == expected


def test_a_key_that_is_bound_to_another_issuer_proves_nothing() -> None:
    keys = Keys(issuer="https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0")
    verdict = check(token(v2_claims()), keys=keys)
    assert (verdict.signature, failed(verdict)) == ("invalid", {"signature"})


def test_keys_that_cannot_be_had_fail_the_signature_without_calling_it_invalid() -> None:
    class Unreachable:
        def find(self, kid: str, *, version: str) -> Any:
            raise TransportError("The host cannot be reached.")

    verdict = check(token(), keys=Unreachable())
    assert failed(verdict) == {"signature"}
    assert verdict.signature == "unchecked"
    assert "cannot be reached" in verdict.failed[0].message
    assert state_of_verdict(verdict, required=[]) == "unreachable"


def test_a_token_of_microsoft_graph_is_unchecked_and_says_why() -> None:
    contract = changed(resource=GRAPH, required_roles=["SecurityIncident.Read.All"])
    value = token(claims(aud=GRAPH, roles=["SecurityIncident.Read.All"], idtyp="app"), header={"nonce": "n"}, key="stranger")
    verdict = check(value, contract)
    assert failed(verdict) == set()
    assert (verdict.signature, verdict.outcome("signature")) == ("unchecked", "skipped")
    assert failed(check(value)) == {"signature", "audience", "required_roles"}


def test_a_token_of_microsoft_graph_without_that_format_is_verified_like_any_other() -> None:
    contract, payload = changed(resource=GRAPH, required_roles=[]), claims(aud=GRAPH)
    assert check(token(payload), contract).signature == "verified"
    forged = check(token(payload, key="stranger"), contract)
    assert (forged.signature, failed(forged)) == ("invalid", {"signature"})


def test_what_a_check_found_is_shown_shortened() -> None:
    def actual(**changes: Any) -> Any:
        return next(found.actual for found in check(token(claims(**changes))).checks if found.name == "issuer")

    assert actual(iss=None) is None
    assert actual(iss="x" * 500) == "x" * 200
    assert actual(iss=["a"]) == "['a']"


def test_a_check_says_in_a_sentence_what_it_is_about() -> None:
    verdict = check(token(claims(iss="x", tid="x", appid="x")))
    assert [found.message for found in verdict.failed] == [
        "The issuer is not the one expected.",
        "The tenant is not the one expected.",
        "The app is not the one expected.",
    ]
    roles = {found.message for value in (None, ["A"]) for found in check(token(claims(roles=value))).checks if found.name == "roles"}
    assert roles == {"There are no roles.", "The roles are well formed."}


def test_without_keys_the_claims_are_read_and_the_signature_is_called_unchecked() -> None:
    verdict = CONTRACT.check(token(key="stranger"), None, now=NOW)
    assert (verdict.signature, failed(verdict), verdict.outcome("signature")) == ("unchecked", set(), "skipped")


def test_the_current_time_is_used_where_none_is_given() -> None:
    assert failed(CONTRACT.check(token(claims(exp=1_000_000_000)), Keys())) >= {"expiry"}


@pytest.mark.parametrize(
    ("audience", "resource", "outcome"),
    [
        (MTP, MTP, "passed"),
        (f"{MTP}/", MTP, "passed"),
        ("8ee8fdad-f234-4243-8f3b-15c294843740", MTP, "passed"),
        ("https://security.microsoft.com/mtp", MTP, "passed"),
        (MTP, "8ee8fdad-f234-4243-8f3b-15c294843740", "passed"),
        ("https://api.securitycenter.windows.com", "https://api.securitycenter.microsoft.com", "passed"),
        ("fc780465-2017-40d4-a0c5-307022471b92", MTP, "failed"),
        ("00000003-0000-0000-c000-000000000000", GRAPH, "passed"),
        ("https://graph.microsoft.us", GRAPH, "failed"),
        ("https://graph.microsoft.com", "https://graph.microsoft.us", "failed"),
        ("api://contoso", "api://contoso", "passed"),
        ("api://contoso", "api://fabrikam", "failed"),
    ],
)
def test_an_audience_is_compared_with_all_identifiers_of_the_same_api(audience: str, resource: str, outcome: str) -> None:
    assert check(token(claims(aud=audience)), changed(resource=resource)).outcome("audience") == outcome


@pytest.mark.parametrize(
    ("contract", "changes", "expected"),
    [
        pytest.param(changed(client_id=""), {"appid": "22222222-2222-4222-8222-000000000009"}, set(), id="any-app"),
        pytest.param(
            changed(client_id=LETTERS.upper(), tenant_id=LETTERS.upper()),
            {"tid": LETTERS, "appid": LETTERS, "iss": f"https://sts.windows.net/{LETTERS}/"},
            set(),
            id="case-of-guids",
        ),
        pytest.param(changed(min_lifetime=3600), {}, set(), id="lifetime-just-enough"),
        pytest.param(changed(min_lifetime=3601), {}, {"lifetime"}, id="lifetime-a-second-short"),
        pytest.param(changed(min_lifetime=1), {"exp": None}, {"lifetime", "expiry"}, id="lifetime-unknown"),
        pytest.param(CONTRACT, {"nbf": int(NOW) + 60, "iat": int(NOW) + 60}, set(), id="skew-just-enough"),
        pytest.param(CONTRACT, {"nbf": int(NOW) + 61}, {"not_before"}, id="skew-a-second-short"),
        pytest.param(changed(clock_skew=0), {}, set(), id="backdated-tokens-need-no-skew"),
        pytest.param(CONTRACT, {"exp": int(NOW) + 1}, set(), id="last-second"),
        pytest.param(CONTRACT, {"exp": NOW + 0.5, "nbf": NOW - 0.5}, set(), id="times-may-have-fractions"),
        pytest.param(changed(allowed_roles=["Incident.Read.All"]), {}, set(), id="allowed"),
        pytest.param(
            changed(allowed_roles=["Incident.Read.All"]), {"roles": ["Incident.Read.All", "X"]}, {"allowed_roles"}, id="beyond-allowed"
        ),
        pytest.param(changed(required_roles=[], allowed_roles=[]), {}, {"allowed_roles"}, id="none-allowed"),
        pytest.param(changed(required_roles=[], allowed_roles=[]), {"roles": None}, set(), id="none-allowed-none-held"),
        pytest.param(changed(forbidden_roles=["X"]), {}, set(), id="not-forbidden"),
        pytest.param(changed(forbidden_roles=["X"]), {"roles": ["Incident.Read.All", "X"]}, {"forbidden_roles"}, id="forbidden"),
        pytest.param(
            changed(forbidden_roles=["x.READ"]), {"roles": ["Incident.Read.All", "X.Read"]}, {"forbidden_roles"}, id="forbidden-any-case"
        ),
        pytest.param(changed(required_roles=[]), {"roles": None}, set(), id="nothing-required"),
        pytest.param(changed(token_type="any"), {"scp": "Incident.Read.All"}, set(), id="any-type"),
        pytest.param(changed(token_type="any"), {"sub": "somebody"}, {"token_type"}, id="any-type-but-one-of-them"),
        pytest.param(
            changed(tenant_id=LETTERS, client_id=LETTERS),
            {"tid": LETTERS.upper(), "appid": LETTERS.upper(), "iss": f"https://sts.windows.net/{LETTERS}/"},
            set(),
            id="case-of-guids-in-the-token",
        ),
        pytest.param(changed(token_type="delegated"), {"scp": "User.Read Incident.Read.All"}, set(), id="user"),
        pytest.param(changed(token_type="delegated"), {}, {"token_type"}, id="app-instead-of-user"),
        pytest.param(changed(token_type="delegated"), {"scp": "User.Read"}, {"required_roles"}, id="roles-of-a-user-are-not-scopes"),
        pytest.param(changed(cloud="china"), {"iss": f"https://sts.chinacloudapi.cn/{TENANT}/"}, set(), id="issuer-in-china"),
    ],
)
def test_a_contract_demands_what_it_says(contract: Contract, changes: dict[str, Any], expected: set[str]) -> None:
    verdict = check(token({name: value for name, value in {**claims(), **changes}.items() if value is not None}), contract)
    assert failed(verdict) == expected
    assert [found.name for found in verdict.checks] == list(CHECKS)
    assert {found.outcome for found in verdict.checks} <= {"passed", "failed", "skipped"}


def test_where_nothing_is_demanded_the_check_is_skipped() -> None:
    verdict = check(token(), changed(required_roles=[], client_id=""))
    assert {found.name for found in verdict.checks if found.outcome == "skipped"} == {
        "client",
        "lifetime",
        "required_roles",
        "allowed_roles",
        "forbidden_roles",
    }


def test_a_message_names_what_is_missing_and_what_is_too_much() -> None:
    contract = changed(required_roles=["B", "A"], allowed_roles=["A"], forbidden_roles=["X"])
    verdict = check(token(claims(roles=["X"])), contract)
    messages = {found.name: found.message for found in verdict.failed}
    assert messages == {
        "required_roles": "The token lacks A, B.",
        "allowed_roles": "The token carries more than is allowed: X.",
        "forbidden_roles": "The token carries what is forbidden: X.",
    }
    required = next(found for found in verdict.checks if found.name == "required_roles")
    assert (required.expected, required.actual) == (["A", "B"], ["X"])


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        ({"idtyp": "app"}, "app"),
        ({"idtyp": "user", "scp": "A"}, "delegated"),
        ({"scp": "A"}, "delegated"),
        ({"oid": "1", "sub": "1"}, "app"),
        ({"oid": "1", "sub": "2"}, None),
        ({"idtyp": "app", "scp": ""}, None),
        ({"idtyp": "user", "oid": "1", "sub": "1"}, None),
        ({}, None),
    ],
)
def test_the_claims_tell_an_app_from_a_user(found: dict[str, Any], kind: str | None) -> None:
    assert token_type_of(found) == kind


@pytest.mark.parametrize(
    ("changes", "required", "state"),
    [
        ({}, ["Incident.Read.All"], "ready"),
        ({}, [], "ready"),
        ({}, ["Other"], "missing_roles"),
        ({"roles": None}, [], "consented_without_roles"),
        ({"roles": None}, ["Incident.Read.All"], "consented_without_roles"),
        ({"tid": OTHER_TENANT}, [], "credential_error"),
    ],
)
def test_a_token_proves_a_consent_state(changes: dict[str, Any], required: list[str], state: str) -> None:
    assert state_of_verdict(check(token(claims(**changes))), required=required) == state


def test_a_forged_token_proves_no_consent() -> None:
    for value, expected in HOSTILE.values():
        if expected - {"required_roles", "roles"}:
            assert state_of_verdict(check(value), required=[]) == "credential_error"


def test_the_state_that_explains_most_stands_for_all() -> None:
    assert worst(["ready", "missing_roles", "not_consented"]) == "not_consented"
    assert worst([]) == "unreachable"
    assert {state for state in STATES if advice(state)} == {"consented_without_roles", "missing_roles"}
    assert "A, B" in advice("missing_roles", ["B", "A"])
