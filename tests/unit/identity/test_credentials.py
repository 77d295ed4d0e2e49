# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The credentials one by one: what they refuse offline, and every request that they make."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.clouds import resolve_endpoints
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import (
    AuthenticationError,
    CredentialError,
    OptionError,
    PartnerError,
    Throttled,
    TransportError,
)
from ansible_collections.m365d.partner.plugins.module_utils._core.identity import entra, files
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.azure_cli import AzureCli
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.base import Credential, Grant, TokenRequest
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.certificate import Certificate
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.client_assertion import AssertionCommand, AssertionFile
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.client_secret import ClientSecret
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.device_code import DeviceCode
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.federated_token import FederatedToken
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.files import read_credential_file
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.managed_identity import ManagedIdentity
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.ready_token import ReadyToken
from cryptography.hazmat.primitives.asymmetric import ec
from unit.identity.tokens import (
    CLIENT,
    GRAPH,
    LOGIN,
    MTP,
    NOW,
    SECRET,
    TENANT,
    answer,
    certificate,
    claims,
    pem,
    pfx,
    private_key,
    refusal,
    token,
    written,
)
from unit.support.scripted_http import Answer, ScriptedSession, scripted_transport

V2 = f"{LOGIN}/{TENANT}/oauth2/v2.0/token"
V1 = f"{LOGIN}/{TENANT}/oauth2/token"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def wanted(*script: Answer, version: Any = "v2", cloud: str = "global", **changes: Any) -> tuple[TokenRequest, ScriptedSession]:
    transport, session, _clock = scripted_transport(*script)
    plain = {
        "tenant_id": TENANT,
        "client_id": CLIENT,
        "resource": GRAPH,
        "endpoints": resolve_endpoints(cloud),
        "endpoint_version": version,
    }
    return TokenRequest(transport=transport, **{**plain, **changes}), session


def assertion(**changes: Any) -> str:
    return token(claims(**{"iss": CLIENT, "exp": int(NOW) + 600, **changes}))


def now() -> float:
    return NOW


# --- the token endpoints -------------------------------------------------------------------------------------------


def test_v2_takes_one_post_with_the_secret_and_the_scope() -> None:
    request, session = wanted(Answer(200, answer("a.b.c")))
    assert ClientSecret(SECRET).acquire(request) == ("a.b.c", 3599.0)
    (sent,) = session.requests
    assert sent.line() == f"POST {V2}"
    assert sent.form == {
        "client_id": CLIENT,
        "client_secret": SECRET,
        "grant_type": "client_credentials",
        "scope": f"{GRAPH}/.default",
    }
    assert sent.headers["Accept"] == "application/json"


def test_v1_takes_one_post_with_the_secret_and_the_resource() -> None:
    request, session = wanted(Answer(200, answer("a.b.c", expires_in="3599")), version="v1", resource=MTP, claims='{"a":1}')
    assert ClientSecret(SECRET).acquire(request) == ("a.b.c", 3599.0)
    (sent,) = session.requests
    assert sent.line() == f"POST {V1}"
    assert sent.form == {
        "claims": '{"a":1}',
        "client_id": CLIENT,
        "client_secret": SECRET,
        "grant_type": "client_credentials",
        "resource": MTP,
    }


def test_a_claims_challenge_is_passed_on() -> None:
    request, session = wanted(Answer(200, answer("a.b.c")), claims='{"access_token":{"nbf":{"essential":true,"value":"1"}}}')
    ClientSecret(SECRET).acquire(request)
    assert json.loads(session.requests[0].form["claims"])["access_token"]["nbf"]["value"] == "1"


def test_a_resource_that_ends_in_a_slash_keeps_it() -> None:
    request, session = wanted(Answer(200, answer("a.b.c")), resource="https://contoso.example/")
    ClientSecret(SECRET).acquire(request)
    assert session.requests[0].form["scope"] == "https://contoso.example//.default"


@pytest.mark.parametrize("cloud", ["gcc_high", "china"])
def test_each_cloud_is_asked_at_its_own_login_host_alone(cloud: str) -> None:
    request, session = wanted(Answer(200, answer("a.b.c")), cloud=cloud)
    ClientSecret(SECRET).acquire(request)
    assert session.lines() == [f"POST {resolve_endpoints(cloud).login_url}/{TENANT}/oauth2/v2.0/token"]


