# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import (
    AuthenticationError,
    CredentialError,
    Throttled,
    TransportError,
)
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.consent_state import STATES
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.diagnosis import (
    DIAGNOSES,
    diagnose,
    diagnose_answer,
    is_transient,
    settles,
)
from ansible_collections.m365d.partner.plugins.module_utils._core.transport import Response
from unit.identity.tokens import refusal

# Every code that the error reference and the recorded refusals of partner apps name.
DOCUMENTED = """
700016 7000229 7000215 7000222 700027 700024 700021 5002723 5002738 50027 50012 7000216 7000218 700025 90002 900021
900023 900382 90038 500011 500014 50001 650052 650053 650054 650056 650057 70011 1002012 28002 28003 700022 700023
901002 900144 90014 9002313 900561 70003 70001 7000112 1000031 50194 9001023 90124 90130 50034 65001 65004 90094 90095
90093 90099 50105 501051 53003 530032 530034 530003 500021 500022 500212 500213 90055 50196 90033 90006 90024 50033
54005 70008 700082 700005 70000 70016 70018 70019 70020 50011 50020 50058 50076 50079 50126 70021 700211 700212 700213
700229
900432 50059 50049 500113 501481 9002325
"""

# Of a person's sign-in, which says nothing about the next tenant.
SIGN_IN = {50034, 50020, 50058, 50076, 50079, 50126, 54005, 70000, 70008, 501481, 700082, 700005, 70016, 70018, 70019, 70020}


def test_every_documented_code_has_a_diagnosis() -> None:
    assert {int(code) for code in DOCUMENTED.split()} == set(DIAGNOSES)


def test_every_code_that_the_emulated_service_answers_with_has_a_diagnosis() -> None:
    from emulator.entra.codes import CODES

    assert set(CODES) <= set(DIAGNOSES)


def test_the_guide_lists_every_code_under_its_state() -> None:
    guide = Path(__file__).parents[3] / "docs" / "docsite" / "rst" / "guide_tokens.rst"
    listed = {
        int(code): state
        for state, codes in re.findall(r"\* - ``(\w+)``\n     - [^\n]*\n     - ([\d, ]+)\n", guide.read_text(encoding="utf-8"))
        for code in codes.split(",")
    }
    assert listed == {code: found.state for code, found in DIAGNOSES.items()}


@pytest.mark.parametrize("code", sorted(DIAGNOSES))
def test_a_diagnosis_is_complete(code: int) -> None:
    found = DIAGNOSES[code]
    assert found.state in STATES
    assert found.state not in ("ready", "consented_without_roles", "missing_roles")
    assert found.scope == ("credential" if found.state == "credential_error" and code not in SIGN_IN else "tenant")
    if code in SIGN_IN:
        assert found.state == "credential_error"
    for sentence in (found.sentence, found.next_step):
        assert sentence[0].isupper()
        assert sentence.endswith(".")


@pytest.mark.parametrize(
    ("code", "state", "kind", "scope"),
    [
        (700016, "not_consented", AuthenticationError, "tenant"),
        (7000229, "not_consented", AuthenticationError, "tenant"),
        (7000112, "disabled", AuthenticationError, "tenant"),
        (500011, "not_licensed", AuthenticationError, "tenant"),
        (90002, "unknown_tenant", AuthenticationError, "tenant"),
        (53003, "blocked", AuthenticationError, "tenant"),
        (90033, "unreachable", AuthenticationError, "tenant"),
        (7000215, "credential_error", CredentialError, "credential"),
        (7000222, "credential_error", CredentialError, "credential"),
        (700027, "credential_error", CredentialError, "credential"),
    ],
)
def test_a_refusal_becomes_an_error_that_says_whom_it_concerns(code: int, state: str, kind: type[Exception], scope: str) -> None:
    error = diagnose(refusal(code), attempted="getting a token", tenant_id="t", http_status=400, request_id="r-9")
    assert error.__class__ is kind
    assert (error.state, error.scope, error.code) == (state, scope, f"AADSTS{code}")
    assert (error.http_status, error.request_id, error.tenant_id) == (400, "t-1", "t")
    assert error.service_message == f"AADSTS{code}: What went wrong."


@pytest.mark.parametrize(
    ("body", "code", "state"),
    [
        pytest.param(
            {"error": "invalid_client", "error_description": "AADSTS7000222: late"}, "AADSTS7000222", "credential_error", id="text-alone"
        ),
        pytest.param({"error": "invalid_client", "error_codes": ["700016"]}, "AADSTS700016", "not_consented", id="code-as-text"),
        pytest.param({"error": "x", "error_codes": [123456, 7000112]}, "AADSTS7000112", "disabled", id="known-code-behind-an-unknown-one"),
        pytest.param({"error": "invalid_client", "error_codes": [123456]}, "AADSTS123456", "credential_error", id="unknown-code"),
        pytest.param({"error": "unauthorized_client"}, "unauthorized_client", "not_consented", id="no-code"),
        pytest.param({"error": "brand_new", "error_codes": "none"}, "brand_new", "blocked", id="nothing-known"),
        pytest.param({"error": "authorization_pending"}, "authorization_pending", "credential_error", id="nobody-signed-in"),
        pytest.param({}, None, "blocked", id="empty"),
    ],
)
def test_what_is_not_in_the_table_is_judged_by_its_error(body: dict[str, Any], code: str | None, state: str) -> None:
    error = diagnose(body)
    assert (error.code, error.state) == (code, state)


def test_an_unknown_code_never_stops_a_run_over_other_tenants() -> None:
    for error in ("invalid_client", "invalid_request", "brand_new"):
        assert diagnose({"error": error, "error_codes": [123456]}).scope == "tenant"


def test_what_passes_in_a_moment_is_told_from_what_settles_in_minutes_and_from_the_rest() -> None:
    by_code = {code: diagnose(refusal(code)) for code in (90033, 700016, 53003)}
    assert [is_transient(by_code[code]) for code in (90033, 700016, 53003)] == [True, False, False]
    assert [settles(by_code[code]) for code in (90033, 700016, 53003)] == [False, True, False]
    assert [by_code[code].retryable for code in (90033, 700016, 53003)] == [True, True, False]
    assert is_transient(diagnose({"error": "temporarily_unavailable"}))
    assert not settles(TransportError("no answer"))
    assert not is_transient(TransportError("no answer"))


def _response(status: int, content: bytes) -> Response:
    return Response(status=status, url="https://login.microsoftonline.com/t/oauth2/v2.0/token", headers={}, content=content)


def test_an_answer_that_is_no_oauth_error_is_not_taken_for_one() -> None:
    for content in (b"<html>Sign in to the proxy</html>", b"[1]", b'{"error": {"code": "x"}}'):
        error = diagnose_answer(_response(502, content))
        assert isinstance(error, TransportError)
        assert (error.state, error.http_status) == ("unreachable", 502)
    assert isinstance(diagnose_answer(_response(429, b"")), Throttled)


def test_a_secret_in_what_the_service_says_is_not_repeated() -> None:
    said = "AADSTS7000215: Invalid client_secret=abcDEF123 given with eyJhbGciOiJub25lIn0.eyJhIjoxfQ.c2ln"
    error = diagnose({"error": "invalid_client", "error_codes": [7000215], "error_description": said})
    assert "abcDEF123" not in f"{error} {error.as_dict()}"
    assert "eyJhbGci" not in f"{error} {error.as_dict()}"
