# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import pytest
import requests
from ansible_collections.m365d.partner.plugins.module_utils._core.app_credentials import NewSecret, Secret, format_time, parse_time
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import (
    AuthenticationError,
    CredentialError,
    NotFound,
    OptionError,
    PartnerError,
    ServiceError,
    TransportError,
)
from ansible_collections.m365d.partner.plugins.module_utils._core.guids import PLACEHOLDER
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.base import Grant, TokenRequest
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.client_secret import ClientSecret
from ansible_collections.m365d.partner.plugins.module_utils._ops import app_credential as operation
from hypothesis import given
from hypothesis import strategies as st
from unit.apps.exchange import (
    APP_ID,
    FIND_PRINCIPAL,
    OBJECT_ID,
    SELECT_APP,
    TENANT,
    Exchange,
    Played,
    app,
    done,
    missing,
    ok,
    play,
    principal,
    refused,
)
from unit.support.scripted_http import Answer

Play = Callable[..., Played]
NOW = datetime(2026, 11, 1, tzinfo=timezone.utc)
VALUE = "x8Q~not-a-real-secret-but-forty-characters"
KEY_ID = "99999999-9999-4999-8999-000000000001"
OTHER_KEY_ID = "99999999-9999-4999-8999-000000000002"
SELECT = "$select=id,appId,displayName,passwordCredentials"
READ = f"GET applications(appId='{APP_ID}')?{SELECT}"
READ_AGAIN = f"GET applications/{OBJECT_ID}?{SELECT}"
ADD = f"POST applications/{OBJECT_ID}/addPassword"
REMOVE = f"POST applications/{OBJECT_ID}/removePassword"
GIVEN = {"app_id": APP_ID, "name": "ansible"}


def secret(name: str = "ansible", *, end: str = "2027-04-30T00:00:00Z", key_id: str = KEY_ID) -> dict[str, Any]:
    return {
        "displayName": name,
        "startDateTime": "2026-05-01T00:00:00.1234567Z",
        "endDateTime": end,
        "keyId": key_id,
        "hint": "x8Q",
        "secretText": None,
    }


def holder(*secrets: dict[str, Any]) -> Answer:
    return ok({"id": OBJECT_ID, "appId": APP_ID, "displayName": "Contoso Partner Access", "passwordCredentials": list(secrets)})


def addition(end: str = "2027-04-30T00:00:00Z", **changed: Any) -> Exchange:
    answer = ok({**secret(end=end), "secretText": VALUE, **changed})
    return Exchange(ADD, answer, {"passwordCredential": {"displayName": "ansible", "endDateTime": end}})


@pytest.fixture(autouse=True)
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation, "_now", lambda: NOW)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Play:
    def _run(*script: Exchange, verify: bool = False, **given: Any) -> Played:
        played = play(monkeypatch, operation, *script, verify=verify, **given)
        public = {name: value for name, value in played.result.items() if name != "secret_text"}
        for shown in (public, played.warnings, played.outcome.diff, repr(played.outcome)):
            assert VALUE not in str(shown)
        return played

    return _run


def test_a_missing_secret_is_added_and_its_value_is_returned_in_a_result_that_is_secret(run: Play) -> None:
    played = run(Exchange(READ, holder(secret("other"))), addition(), Exchange(READ_AGAIN, holder(secret("other"), secret())), **GIVEN)
    assert played.outcome.changed
    assert played.outcome.secret
    assert played.outcome.diff == {"before": {"secrets": []}, "after": {"secrets": [{"name": "ansible", "ends": "2027-04-30"}]}}
    assert played.result == {
        "tenant_id": TENANT,
        "app_id": APP_ID,
        "object_id": OBJECT_ID,
        "name": "ansible",
        "key_id": KEY_ID,
        "start_date_time": "2026-05-01T00:00:00Z",
        "end_date_time": "2027-04-30T00:00:00Z",
        "hint": "x8Q",
        "secret_available": True,
        "secret_text": VALUE,
        "verified": False,
    }
    assert played.warnings == []