def test_another_login_host_with_a_port_is_asked_without_discovery(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MSAL_FORCE_REGION", "westeurope")
    request, session = wanted(Answer(200, answer("a.b.c")), endpoints=resolve_endpoints("global", login_url="https://localhost:8443"))
    ClientSecret(SECRET).acquire(request)
    assert session.lines() == [f"POST https://localhost:8443/{TENANT}/oauth2/v2.0/token"]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_nothing_is_answered_from_a_memory_of_msal(version: str) -> None:
    script = [Answer(400, refusal(700016, "unauthorized_client")), Answer(200, answer("a.b.c")), Answer(200, answer("d.e.f"))]
    request, session = wanted(*script, version=version)
    with pytest.raises(AuthenticationError, match="AADSTS700016"):
        ClientSecret(SECRET).acquire(request)
    assert ClientSecret(SECRET).acquire(request).value == "a.b.c"
    assert ClientSecret(SECRET).acquire(request).value == "d.e.f"
    assert len(session.requests) == 3


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize(
    ("reply", "kind", "message"),
    [
        (Answer(400, refusal(90002)), AuthenticationError, "AADSTS90002"),
        (Answer(401, refusal(7000215, "invalid_client")), CredentialError, "AADSTS7000215"),
        (Answer(400, refusal(90033, "temporarily_unavailable")), AuthenticationError, "for a moment"),
        (Answer(200, b"<html>sign in</html>"), TransportError, "never says"),
        (Answer(200, b"[]"), TransportError, "never says"),
        (Answer(400, b""), TransportError, "never says"),
        (Answer(302, b"", {"Location": "https://attacker.example"}), TransportError, "never says"),
        (Answer(302, {"access_token": "a.b.c", "expires_in": 1}), TransportError, "never says"),
        (Answer(200, {"token_type": "Bearer", "expires_in": 3599}), TransportError, "without a usable bearer token"),
        (Answer(200, answer("a.b.c", expires_in="soon")), TransportError, "without a usable bearer token"),
        (Answer(200, answer("a.b.c", expires_in=None)), TransportError, "without a usable bearer token"),
        (Answer(200, answer("a.b.c", expires_in=0)), TransportError, "without a usable bearer token"),
        (Answer(200, {"access_token": ["a.b.c"], "expires_in": 3599, "token_type": "Bearer"}), TransportError, "without a usable"),
        (Answer(200, {"access_token": "a.b.c", "expires_in": 3599, "token_type": "pop"}), TransportError, "without a usable"),
        (Answer(200, answer("a.b.c", expires_in="nan")), TransportError, "without a usable"),
        (Answer(200, answer("a.b.c", expires_in="1e400")), TransportError, "without a usable"),
        (Answer(200, b'{"a":' + b"[" * 9999 + b"]" * 9999 + b"}"), TransportError, "never says"),
        (Answer(400, {"error": "x", "error_codes": ["\N{SUPERSCRIPT TWO}", "9" * 5000]}), AuthenticationError, "refused the request"),
    ],
    ids=range(18),
)
def test_an_answer_without_a_token_is_an_error_that_names_the_tenant(
    version: str, reply: Answer, kind: type[PartnerError], message: str
) -> None:
    if version == "v2" and "soon" in str(reply.body):
        reply = Answer(200, {"token_type": "Bearer", "access_token": "", "expires_in": 3599})
    request, session = wanted(reply, version=version)
    with pytest.raises(kind, match=message) as caught:
        ClientSecret(SECRET).acquire(request)
    assert caught.value.tenant_id == TENANT
    assert SECRET not in f"{caught.value!r} {caught.value.as_dict()}"
    assert len(session.requests) == 1


@pytest.mark.parametrize("more", [{"id_token": "none"}, {"id_token": 1}, {"scope": 5}, {"scope": None}, {"refresh_token": []}])
def test_what_no_apps_token_comes_with_does_not_matter(more: dict[str, Any]) -> None:
    request, _session = wanted(Answer(200, {**answer("a.b.c"), **more}))
    assert ClientSecret(SECRET).acquire(request).value == "a.b.c"


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_service_that_is_overloaded_is_asked_again_and_then_reported(version: str) -> None:
    request, session = wanted(*[Answer(503, refusal(90033, "temporarily_unavailable"), {"Retry-After": "60"})] * 5, version=version)
    with pytest.raises(AuthenticationError) as caught:
        ClientSecret(SECRET).acquire(request)
    assert (caught.value.state, caught.value.http_status) == ("unreachable", 503)
    assert len(session.requests) == 5
    request, session = wanted(*[Answer(429, b"", {"Retry-After": "250"})] * 2, version=version)
    with pytest.raises(Throttled):
        ClientSecret(SECRET).acquire(request)


def test_msal_is_given_no_way_to_another_address() -> None:
    request, session = wanted()
    http = entra.EntraHttp(request)
    with pytest.raises(TransportError, match="not needed"):
        http.get("https://login.microsoftonline.com/common/discovery/instance")
    document = http.get(f"{LOGIN}/{TENANT}/v2.0/.well-known/openid-configuration")
    document.raise_for_status()
    assert json.loads(document.text)["token_endpoint"] == V2
    http.close()
    assert session.requests == []


def test_a_grant_does_not_show_its_token() -> None:
    assert "a.b.c" not in repr(Grant("a.b.c", 12.5))


# --- client secret -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        ("", "client_secret is empty"),
        (" \n", "client_secret is empty"),
        ("33333333-3333-4333-8333-00000000000a", "the secret's ID, not its value"),
        ("33333333-3333-4333-8333-00000000000A ", "the secret's ID, not its value"),
        ("e", "fewer than 8 characters"),
        ("aBc8Q~s", "fewer than 8 characters"),
        ("$ANSIBLE_VAULT;1.1;AES256\n6162", "nobody decrypted"),
        (f"{SECRET}\n", "a blank, a line break"),
        (f"{SECRET[:9]} {SECRET[9:]}", "a blank, a line break"),
        (f"{SECRET}\x00", "control character"),
    ],
)
def test_what_cannot_be_a_secret_is_refused_offline_and_never_repeated(secret: str, message: str) -> None:
    with pytest.raises(OptionError, match=message) as caught:
        ClientSecret(secret).validate()
    assert (caught.value.scope, caught.value.state) == ("credential", "credential_error")
    assert len(secret.strip()) < 2 or secret.strip() not in str(caught.value)