def test_check_mode_predicts_the_same_and_adds_nothing(run: Play) -> None:
    played = run(Exchange(READ, holder()), check_mode=True, **GIVEN)
    assert played.outcome.changed
    assert not played.outcome.secret
    assert played.outcome.diff == {"before": {"secrets": []}, "after": {"secrets": [{"name": "ansible", "ends": "2027-04-30"}]}}
    assert (played.result["key_id"], played.result["secret_available"], played.result["end_date_time"]) == (
        None,
        False,
        "2027-04-30T00:00:00Z",
    )
    assert "secret_text" not in played.result


def test_a_secret_that_lasts_is_left_alone_and_a_rerun_has_nothing_to_warn_about(run: Play) -> None:
    played = run(Exchange(READ, holder(secret())), renew_before_days=30, **GIVEN)
    assert not played.outcome.changed
    assert not played.outcome.secret
    assert played.result["secret_available"] is False
    assert played.result["key_id"] == KEY_ID
    assert played.outcome.diff is not None
    assert played.outcome.diff["before"] == played.outcome.diff["after"]
    assert "secret_text" not in played.result
    assert played.warnings == []


@pytest.mark.parametrize(
    ("end", "renew_before_days", "added"),
    [
        ("2026-11-01T00:00:01Z", 0, False),
        ("2026-11-01T00:00:00Z", 0, True),
        ("2026-10-31T00:00:00Z", 0, True),
        ("2026-12-01T00:00:00Z", 30, True),
        ("2026-12-01T00:00:01Z", 30, False),
    ],
)
def test_age_decides_whether_another_secret_is_added(run: Play, end: str, renew_before_days: int, added: bool) -> None:
    played = run(Exchange(READ, holder(secret(end=end))), renew_before_days=renew_before_days, check_mode=True, **GIVEN)
    assert played.outcome.changed is added


def test_of_several_secrets_of_the_name_the_longest_living_counts(run: Play) -> None:
    old = secret(end="2026-11-02T00:00:00Z", key_id=OTHER_KEY_ID)
    played = run(Exchange(READ, holder(old, secret())), renew_before_days=30, **GIVEN)
    assert not played.outcome.changed
    assert played.result["key_id"] == KEY_ID


@pytest.mark.parametrize(
    ("lifetime", "end"),
    [
        ({"lifetime_days": 7}, "2026-11-08T00:00:00Z"),
        ({"end_date_time": "2027-01-31"}, "2027-01-31T00:00:00Z"),
        ({"end_date_time": "2027-01-31T02:00:00+02:00"}, "2027-01-31T00:00:00Z"),
    ],
)
def test_the_end_of_a_new_secret_is_always_sent(run: Play, lifetime: dict[str, Any], end: str) -> None:
    played = run(Exchange(READ, holder()), addition(end), Exchange(READ_AGAIN, holder(secret(end=end))), **lifetime, **GIVEN)
    assert played.result["end_date_time"] == end


def test_expired_secrets_of_the_name_can_be_cleared_away(run: Play) -> None:
    expired = secret(end="2026-10-01T00:00:00Z", key_id=OTHER_KEY_ID)
    foreign = secret("other", end="2026-10-01T00:00:00Z", key_id="99999999-9999-4999-8999-000000000003")
    played = run(
        Exchange(READ, holder(expired, foreign)),
        addition(),
        Exchange(READ_AGAIN, holder(expired, foreign, secret())),
        Exchange(REMOVE, done(), {"keyId": OTHER_KEY_ID}),
        remove_expired=True,
        **GIVEN,
    )
    assert played.outcome.diff == {
        "before": {"secrets": [{"name": "ansible", "ends": "2026-10-01"}]},
        "after": {"secrets": [{"name": "ansible", "ends": "2027-04-30"}]},
    }


def test_the_app_may_be_named_by_its_object_id(run: Play) -> None:
    played = run(Exchange(READ_AGAIN, holder(secret())), app_object_id=OBJECT_ID, name="ansible")
    assert played.result["app_id"] == APP_ID


def test_an_app_that_is_not_replicated_yet_is_waited_for_when_the_secret_is_added(run: Play) -> None:
    refusal = Exchange(ADD, missing(), addition().body)
    lagging = Exchange(READ_AGAIN, holder())
    played = run(Exchange(READ, holder()), refusal, addition(), lagging, Exchange(READ_AGAIN, holder(secret())), **GIVEN)
    assert played.result["secret_text"] == VALUE