def test_the_shortest_text_that_can_be_a_secret_is_accepted() -> None:
    ClientSecret("aBc8Q~st").validate()


def test_a_secret_is_accepted_and_hidden() -> None:
    credential = ClientSecret(SECRET)
    credential.validate()
    assert SECRET not in repr(credential)
    assert SECRET not in credential.fingerprint
    assert credential.fingerprint == ClientSecret(SECRET).fingerprint != ClientSecret(SECRET[:-1]).fingerprint
    assert credential.material == SECRET.encode()


# --- certificate ---------------------------------------------------------------------------------------------------


@pytest.fixture
def key() -> Any:
    return private_key("first")


def sent_assertion(session: ScriptedSession) -> tuple[dict[str, Any], dict[str, Any]]:
    (sent,) = session.requests
    assert sent.form["client_assertion_type"] == ASSERTION_TYPE
    assert "client_secret" not in sent.form
    value = sent.form["client_assertion"]
    verified = jwt.decode_complete(
        value,
        private_key("first").public_key(),
        algorithms=["PS256"],
        options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
    )
    return verified["header"], verified["payload"]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_certificate_signs_an_assertion_for_the_tenants_token_endpoint(tmp_path: Path, key: Any, version: str) -> None:
    leaf = certificate(key)
    credential = Certificate(written(tmp_path / "app.pem", pem(key), pem(leaf)), now=now)
    request, session = wanted(Answer(200, answer("a.b.c")), Answer(200, answer("a.b.c")), version=version)
    assert credential.acquire(request).value == "a.b.c"
    header, payload = sent_assertion(session)
    thumbprint = hashlib.sha256(base64.b64decode(b"".join(pem(leaf).splitlines()[1:-1]))).digest()
    assert header == {"typ": "JWT", "alg": "PS256", "x5t#S256": base64.urlsafe_b64encode(thumbprint).decode().rstrip("=")}
    first_id = payload.pop("jti")
    assert payload == {
        "aud": V2 if version == "v2" else V1,
        "iss": CLIENT,
        "sub": CLIENT,
        "iat": int(NOW),
        "nbf": int(NOW) - 60,
        "exp": int(NOW) + 600,
    }
    session.requests.clear()
    credential.acquire(request)
    assert sent_assertion(session)[1]["jti"] != first_id


def test_the_chain_is_sent_on_request_with_the_certificate_of_the_key_first(tmp_path: Path, key: Any) -> None:
    leaf, issuer = certificate(key), certificate(private_key("issuer"), name="issuer.contoso.example")
    path = written(tmp_path / "app.pem", pem(issuer), pem(leaf), pem(key))
    request, session = wanted(Answer(200, answer("a.b.c")))
    Certificate(path, send_chain=True).acquire(request)
    header, _payload = sent_assertion(session)
    assert [base64.b64decode(entry) for entry in header["x5c"]] == [
        base64.b64decode(b"".join(pem(item).splitlines()[1:-1])) for item in (leaf, issuer)
    ]


@pytest.mark.parametrize("password", [None, "p4ss wörd"])
@pytest.mark.parametrize("form", ["one-file", "two-files", "pfx", "pfx-and-key"])
def test_every_form_of_a_certificate_gives_the_same_credential(tmp_path: Path, key: Any, form: str, password: str | None) -> None:
    secret = password.encode() if password else None
    leaf = certificate(key)
    key_path = None
    if form.startswith("pfx"):
        path = written(tmp_path / "app.pfx", pfx(key, leaf, password=secret, others=[certificate(private_key("issuer"))]))
        if form == "pfx-and-key":
            key_path = written(tmp_path / "app.key", pem(key, password=secret))
    elif form == "one-file":
        path = written(tmp_path / "app.pem", pem(key, password=secret), pem(leaf))
    else:
        path, key_path = written(tmp_path / "app.crt", pem(leaf)), written(tmp_path / "app.key", pem(key, password=secret))
    credential = Certificate(path, key_path=key_path, password=password)
    credential.validate()
    reference = Certificate(written(tmp_path / "reference.pem", pem(key), pem(leaf)))
    assert credential.fingerprint == reference.fingerprint
    assert credential.material == reference.material
    assert not password or password not in repr(credential)