@pytest.mark.parametrize(
    "trouble",
    [refused(500, "InternalServerError", "x"), Answer(raises=requests.exceptions.ConnectionError("reset by peer")), Answer(200, b"<html>")],
    ids=["500", "reset", "not JSON"],
)
def test_nothing_that_happens_after_the_addition_loses_the_value(run: Play, monkeypatch: pytest.MonkeyPatch, trouble: Answer) -> None:
    # The deadline of the transport is over at once, so that each fault is final.
    played = run(Exchange(READ, holder()), addition(), *[Exchange(READ_AGAIN, trouble)] * (1 if trouble.body == b"<html>" else 14), **GIVEN)
    assert played.result["secret_text"] == VALUE
    assert played.result["verified"] is False
    assert "could not be checked" in played.warnings[0]


def test_a_directory_that_never_shows_the_secret_is_a_warning(run: Play) -> None:
    played = run(Exchange(READ, holder()), addition(), Exchange(READ_AGAIN, holder()), replication_timeout=0, **GIVEN)
    assert played.result["secret_text"] == VALUE
    assert "does not show the new secret" in played.warnings[0]


def test_an_expired_secret_that_cannot_be_removed_does_not_lose_the_new_value(run: Play) -> None:
    expired = secret(end="2026-10-01T00:00:00Z", key_id=OTHER_KEY_ID)
    denied = refused(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
    script = [
        Exchange(READ, holder(expired)),
        addition(),
        Exchange(READ_AGAIN, holder(secret())),
        Exchange(REMOVE, denied, {"keyId": OTHER_KEY_ID}),
    ]
    played = run(*script, remove_expired=True, **GIVEN)
    assert played.result["secret_text"] == VALUE
    assert "could not be removed" in played.warnings[0]


def test_a_lost_answer_is_not_repeated_and_says_how_to_go_on(run: Play) -> None:
    lost = Exchange(ADD, Answer(raises=requests.exceptions.ReadTimeout()), addition().body)
    with pytest.raises(TransportError, match="its value is lost: remove it with state=absent and name='ansible'"):
        run(Exchange(READ, holder()), lost, **GIVEN)


def test_an_answer_without_a_value_is_a_fault(run: Play) -> None:
    with pytest.raises(ServiceError, match="did not return its value"):
        run(Exchange(READ, holder()), addition(secretText=None), **GIVEN)


POLICY = "88888888-8888-4888-8888-000000000001"


@pytest.mark.parametrize(
    ("code", "message", "cause", "next_step"),
    [
        (
            "CredentialTypeNotAllowedAsPerAppPolicy",
            f"Credential type not allowed as per assigned policy '{POLICY}'.",
            "forbids client secrets",
            "certificate",
        ),
        (
            "CredentialInvalidLifetimeAsPerAppPolicy",
            f"Credential lifetime exceeds the max value allowed as per assigned policy '{POLICY}'.",
            "does not allow a secret to live until 2027-04-30T00:00:00Z",
            "smaller lifetime_days",
        ),
    ],
)
def test_a_policy_that_forbids_the_secret_is_explained_and_not_argued_with(
    run: Play, code: str, message: str, cause: str, next_step: str
) -> None:
    with pytest.raises(ServiceError) as caught:
        run(Exchange(READ, holder()), Exchange(ADD, refused(400, code, message), addition().body), **GIVEN)
    for piece in (TENANT, code, POLICY, cause, next_step):
        assert piece in str(caught.value)


class TokenService:
    """Answers the probe of a new secret; records what was asked."""

    def __init__(self, *answers: PartnerError | None) -> None:
        self.answers = list(answers)
        self.requests: list[TokenRequest] = []
        self.secrets: list[str] = []

    def acquire(self, credential: ClientSecret, request: TokenRequest) -> Grant:
        self.requests.append(request)
        self.secrets.append(credential.secret)
        answer = self.answers.pop(0)
        if answer is not None:
            raise answer
        return Grant("a token", 3599)


def _refusal(code: str) -> PartnerError:
    kind = CredentialError if code == "AADSTS7000215" else AuthenticationError
    return kind("refused", code=code, tenant_id=TENANT)


@pytest.fixture
def token_service(monkeypatch: pytest.MonkeyPatch) -> Callable[..., TokenService]:
    def _install(*answers: PartnerError | None) -> TokenService:
        service = TokenService(*answers)

        def _acquire(credential: ClientSecret, request: TokenRequest) -> Grant:
            return service.acquire(credential, request)

        monkeypatch.setattr(ClientSecret, "acquire", _acquire)
        return service

    return _install


ADDED = [Exchange(READ, holder()), addition(), Exchange(READ_AGAIN, holder(secret()))]


def test_a_new_secret_is_tried_until_the_token_service_takes_it(run: Play, token_service: Callable[..., TokenService]) -> None:
    service = token_service(_refusal("AADSTS7000215"), _refusal("AADSTS7000215"), None)
    played = run(*ADDED, verify=True, **GIVEN)
    assert played.result["verified"] is True
    assert service.secrets == [VALUE] * 3
    assert {(request.tenant_id, request.client_id, request.resource) for request in service.requests} == {
        (TENANT, APP_ID, "https://graph.microsoft.com")
    }
    assert played.warnings == []


@pytest.mark.parametrize("code", ["AADSTS700016", "AADSTS7000229", "AADSTS7000112"])
def test_a_token_service_that_lags_behind_the_directory_is_waited_for(
    run: Play, token_service: Callable[..., TokenService], code: str
) -> None:
    token_service(_refusal(code), None)
    played = run(*ADDED, Exchange(FIND_PRINCIPAL, ok(principal())), verify=True, **GIVEN)
    assert played.result["verified"] is True
    assert played.warnings == []


@pytest.mark.parametrize(
    ("code", "found", "why"),
    [
        ("AADSTS700016", missing(), "no service principal"),
        ("AADSTS7000112", ok(principal(accountEnabled=False)), "is disabled"),
    ],
)
def test_an_app_that_can_get_no_token_is_not_waited_for(
    run: Play, token_service: Callable[..., TokenService], code: str, found: Answer, why: str
) -> None:
    token_service(_refusal(code))
    played = run(*ADDED, Exchange(FIND_PRINCIPAL, found), verify=True, **GIVEN)
    assert played.result["verified"] is False
    assert played.result["secret_text"] == VALUE
    assert why in played.warnings[0]


def test_a_secret_that_is_refused_for_another_reason_is_returned_with_a_warning(
    run: Play, token_service: Callable[..., TokenService]
) -> None:
    token_service(_refusal("AADSTS53003"))
    played = run(*ADDED, verify=True, **GIVEN)
    assert played.result["secret_text"] == VALUE
    assert "could not be checked" in played.warnings[0]


@pytest.mark.parametrize("check_mode", [False, True])
def test_a_secret_is_removed_by_name_with_all_its_namesakes(run: Play, check_mode: bool) -> None:
    twin = secret(end="2026-12-01T00:00:00Z", key_id=OTHER_KEY_ID)
    writes = [
        Exchange(REMOVE, done(), {"keyId": KEY_ID}),
        Exchange(REMOVE, done(), {"keyId": OTHER_KEY_ID}),
        Exchange(READ_AGAIN, holder(secret("other", key_id=OTHER_KEY_ID.replace("2", "7")), twin)),
        Exchange(READ_AGAIN, holder()),
    ]
    read = Exchange(READ, holder(secret(), secret("other", key_id=OTHER_KEY_ID.replace("2", "7")), twin))
    played = run(read, *([] if check_mode else writes), state="absent", check_mode=check_mode, **GIVEN)
    assert played.outcome.changed
    assert played.result["removed"] == [KEY_ID, OTHER_KEY_ID]
    assert played.outcome.diff == {
        "before": {"secrets": [{"name": "ansible", "ends": "2026-12-01"}, {"name": "ansible", "ends": "2027-04-30"}]},
        "after": {"secrets": []},
    }


def test_a_secret_is_removed_by_key_id(run: Play) -> None:
    played = run(
        Exchange(READ, holder(secret(), secret(key_id=OTHER_KEY_ID))),
        Exchange(REMOVE, done(), {"keyId": OTHER_KEY_ID}),
        Exchange(READ_AGAIN, holder(secret())),
        app_id=APP_ID,
        key_id=OTHER_KEY_ID.upper(),
        state="absent",
    )
    assert played.result["removed"] == [OTHER_KEY_ID]


@pytest.mark.parametrize(
    "answer",
    [
        refused(400, "Request_BadRequest", "No password credential found with keyId."),
        refused(404, "Request_ResourceNotFound", "No credential found"),
    ],
)
def test_a_secret_that_somebody_else_removed_meanwhile_is_as_good(run: Play, answer: Answer) -> None:
    played = run(
        Exchange(READ, holder(secret())),
        Exchange(REMOVE, answer, {"keyId": KEY_ID}),
        Exchange(READ_AGAIN, holder()),
        state="absent",
        **GIVEN,
    )
    assert played.outcome.changed


def test_a_removal_that_is_refused_fails(run: Play) -> None:
    denied = refused(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
    with pytest.raises(ServiceError, match="Authorization_RequestDenied"):
        run(Exchange(READ, holder(secret())), Exchange(REMOVE, denied, {"keyId": KEY_ID}), state="absent", **GIVEN)


def test_nothing_to_remove_is_no_change(run: Play) -> None:
    assert not run(Exchange(READ, holder(secret("other"))), state="absent", **GIVEN).outcome.changed


def test_removing_from_an_app_that_is_not_there_is_no_change_but_is_mentioned(run: Play) -> None:
    played = run(Exchange(READ, missing()), state="absent", **GIVEN)
    assert not played.outcome.changed
    assert APP_ID in played.warnings[0]


def test_adding_to_an_app_that_is_not_there_fails_and_tells_an_object_id_from_a_client_id(run: Play) -> None:
    lookup = Exchange(f"GET applications/{APP_ID}?{SELECT_APP}", ok(app(id=APP_ID, appId=OBJECT_ID)))
    with pytest.raises(NotFound, match=f"its client id is {OBJECT_ID}"):
        run(Exchange(READ, missing()), lookup, **GIVEN)
    with pytest.raises(NotFound, match="it is not the client id"):
        run(Exchange(READ_AGAIN, missing()), app_object_id=OBJECT_ID, name="ansible")


def test_the_secret_of_an_app_that_would_be_created_is_predicted(run: Play) -> None:
    played = run(app_id=PLACEHOLDER, name="ansible", check_mode=True)
    assert played.outcome.changed
    with pytest.raises(OptionError, match="stands for no app"):
        run(app_id=PLACEHOLDER, name="ansible")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"app_id": "nope"}, "app_id is not a GUID"),
        ({"app_id": APP_ID, "name": " "}, "name is empty"),
        ({"lifetime_days": 0}, "at least 1"),
        ({"lifetime_days": 10**12}, "beyond all calendars"),
        ({"renew_before_days": -1}, "must not be negative"),
        ({"replication_timeout": float("nan")}, "replication_timeout must be from 0 to 1000000000 seconds; got nan"),
        ({"lifetime_days": 30, "renew_before_days": 30}, "renewed at once"),
        ({"end_date_time": "next year"}, "not a date and time"),
        ({"end_date_time": "2026-10-31"}, "is over"),
        ({"state": "absent", "key_id": "ansible"}, "key_id is not a GUID"),
    ],
)
def test_bad_input_fails_without_a_request(run: Play, given: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        run(**{"app_id": APP_ID, **({} if "key_id" in given else {"name": "ansible"}), **given})


@pytest.mark.parametrize(
    "given",
    [
        {"name": "ansible"},
        {"app_id": APP_ID},
        {"app_id": APP_ID, "state": "absent"},
        {"app_id": APP_ID, "app_object_id": OBJECT_ID, "name": "ansible"},
        {"app_id": APP_ID, "name": "ansible", "key_id": KEY_ID},
        {"app_id": APP_ID, "name": "ansible", "lifetime_days": 1, "end_date_time": "2027-01-01"},
    ],
)
def test_the_argument_spec_refuses_combinations_that_mean_nothing(run: Play, given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"required|missing|mutually exclusive"):
        run(**given)


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(9999, 1, 1)), st.sampled_from(["Z", "z", "+00:00", ""]))
def test_moments_are_read_in_every_form_that_the_services_write(moment: datetime, zone: str) -> None:
    expected = moment.replace(tzinfo=timezone.utc)
    assert parse_time(moment.isoformat() + zone) == expected
    assert parse_time(moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "7" + zone) == expected
    assert parse_time(format_time(expected)) == expected.replace(microsecond=0)


def test_a_new_secret_does_not_show_its_value_in_its_repr() -> None:
    assert VALUE not in repr(NewSecret(Secret(KEY_ID, "ansible", NOW, NOW), VALUE))