def test_a_password_that_is_not_needed_does_no_harm(tmp_path: Path, key: Any) -> None:
    Certificate(written(tmp_path / "app.pem", pem(key), pem(certificate(key))), password="x").validate()


# --- pipes ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def pipe() -> Iterator[tuple[str, int]]:
    """A pipe as a shell's process substitution hands it over, and the end that is written to."""
    reading, writing = os.pipe()
    yield f"/dev/fd/{reading}", writing
    os.close(reading)
    with contextlib.suppress(OSError):
        os.close(writing)


def test_a_credential_that_a_shell_hands_over_in_a_pipe_is_read_once(pipe: tuple[str, int], key: Any) -> None:
    path, writing = pipe
    parts = [pem(key), pem(certificate(key))]

    def write_slowly() -> None:
        for part in parts:
            time.sleep(0.05)
            os.write(writing, part)
        os.close(writing)

    writer = threading.Thread(target=write_slowly)
    writer.start()
    credential = Certificate(path)
    credential.validate()
    writer.join()
    assert credential.material
    assert credential.fingerprint
    with pytest.raises(CredentialError, match=r"is a pipe with nothing in it.*can be read once"):
        read_credential_file(path, option="client_certificate_path")


def test_a_pipe_that_nobody_writes_to_does_not_hold_up_a_run(
    pipe: tuple[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_PIPE_SECONDS", 0.1)
    path, writing = pipe
    os.write(writing, b"half of it")
    named = str(tmp_path / "named")
    os.mkfifo(named)
    for credential in (Certificate(path), Certificate(named), FederatedToken(named), AssertionFile(named)):
        with pytest.raises(CredentialError, match=r"is a pipe, and nobody finished writing to it within 0\.1 s"):
            credential.validate()


def test_a_pipe_that_does_not_end_is_read_no_further_than_a_credential_can_be_long(pipe: tuple[str, int]) -> None:
    path, writing = pipe

    def write_for_ever() -> None:
        with contextlib.suppress(OSError):
            for _part in range(40):
                os.write(writing, b"A" * 65536)

    writer = threading.Thread(target=write_for_ever, daemon=True)
    writer.start()
    with pytest.raises(CredentialError, match="too large"):
        read_credential_file(path, option="client_certificate_path")


def bad_certificates(folder: Path) -> dict[str, tuple[Certificate, str]]:
    key, other = private_key("first"), private_key("second")
    leaf = certificate(key)
    weak, curve = private_key("weak", 1024), ec.generate_private_key(ec.SECP256R1())

    def put(name: str, *contents: bytes) -> str:
        return written(folder / name, *contents)

    good = put("good.crt", pem(leaf))
    unreadable = folder / "directory"
    unreadable.mkdir()
    return {
        "missing": (Certificate(str(folder / "nowhere.pem")), "cannot be read: no such file"),
        "a directory": (Certificate(str(unreadable)), "cannot be read: is a directory"),
        "a device": (Certificate(os.devnull), "is a device and no file"),
        "a zero byte in the name": (Certificate("app\0.pem"), "client_certificate_path has a name that no file can have"),
        "a name that is no text": (Certificate(good, key_path="app\ud800.key"), "client_private_key_path has a name that no file can have"),
        "empty": (Certificate(put("empty.pem", b" \n")), "is empty"),
        "far too large": (Certificate(put("large.pem", b"A" * (1024 * 1024 + 1))), "too large"),
        "neither PEM nor PFX": (Certificate(put("noise.pfx", b"hello world")), "neither a PEM nor a PFX"),
        "a DER certificate": (
            Certificate(put("app.der", base64.b64decode(b"".join(pem(leaf).splitlines()[1:-1])))),
            "neither a PEM nor a PFX",
        ),
        "no certificate": (Certificate(put("key.pem", pem(key))), "contains no certificate"),
        "damaged certificate": (
            Certificate(put("damaged.pem", pem(key), b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")),
            "The certificate in .* is damaged",
        ),
        "no key": (Certificate(good), "contains no private key.*client_private_key_path"),
        "no key in the key's file": (Certificate(good, key_path=put("no.key", pem(leaf))), "contains no private key"),
        "missing key file": (Certificate(good, key_path=str(folder / "nowhere.key")), "client_private_key_path cannot be read"),
        "damaged key": (
            Certificate(put("dk.pem", pem(leaf), b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")),
            "The private key in .* is damaged",
        ),
        "encrypted key without password": (Certificate(put("ek.pem", pem(leaf), pem(key, password=b"x"))), "is encrypted, and no password"),
        "encrypted key, wrong password": (
            Certificate(put("ek2.pem", pem(leaf), pem(key, password=b"x")), password="y"),
            "password does not open the private key",
        ),
        "encrypted key, password in another encoding": (
            Certificate(put("ek3.pem", pem(leaf), pem(key, password=b"x")), password="\udce9"),
            "password does not open the private key",
        ),
        "encrypted PFX without password": (Certificate(put("e.pfx", pfx(key, leaf, password=b"x"))), "PFX file .* is encrypted"),
        "encrypted PFX, wrong password": (Certificate(put("e2.pfx", pfx(key, leaf, password=b"x")), password="y"), "does not open the PFX"),
        "PFX without key": (Certificate(put("nk.pfx", pfx(None, leaf))), "contains no private key|no certificate that belongs"),
        "key of another certificate": (Certificate(good, key_path=put("other.key", pem(other))), "does not belong to the certificate"),
        "elliptic curve": (Certificate(put("ec.pem", pem(curve), pem(certificate(curve)))), "not an RSA key of at least 2048 bits"),
        "weak key": (Certificate(put("weak.pem", pem(weak), pem(certificate(weak)))), "not an RSA key of at least 2048 bits"),
        "expired": (Certificate(put("old.pem", pem(key), pem(certificate(key, begins=-10, ends=-1)))), "expired on 20"),
        "not valid yet": (Certificate(put("new.pem", pem(key), pem(certificate(key, begins=2, ends=9)))), "is not valid before 20"),
    }


def test_every_fault_of_a_certificate_is_one_clear_sentence(tmp_path: Path) -> None:
    for name, (credential, message) in bad_certificates(tmp_path).items():
        with pytest.raises(CredentialError, match=message) as caught:
            credential.validate()
        assert caught.value.scope == "credential", name
        assert caught.value.state == "credential_error", name
        assert caught.value.message.count(". ") == 0, name
        assert "BEGIN" not in str(caught.value), name


def test_a_pfx_with_only_other_certificates_is_refused(tmp_path: Path) -> None:
    content = pfx(None, None, others=[certificate(private_key("first"))])
    with pytest.raises(CredentialError, match="no certificate that belongs to its key"):
        Certificate(written(tmp_path / "others.pfx", content)).validate()


def test_a_renewed_certificate_is_noticed(tmp_path: Path, key: Any) -> None:
    path = tmp_path / "app.pem"
    credential = Certificate(written(path, pem(key), pem(certificate(key, name="a.example"))))
    before = credential.fingerprint
    written(path, pem(key), pem(certificate(key, name="a-renewed.example")))
    assert credential.fingerprint != before


def test_the_key_is_read_once_for_many_tenants(tmp_path: Path, key: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    credential = Certificate(written(tmp_path / "app.pem", pem(key), pem(certificate(key))))
    credential.validate()
    monkeypatch.setattr("builtins.open", lambda *_args, **_kwargs: pytest.fail("the file was read again"))
    request, _session = wanted(Answer(200, answer("a.b.c")))
    credential.acquire(request)


# --- assertions from elsewhere --------------------------------------------------------------------------------------


def sources(folder: Path, content: bytes) -> list[Credential]:
    path = written(folder / "assertion", content)
    return [AssertionFile(path, now=now), FederatedToken(path, now=now)]


def test_an_assertion_in_a_file_is_sent_as_it_is_and_read_anew_each_time(tmp_path: Path) -> None:
    for credential in sources(tmp_path, assertion(jti="1").encode() + b"\n"):
        written(tmp_path / "assertion", assertion(jti="1").encode() + b"\n")
        credential.validate()
        request, session = wanted(Answer(200, answer("a.b.c")), Answer(200, answer("a.b.c")))
        credential.acquire(request)
        written(tmp_path / "assertion", assertion(jti="2").encode())
        credential.acquire(request)
        assert [sent.form["client_assertion"] for sent in session.requests] == [assertion(jti="1"), assertion(jti="2")]
        assert {sent.form["client_assertion_type"] for sent in session.requests} == {ASSERTION_TYPE}
        assert credential.material is None


def test_what_is_no_assertion_is_refused_and_not_repeated(tmp_path: Path) -> None:
    for content, message in [
        (b"not-a-jwt", "did not give a JWT"),
        (b"a.b.c", "did not give a JWT"),
        (b"\xff.\xff.\xff", "did not give a JWT"),
        (assertion().encode() + b" " + assertion().encode(), "did not give a JWT"),
        (assertion(exp=int(NOW) - 5).encode(), "expired 5 s ago"),
        (b"", "is empty"),
    ]:
        for credential in sources(tmp_path, content):
            with pytest.raises(CredentialError, match=message) as caught:
                credential.validate()
            assert not content or content.decode(errors="replace") not in str(caught.value)


def test_assertions_in_different_files_are_different_credentials() -> None:
    fingerprints = {kind(path).fingerprint for kind in (AssertionFile, FederatedToken) for path in ("/a", "/b")}
    assert len(fingerprints) == 4
    assert AssertionCommand(("a", "b")).fingerprint != AssertionCommand(("ab",)).fingerprint
    assert AssertionCommand(("a",)).material is None


def script(path: Path, body: str) -> str:
    path.write_text(f"#!{sys.executable}\nimport json, os, sys\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_a_command_learns_what_to_sign_and_its_output_is_sent(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    body = (
        f"names = ('AUDIENCE', 'CLIENT_ID', 'TENANT_ID')\n"
        f"found = dict(argv=sys.argv[1:], env={{n: os.environ['M365D_ASSERTION_' + n] for n in names}}, tty=sys.stdin.read())\n"
        f"open({str(report)!r}, 'w').write(json.dumps(found))\n"
        f"print({assertion()!r})"
    )
    credential = AssertionCommand((script(tmp_path / "sign", body), "--key", "$HOME; echo pwned"), now=now)
    credential.validate()
    assert not report.exists()
    request, session = wanted(Answer(200, answer("a.b.c")))
    credential.acquire(request)
    assert session.requests[0].form["client_assertion"] == assertion()
    assert json.loads(report.read_text()) == {
        "argv": ["--key", "$HOME; echo pwned"],
        "env": {"AUDIENCE": V2, "CLIENT_ID": CLIENT, "TENANT_ID": TENANT},
        "tty": "",
    }


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("print('s3cr3t-output'); sys.stderr.write('s3cr3t-output'); sys.exit(3)", "failed with exit code 3"),
        ("print('s3cr3t-output')", "did not give a JWT"),
        ("print('s3cr3t-output', flush=True); import time; time.sleep(30)", "did not end within"),
    ],
)
def test_a_command_that_fails_is_reported_without_its_output(tmp_path: Path, body: str, message: str) -> None:
    credential = AssertionCommand((script(tmp_path / "sign", body),), timeout=1.0 if "sleep" in body else 30.0)
    request, session = wanted()
    with pytest.raises(CredentialError, match=message) as caught:
        credential.acquire(request)
    assert "s3cr3t" not in f"{caught.value} {caught.value.__cause__!r} {caught.value.as_dict()}"
    assert session.requests == []


@pytest.mark.parametrize("argv", [(), (" ",), ("/nowhere/sign",), ("echo hello",), ("cat", "a\0b"), ("cat", "\ud800")])
def test_a_command_that_cannot_be_run_is_refused_offline(argv: tuple[str, ...]) -> None:
    with pytest.raises(CredentialError, match="client_assertion_command") as caught:
        AssertionCommand(argv).validate()
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    "make",
    [
        lambda text: AssertionFile(f"/{text}"),
        lambda text: FederatedToken(f"/{text}"),
        lambda text: AssertionCommand(("cat", text)),
        ReadyToken,
    ],
)
def test_a_text_of_the_environment_in_another_encoding_still_names_a_credential(make: Callable[[str], Any]) -> None:
    assert make("caf\udce9").fingerprint != make("cafe").fingerprint


def test_a_command_that_vanished_is_a_clear_sentence(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/nowhere/interpreter\n")
    broken.chmod(0o700)
    request, _session = wanted()
    with pytest.raises(CredentialError, match="cannot be run: no such file"):
        AssertionCommand((str(broken),)).acquire(request)


# --- managed identity ----------------------------------------------------------------------------------------------


class Machine:
    """The metadata service of an Azure machine."""

    def __init__(self, status: int = 200, body: Any = None, *, raises: Exception | None = None) -> None:
        self.status_code, self.text, self.headers, self._raises = status, json.dumps(body), {}, raises
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.is_closed = False

    def get(self, url: str, *, params: dict[str, Any], **_ignored: Any) -> Machine:
        self.asked.append((url, params))
        if self._raises:
            raise self._raises
        return self

    def post(self, *_args: Any, **_kwargs: Any) -> Machine:
        raise AssertionError("the metadata service takes no POST")

    def close(self) -> None:
        self.is_closed = True

    def raise_for_status(self) -> None:
        return


@pytest.fixture
def azure_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "IDENTITY_ENDPOINT",
        "IDENTITY_HEADER",
        "MSI_ENDPOINT",
        "MSI_SECRET",
        "IMDS_ENDPOINT",
        "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("azure_machine")
@pytest.mark.parametrize(
    ("cloud", "audience"),
    [
        ("global", "api://AzureADTokenExchange"),
        ("gcc", "api://AzureADTokenExchange"),
        ("gcc_high", "api://AzureADTokenExchangeUSGov"),
        ("dod", "api://AzureADTokenExchangeUSGov"),
        ("china", "api://AzureADTokenExchangeChina"),
    ],
)
def test_a_managed_identity_exchanges_its_own_token_for_the_apps(cloud: str, audience: str) -> None:
    machine = Machine(body={"access_token": "m.i.t", "expires_in": "86399", "resource": audience, "token_type": "Bearer"})
    identity = "44444444-4444-4444-8444-000000000001"
    request, session = wanted(Answer(200, answer("a.b.c")), cloud=cloud)
    credential = ManagedIdentity(identity, http=lambda: machine)
    credential.validate()
    assert credential.acquire(request).value == "a.b.c"
    ((url, params),) = machine.asked
    assert url == "http://169.254.169.254/metadata/identity/oauth2/token"
    assert params["resource"] == audience
    assert params["client_id"] == identity
    assert session.requests[0].form["client_assertion"] == "m.i.t"
    assert machine.is_closed


@pytest.mark.usefixtures("azure_machine")
@pytest.mark.parametrize(
    "machine",
    [
        Machine(raises=__import__("requests").exceptions.ConnectTimeout("no route to 169.254.169.254")),
        Machine(status=400, body={"error": "invalid_request", "error_description": "Identity not found"}),
        Machine(body=["odd"]),
        Machine(body={}),
    ],
)
def test_a_machine_without_identity_is_a_clear_sentence(machine: Machine) -> None:
    request, session = wanted()
    with pytest.raises(CredentialError, match="managed identity gave no token") as caught:
        ManagedIdentity(http=lambda: machine).acquire(request)
    assert caught.value.scope == "credential"
    assert session.requests == []
    assert machine.is_closed


def test_the_metadata_service_is_asked_without_proxy_and_with_little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    import requests
    from ansible_collections.m365d.partner.plugins.module_utils._core.identity import managed_identity

    seen: dict[str, Any] = {}

    def record(_session: Any, method: str, url: str, **options: Any) -> None:
        seen.update(options, line=f"{method} {url}")

    monkeypatch.setattr(requests.Session, "request", record)
    http = managed_identity._local_http()
    http.get("http://169.254.169.254/x")
    assert http.trust_env is False
    assert (seen["timeout"], seen["allow_redirects"]) == (10.0, False)


def test_the_identity_of_a_machine_is_named_by_a_guid_or_not_at_all() -> None:
    ManagedIdentity().validate()
    with pytest.raises(CredentialError, match="managed_identity_client_id is not a GUID"):
        ManagedIdentity("partner-identity").validate()
    assert ManagedIdentity().fingerprint != ManagedIdentity("44444444-4444-4444-8444-000000000001").fingerprint
    assert ManagedIdentity().material is None


# --- Azure CLI -----------------------------------------------------------------------------------------------------


@pytest.fixture
def az(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a program `az` of this body on the PATH."""

    def install(body: str) -> AzureCli:
        script(tmp_path / "az", body)
        monkeypatch.setenv("PATH", str(tmp_path))
        return AzureCli(now=now, timeout=10.0)

    return install


def test_azure_cli_is_asked_for_the_tenant_and_resource(az: Any, tmp_path: Path) -> None:
    report = tmp_path / "argv.json"
    answered = f"dict(accessToken='a.b.c', expires_on={int(NOW) + 100})"
    body = f"open({str(report)!r}, 'w').write(json.dumps(sys.argv[1:]))\nprint(json.dumps({answered}))"
    credential = az(body)
    credential.validate()
    request, session = wanted()
    assert credential.acquire(request) == ("a.b.c", 100.0)
    assert json.loads(report.read_text()) == ["account", "get-access-token", "--resource", GRAPH, "--tenant", TENANT, "--output", "json"]
    assert session.requests == []


def test_an_old_azure_cli_lets_the_token_say_when_it_ends(az: Any) -> None:
    credential = az(f"print(json.dumps(dict(accessToken={token()!r}, expiresOn='2026-11-01 12:00:00.000000')))")
    request, _session = wanted()
    assert credential.acquire(request).expires_in == 3600.0
    assert az("print(json.dumps(dict(accessToken='a.b.c')))").acquire(request).expires_in == 0.0


@pytest.mark.parametrize(
    ("body", "message", "scope"),
    [
        ("sys.stderr.write('ERROR: Please run az login to setup account.'); sys.exit(1)", "Nobody is signed in", "credential"),
        ("sys.stderr.write('ERROR: AADSTS700016: Not found in the directory'); sys.exit(1)", "not present in this tenant", "tenant"),
        ("sys.stderr.write('ERROR: AADSTS50076: MFA'); sys.exit(1)", "multi-factor", "tenant"),
        ("sys.stderr.write('ERROR: broken'); sys.exit(1)", "Azure CLI failed. .*broken", "tenant"),
        ("print('no json')", "gave no token", "credential"),
        ("print('[]')", "gave no token", "credential"),
        ("print(json.dumps(dict(accessToken='')))", "gave no token", "credential"),
    ],
)
def test_every_fault_of_azure_cli_is_one_clear_sentence(az: Any, body: str, message: str, scope: str) -> None:
    request, _session = wanted()
    with pytest.raises(PartnerError, match=message) as caught:
        az(body).acquire(request)
    assert caught.value.scope == scope


def test_azure_cli_that_is_missing_or_hangs_is_a_clear_sentence(az: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    request, _session = wanted()
    az("import time; time.sleep(30)")
    with pytest.raises(CredentialError, match="did not answer within 1 s"):
        AzureCli(timeout=1.0).acquire(request)
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    with pytest.raises(CredentialError, match="not installed"):
        AzureCli().validate()
    with pytest.raises(CredentialError, match="cannot be run"):
        AzureCli().acquire(request)


def test_another_sign_in_to_azure_cli_is_another_credential(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))
    signed_out = AzureCli().fingerprint
    profile = tmp_path / "azureProfile.json"
    profile.write_text("{}")
    os.utime(profile, ns=(1, 1))
    first = AzureCli().fingerprint
    os.utime(profile, ns=(2, 2))
    assert len({signed_out, first, AzureCli().fingerprint}) == 3
    assert AzureCli().material is None


# --- device code ---------------------------------------------------------------------------------------------------


FLOW = {"device_code": "dc", "user_code": "ABCD", "verification_uri": "https://microsoft.com/devicelogin", "expires_in": 900, "interval": 0}
PENDING = Answer(400, {"error": "authorization_pending", "error_codes": [70016]})


def test_a_device_code_is_shown_and_then_waited_for() -> None:
    shown: list[str] = []
    request, session = wanted(Answer(200, FLOW), PENDING, Answer(200, answer("u.s.r")))
    credential = DeviceCode(notify=shown.append)
    credential.validate()
    assert credential.acquire(request) == ("u.s.r", 3599.0)
    assert shown == [f"Sign in for tenant {TENANT}: open https://microsoft.com/devicelogin and enter the code ABCD."]
    assert session.lines() == [f"POST {LOGIN}/{TENANT}/oauth2/v2.0/devicecode", f"POST {V2}", f"POST {V2}"]
    assert session.requests[0].form["client_id"] == CLIENT
    assert f"{GRAPH}/.default" in session.requests[0].form["scope"].split()
    assert session.requests[1].form["device_code"] == "dc"
    assert "client_secret" not in session.requests[1].form


@pytest.mark.parametrize(
    ("replies", "message"),
    [
        ([Answer(400, refusal(700016, "unauthorized_client"))], "not present in this tenant"),
        ([Answer(200, FLOW), Answer(401, refusal(7000218, "invalid_client"))], "not a public client"),
        ([Answer(200, FLOW), Answer(400, {"error": "authorization_declined"})], "declined"),
        ([Answer(200, FLOW), Answer(400, {"error": "expired_token", "error_codes": [70019]})], "expired before anybody"),
        ([Answer(200, {**FLOW, "expires_in": 0, "interval": 1}), PENDING], "Nobody finished the sign-in while the code was good"),
    ],
)
def test_a_sign_in_that_fails_says_why(replies: list[Answer], message: str) -> None:
    request, _session = wanted(*replies)
    with pytest.raises(PartnerError, match=message) as caught:
        DeviceCode(notify=lambda _message: None).acquire(request)
    assert caught.value.tenant_id == TENANT


def test_a_code_that_nobody_can_see_is_refused() -> None:
    request, session = wanted()
    with pytest.raises(CredentialError, match="needs somebody to read the code"):
        DeviceCode().acquire(request)
    assert session.requests == []
    assert DeviceCode().material is None
    assert DeviceCode().fingerprint


# --- ready token ---------------------------------------------------------------------------------------------------


def test_a_ready_token_is_returned_with_the_life_that_it_tells() -> None:
    request, session = wanted()
    credential = ReadyToken(f" {token()}\n", now=now)
    credential.validate()
    assert credential.acquire(request) == (token(), 3600.0)
    assert ReadyToken("opaque", now=now).acquire(request).expires_in == 0.0
    assert credential.material is None
    assert credential.fingerprint != ReadyToken("other").fingerprint
    assert token() not in repr(credential)
    assert session.requests == []
    with pytest.raises(OptionError, match="access_token is empty"):
        ReadyToken(" ").validate()
