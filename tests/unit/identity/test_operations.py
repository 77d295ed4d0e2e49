# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operations m365d_token and m365d_consent_info over scripted answers: every request in order, every result."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import (
    AuthenticationError,
    CredentialError,
    OptionError,
    PartnerError,
    TransportError,
)
from ansible_collections.m365d.partner.plugins.module_utils._core.fleet import Places, fleet_over
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.contract import CHECKS
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.store import MemoryStore
from ansible_collections.m365d.partner.plugins.module_utils._ops import _session, consent_info, token
from ansible_collections.m365d.partner.plugins.module_utils._ops._task import Operation, Outcome, Task
from unit.identity import tokens
from unit.identity.tokens import CLIENT, GRAPH, LOGIN, MTP, OTHER_TENANT, SECRET, TENANT, answer, jwk, refusal
from unit.support.scripted_http import Answer, Clock, ScriptedSession, scripted_transport

TOKEN_LINE = f"POST {LOGIN}/{TENANT}/oauth2/v2.0/token"
KEYS_LINE = f"GET {LOGIN}/common/discovery/keys"
DISCOVERY_LINE = f"GET {LOGIN}/contoso.com/v2.0/.well-known/openid-configuration"


@dataclass
class Run:
    """One run of an operation with what it did."""

    outcome: Outcome | None
    error: PartnerError | None
    session: ScriptedSession
    clock: Clock
    warnings: list[str] = field(default_factory=list)

    @property
    def result(self) -> dict[str, Any]:
        assert self.outcome is not None, str(self.error)
        json.dumps(self.outcome.result)
        return self.outcome.result


Runner = Callable[..., Run]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Runs an operation with options over a script of answers, with an empty cache of its own."""
    memory = MemoryStore()
    passed: list[float] = []

    def start(operation: Operation, *script: Answer, places_of: Callable[[Clock], Any] | None = None, **options: Any) -> Run:
        transport, session, clock = scripted_transport(*script)
        cache_of = _session.TokenCache

        def cache(*args: Any, **kwargs: Any) -> Any:
            made = cache_of(*args, now=lambda: time.time() + sum(passed) + sum(clock.slept), **kwargs)
            made.store = memory
            return made

        monkeypatch.setattr(_session, "transport_of", lambda *_args, **_kwargs: transport)
        monkeypatch.setattr(_session, "TokenCache", cache)
        given = {"tenant_id": TENANT, "client_id": CLIENT, "client_secret": SECRET, **options}
        validation = ArgumentSpecValidator({name: dict(spec) for name, spec in operation.argument_spec.items()}).validate(
            {name: value for name, value in given.items() if value is not None}
        )
        assert not validation.error_messages
        warnings: list[str] = []
        task = Task(params=validation.validated_parameters, warn=warnings.append, places=places_of(clock) if places_of else None)
        sleep = None if places_of else clock.sleep
        monkeypatch.setattr(_session, "TokenCache", cache)
        try:
            outcome = token.run(task, sleep=sleep, clock=clock) if operation is token.OPERATION else operation.run(task)
        except PartnerError as error:
            return Run(None, error, session, clock, warnings)
        finally:
            passed.extend(clock.slept)
            monkeypatch.undo()
        return Run(outcome, None, session, clock, warnings)

    return start


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    return tokens.claims(**{"iat": now - 300, "nbf": now - 300, "exp": now + 3600, **changes})


def issued(**changes: Any) -> Answer:
    return Answer(200, answer(tokens.token(claims(**changes))))


def graph(*roles: str) -> Answer:
    payload = claims(aud=GRAPH, idtyp="app", roles=list(roles) or None)
    return Answer(200, answer(tokens.token(payload, header={"nonce": "n"})))


KEYS = Answer(200, {"keys": [jwk("first")]})
NOT_CONSENTED = Answer(400, refusal(700016, "unauthorized_client"))


# --- m365d_token ---------------------------------------------------------------------------------------------------


def test_a_token_is_proven_with_one_request_for_it_and_one_for_the_keys(run: Runner) -> None:
    done = run(token.OPERATION, issued(), KEYS, api="defender", required_roles=["MicrosoftThreatProtection/Incident.Read.All"])
    assert done.session.lines() == [TOKEN_LINE, KEYS_LINE]
    assert done.outcome is not None
    assert (done.outcome.failed, done.outcome.secret, done.outcome.changed) == (False, False, False)
    result = done.result
    assert [found["name"] for found in result["checks"]] == list(CHECKS)
    assert {name: result[name] for name in ("tenant_id", "client_id", "auth_method", "resource", "audience", "source", "signature")} == {
        "tenant_id": TENANT,
        "client_id": CLIENT,
        "auth_method": "client_secret",
        "resource": MTP,
        "audience": MTP,
        "source": "network",
        "signature": "verified",
    }
    assert (result["roles"], result["scopes"], result["missing_roles"], result["token_type"]) == (["Incident.Read.All"], [], [], "app")
    assert (result["consent_state"], result["next_step"], result["error"]) == ("ready", "", None)
    assert 3590 <= result["expires_in"] <= 3599
    assert result["issued_at"] < result["expires_at"]
    assert result["expires_at"].endswith("Z")
    assert result["claims"]["tid"] == TENANT
    assert "access_token" not in result


def test_the_api_decides_the_resource_unless_one_is_named(run: Runner) -> None:
    assert run(token.OPERATION, graph("A")).result["resource"] == GRAPH
    assert run(token.OPERATION, issued(), KEYS, resource="MicrosoftThreatProtection").result["resource"] == MTP
    other = run(token.OPERATION, issued(aud="api://contoso"), resource="api://contoso")
    assert other.session.requests[0].form["scope"] == "api://contoso/.default"
    assert other.result["consent_state"] == "ready"


@pytest.mark.parametrize(
    "resource",
    [
        "00000003-0000-0000-c000-000000000000",
        "FC780465-2017-40D4-A0C5-307022471B92",
        "https://graph.microsoft.com/",
        "https://securitycenter.onmicrosoft.com/windowsatpservice",
        "api://88888888-8888-4888-8888-000000000001",
        "urn:example:api",
        "00000003-0000-0ff1-ce00-000000000000/contoso.sharepoint.com@contoso.com",
    ],
)
def test_any_identifier_of_an_api_is_asked_for_as_it_is_written(run: Runner, resource: str) -> None:
    done = run(token.OPERATION, issued(aud=resource), KEYS, resource=resource)
    assert done.session.requests[0].form["scope"] == f"{resource}/.default"
    assert done.result["audience"] == resource


def test_the_token_itself_is_returned_on_demand_alone_and_marked_as_a_secret(run: Runner) -> None:
    done = run(token.OPERATION, graph("A"), return_token=True)
    assert done.outcome is not None
    assert done.outcome.secret is True
    assert done.result["access_token"].count(".") == 2
    assert done.result["access_token"] not in repr(done.outcome)


@pytest.mark.parametrize("options", [{}, {"fail_on": "never"}, {"tenants": [TENANT]}, {"tenants": [TENANT], "max_failed": "100%"}])
def test_a_token_that_breaks_its_contract_is_not_handed_out(run: Runner, options: dict[str, Any]) -> None:
    operation = replace(token.OPERATION)  # as it is run for many tenants too
    done = run(operation, graph("A"), return_token=True, required_roles=["Other"], **options)
    assert done.outcome is not None
    assert "access_token" not in json.dumps(done.result)
    # Nothing in it is secret, so that it may be shown what is wrong.
    assert done.outcome.secret is False


@pytest.mark.parametrize("name", ["min_lifetime", "clock_skew", "wait_for_roles"])
@pytest.mark.parametrize("value", [math.nan, math.inf, 1.1e9, -1.0])
def test_a_time_that_would_switch_a_check_off_is_refused(run: Runner, name: str, value: float) -> None:
    done = run(token.OPERATION, **{name: value})
    assert name in str(done.error)
    assert done.session.requests == []


def test_a_broken_contract_fails_with_all_checks_and_the_next_step(run: Runner) -> None:
    done = run(token.OPERATION, graph("Other.Read.All"), required_roles=["SecurityIncident.Read.All"])
    assert done.outcome is not None
    assert done.outcome.failed is True
    result = done.result
    assert (result["consent_state"], result["missing_roles"]) == ("missing_roles", ["SecurityIncident.Read.All"])
    assert result["error"]["message"] == "The token breaks its contract (required_roles): The token lacks SecurityIncident.Read.All."
    assert result["error"]["state"] == "missing_roles"
    assert result["next_step"].startswith("Declare SecurityIncident.Read.All on the app")
    assert result["msg"].endswith(result["next_step"])
    assert TENANT in result["msg"]


def test_what_a_token_says_of_itself_does_not_reach_the_terminal_as_it_is(run: Runner) -> None:
    given = tokens.token(claims(aud=GRAPH, roles=["\x1b]0;owned\x07", "\x9b31m", "A"]))
    options = {"access_token": given, "client_secret": None, "client_id": None}
    done = run(token.OPERATION, KEYS, allowed_roles=["A"], **options)
    assert "]0;owned" in done.result["msg"]
    assert done.result["msg"].isprintable()
    assert done.result["error"]["message"].isprintable()


def test_with_fail_on_never_a_broken_contract_is_a_finding(run: Runner) -> None:
    done = run(token.OPERATION, graph(), required_roles=["SecurityIncident.Read.All"], fail_on="never")
    assert done.outcome is not None
    assert done.outcome.failed is False
    assert done.result["consent_state"] == "consented_without_roles"
    assert done.result["error"]["scope"] == "tenant"
    assert "msg" not in done.result


@pytest.mark.parametrize(
    ("options", "roles", "next_step"),
    [
        ({"allowed_roles": ["A"]}, ["A", "B"], "Remove the roles that are too many"),
        ({"forbidden_roles": ["B"]}, ["A", "B"], "Remove the roles that are too many"),
        ({"min_lifetime": 7200.0}, ["A"], "Get a new token"),
        ({"token_type": "delegated"}, ["A"], "Do not use this token"),
    ],
)
def test_each_kind_of_violation_has_its_next_step(run: Runner, options: dict[str, Any], roles: list[str], next_step: str) -> None:
    assert run(token.OPERATION, graph(*roles), fail_on="never", **options).result["next_step"].startswith(next_step)


def test_a_clock_that_is_slow_is_named(run: Runner) -> None:
    future = int(time.time()) + 600
    payload = claims(aud=GRAPH, idtyp="app", nbf=future, iat=future)
    reply = Answer(200, answer(tokens.token(payload, header={"nonce": "n"})))
    assert "clock" in run(token.OPERATION, reply, fail_on="never").result["next_step"]
    assert run(token.OPERATION, fail_on="never", clock_skew=700.0).result["next_step"] == ""


def test_a_tenant_that_refuses_fails_the_task_or_is_a_finding(run: Runner) -> None:
    done = run(token.OPERATION, NOT_CONSENTED)
    assert isinstance(done.error, AuthenticationError)
    assert (done.error.state, done.error.tenant_id) == ("not_consented", TENANT)
    done = run(token.OPERATION, NOT_CONSENTED, fail_on="never", required_roles=["A"])
    result = done.result
    assert (result["consent_state"], result["checks"], result["roles"], result["missing_roles"]) == ("not_consented", [], [], ["A"])
    assert (result["resource"], result["auth_method"], result["signature"]) == (GRAPH, "client_secret", "unchecked")
    assert result["error"]["code"] == "AADSTS700016"
    assert result["next_step"] == result["error"]["next_step"]
    assert set(result) == set(run(token.OPERATION, graph("A")).result)


def test_a_fault_that_says_nothing_about_the_tenant_fails_also_with_fail_on_never(run: Runner) -> None:
    wrong = run(token.OPERATION, Answer(401, refusal(7000215, "invalid_client")), fail_on="never")
    assert isinstance(wrong.error, CredentialError)
    garbled = run(token.OPERATION, Answer(200, b"<html>"), fail_on="never", client_id="22222222-2222-4222-8222-000000000002")
    assert isinstance(garbled.error, TransportError)


def test_a_tenant_by_domain_is_resolved_first_and_an_unknown_one_is_a_finding(run: Runner) -> None:
    found = Answer(200, {"issuer": f"{LOGIN}/{TENANT}/v2.0", "cloud_instance_name": "microsoftonline.com"})
    done = run(token.OPERATION, found, graph("A"), tenant_id="Contoso.com")
    assert done.session.lines() == [DISCOVERY_LINE, TOKEN_LINE]
    assert done.result["tenant_id"] == TENANT
    assert run(token.OPERATION, tenant_id="contoso.com").session.lines() == []
    unknown = Answer(400, refusal(90002, "invalid_tenant"))
    result = run(token.OPERATION, unknown, tenant_id="fabrikam.com", fail_on="never").result
    assert (result["consent_state"], result["tenant_id"], result["resource"]) == ("unknown_tenant", "fabrikam.com", None)
    assert isinstance(run(token.OPERATION, unknown, tenant_id="fabrikam.com").error, AuthenticationError)


def test_the_cloud_is_asked_for_once_and_kept_for_the_run(run: Runner) -> None:
    line = f"GET {LOGIN}/{TENANT}/v2.0/.well-known/openid-configuration"
    document = Answer(200, {"issuer": f"{LOGIN}/{TENANT}/v2.0", "tenant_region_sub_scope": "GCC"})
    done = run(token.OPERATION, document, issued(), KEYS, cloud="auto", api="defender")
    assert done.session.lines() == [line, TOKEN_LINE, KEYS_LINE]
    assert run(token.OPERATION, cloud="auto", api="defender").session.lines() == []
    high = Answer(200, {"issuer": f"https://login.microsoftonline.us/{OTHER_TENANT}/v2.0", "cloud_instance_name": "microsoftonline.us"})
    unknown = Answer(400, refusal(90002, "invalid_tenant"))
    payload = claims(aud="https://graph.microsoft.us", tid=OTHER_TENANT, iss=f"https://sts.windows.net/{OTHER_TENANT}/")
    reply = Answer(200, answer(tokens.token(payload, header={"nonce": "n"})))
    done = run(token.OPERATION, unknown, high, reply, cloud="auto", tenant_id=OTHER_TENANT)
    assert [line.split("/")[2] for line in done.session.lines()] == [
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "login.microsoftonline.us",
    ]
    assert done.result["resource"] == "https://graph.microsoft.us"


def test_a_cloud_that_is_nearly_right_is_a_warning(run: Runner) -> None:
    document = Answer(200, {"issuer": f"{LOGIN}/{TENANT}/v2.0", "tenant_region_sub_scope": "GCC"})
    done = run(token.OPERATION, document, graph("A"), tenant_id="litware.com")
    (warning,) = done.warnings
    assert "lives in the cloud gcc, but cloud is global" in warning
    assert run(token.OPERATION, tenant_id=TENANT).warnings == []


def test_with_cloud_auto_a_wrong_credential_is_still_found_before_any_request(run: Runner) -> None:
    done = run(token.OPERATION, cloud="auto", client_secret="")
    assert isinstance(done.error, OptionError)
    assert done.session.requests == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tenant_id": "common"}, "names no tenant"),
        ({"tenant_id": OTHER_TENANT, "allowed_tenants": [TENANT]}, "no request was made"),
        ({"client_secret": ""}, "client_secret is empty"),
        ({"client_secret": OTHER_TENANT}, "the secret's ID"),
        ({"client_secret": None}, "No credential is given"),
        ({"client_id": "app"}, "client_id is not a GUID"),
        ({"resource": " "}, "resource is empty"),
        ({"resource": "microsoftgraph"}, "Unknown resource 'microsoftgraph'. Next step: Did you mean MicrosoftGraph?"),
        ({"resource": "graph.microsoft.com"}, "by its App ID URI (such as https://graph.microsoft.com) or application id"),
        ({"resource": "https://"}, "Unknown resource"),
        ({"resource": "https://graph.microsoft.com https://a.example"}, "Unknown resource"),
        ({"resource": f" {GRAPH}"}, "Unknown resource"),
        ({"resource": f"{GRAPH}/.default"}, f"a scope and no resource. Next step: Give it as {GRAPH}."),
        ({"resource": "api://contoso/.Default/"}, "Give it as api://contoso."),
        ({"min_lifetime": -1.0}, "min_lifetime must be from 0 to 1000000000 seconds; got -1"),
        ({"clock_skew": -1.0}, "clock_skew must be from 0"),
        ({"wait_for_roles": -1.0}, "wait_for_roles must be from 0"),
        ({"required_roles": ["A", "B"], "forbidden_roles": ["B"]}, "B is both required and forbidden"),
        ({"required_roles": ["A.Read"], "forbidden_roles": ["a.read"]}, "A.Read is both required and forbidden"),
        ({"required_roles": ["A"], "forbidden_roles": ["MicrosoftGraph/A"]}, "A is both required and forbidden"),
        ({"required_roles": ["A", "B", "C"], "allowed_roles": ["MicrosoftGraph/A"]}, "B, C is required but not among allowed_roles"),
        ({"required_roles": ["A"], "allowed_roles": []}, "Add it to allowed_roles, or remove it from required_roles."),
        ({"required_roles": ["A.Read"], "allowed_roles": ["a.read"]}, "the contract tells upper from lower case"),
        ({"required_roles": [" "]}, "required_roles holds an empty role"),
        ({"required_roles": ["MicrosoftGraph/"]}, "required_roles holds an empty role"),
        ({"allowed_roles": ["MicrosoftThreatProtection/Incident.Read.All"]}, "but the token is for MicrosoftGraph"),
        ({"forbidden_roles": ["x/y"], "resource": "api://contoso"}, "but the token is for api://contoso"),
    ],
)
def test_a_wrong_option_is_found_before_any_request(run: Runner, options: dict[str, Any], message: str) -> None:
    done = run(token.OPERATION, **options)
    assert isinstance(done.error, OptionError)
    assert message in str(done.error)
    assert done.session.requests == []


def test_a_contract_without_contradictions_is_held_against_the_token(run: Runner) -> None:
    lists = {"required_roles": ["MicrosoftGraph/A"], "allowed_roles": ["A", "B"], "forbidden_roles": ["C"]}
    assert run(token.OPERATION, graph("A"), **lists).result["consent_state"] == "ready"
    # What is allowed and forbidden is forbidden; that is no contradiction.
    assert run(token.OPERATION, **{**lists, "allowed_roles": ["A", "C"]}).result["consent_state"] == "ready"


def test_an_audience_that_can_never_carry_the_role_is_a_warning(run: Runner) -> None:
    resource = "https://api.securitycenter.microsoft.com"
    done = run(
        token.OPERATION, issued(aud=resource, roles=["Machine.Read.All"]), KEYS, resource=resource, required_roles=["Incident.Read.All"]
    )
    (warning,) = done.warnings
    assert "can never carry the role Incident.Read.All" in warning
    assert "resource=MicrosoftThreatProtection" in warning
    assert run(token.OPERATION, resource=resource, required_roles=["Machine.Read.All"]).warnings == []
    assert run(token.OPERATION, graph("User.Read.All"), required_roles=["User.Read.All"]).warnings == []


def test_roles_that_are_on_their_way_are_waited_for(run: Runner) -> None:
    script = [NOT_CONSENTED, graph(), graph("Other"), graph("Other", "SecurityIncident.Read.All")]
    done = run(token.OPERATION, *script, required_roles=["SecurityIncident.Read.All"], wait_for_roles=120.0)
    assert done.result["consent_state"] == "ready"
    assert done.session.lines() == [TOKEN_LINE] * 4
    assert len(done.clock.slept) == 3
    assert all(1.6 * 2**number <= slept <= 2.4 * 2**number for number, slept in enumerate(done.clock.slept))


def test_waiting_until_roles_are_there_has_that_name_too(run: Runner) -> None:
    done = run(token.OPERATION, graph(), graph("A"), until_roles=60.0)
    assert (done.result["consent_state"], len(done.clock.slept)) == ("ready", 1)


def test_waiting_ends_with_its_time(run: Runner) -> None:
    done = run(token.OPERATION, *[graph()] * 20, wait_for_roles=60.0, fail_on="never")
    assert done.result["consent_state"] == "consented_without_roles"
    assert sum(done.clock.slept) == pytest.approx(60.0)
    assert max(done.clock.slept) <= 24
    done = run(token.OPERATION, *[NOT_CONSENTED] * 20, wait_for_roles=60.0, client_id="22222222-2222-4222-8222-000000000003")
    assert isinstance(done.error, AuthenticationError)
    assert sum(done.clock.slept) == pytest.approx(60.0)


class FewPlaces(Places):
    """Places of a fleet whose time is over when somebody has slept twice."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(1)
        self.passing = clock

    def sleep(self, seconds: float) -> None:
        if len(self.passing.slept) == 2:
            raise fleet_over()
        self.passing.sleep(seconds)


def test_a_tenant_of_a_fleet_waits_in_nobodys_way_and_says_what_it_knows_when_the_time_of_all_is_over(run: Runner) -> None:
    done = run(token.OPERATION, graph(), graph(), graph(), wait_for_roles=60.0, fail_on="never", places_of=FewPlaces)
    assert (done.result["consent_state"], len(done.clock.slept)) == ("consented_without_roles", 2)
    refused = run(token.OPERATION, *[NOT_CONSENTED] * 3, wait_for_roles=60.0, tenant_id=OTHER_TENANT, places_of=FewPlaces)
    assert isinstance(refused.error, AuthenticationError)
    assert refused.error.code == "AADSTS700016"


def test_what_waiting_does_not_change_is_not_waited_for(run: Runner) -> None:
    disabled = Answer(400, refusal(7000112, "unauthorized_client"))
    done = run(token.OPERATION, disabled, wait_for_roles=60.0, fail_on="never")
    assert (done.result["consent_state"], done.clock.slept) == ("disabled", [])
    foreign = Answer(200, answer(tokens.token(claims(aud=GRAPH, tid=OTHER_TENANT, roles=None), header={"nonce": "n"})))
    done = run(token.OPERATION, foreign, wait_for_roles=60.0, fail_on="never")
    assert (done.result["consent_state"], done.clock.slept) == ("credential_error", [])


def test_a_credential_that_is_refused_is_waited_for_once_and_not_for_each_tenant(run: Runner) -> None:
    wrong = Answer(401, refusal(7000215, "invalid_client"))
    first = run(token.OPERATION, *[wrong] * 20, wait_for_roles=120.0)
    assert isinstance(first.error, CredentialError)
    assert sum(first.clock.slept) == pytest.approx(120.0)
    # The refusal of a moment ago is believed, and the time is over.
    second = run(token.OPERATION, tenant_id=OTHER_TENANT, wait_for_roles=120.0)
    assert isinstance(second.error, CredentialError)
    assert (second.session.requests, second.clock.slept) == ([], [])
    # One that waits longer waits for what is left.
    third = run(token.OPERATION, *[wrong] * 20, tenant_id=OTHER_TENANT, wait_for_roles=150.0)
    assert isinstance(third.error, CredentialError)
    assert 30.0 <= sum(third.clock.slept) < 60.0


def test_a_secret_that_was_made_just_now_is_waited_for(run: Runner) -> None:
    wrong = Answer(401, refusal(7000215, "invalid_client"))
    done = run(token.OPERATION, wrong, wrong, graph("A"), wait_for_roles=60.0)
    assert done.result["consent_state"] == "ready"
    assert len(done.clock.slept) == 2


def test_a_token_that_was_given_is_checked_and_nothing_is_asked_for_it(run: Runner) -> None:
    given = tokens.token(claims())
    options: dict[str, Any] = {"access_token": given, "client_secret": None, "client_id": None, "api": "defender"}
    done = run(token.OPERATION, KEYS, wait_for_roles=60.0, required_roles=["Other"], fail_on="never", **options)
    assert done.session.lines() == [KEYS_LINE]
    assert (done.result["source"], done.result["auth_method"], done.result["client_id"]) == ("given", "ready_token", CLIENT)
    assert done.result["consent_state"] == "missing_roles"
    done = run(token.OPERATION, fail_on="never", **{**options, "tenant_id": OTHER_TENANT})
    assert {found["name"] for found in done.result["checks"] if found["outcome"] == "failed"} == {"tenant", "issuer"}
    done = run(token.OPERATION, fail_on="never", **{**options, "client_id": "22222222-2222-4222-8222-000000000009"})
    assert {found["name"] for found in done.result["checks"] if found["outcome"] == "failed"} == {"client"}


@pytest.mark.parametrize("given", ["n0t-a-t0ken", "a.b.c", "A" * 1024 * 1024])
def test_what_is_no_token_is_a_finding_and_not_a_crash(run: Runner, given: str) -> None:
    done = run(token.OPERATION, access_token=given, client_secret=None, client_id=None, fail_on="never")
    result = done.result
    assert (result["consent_state"], result["signature"], result["claims"], result["expires_in"]) == ("credential_error", "invalid", {}, 0)
    assert result["checks"][0]["outcome"] == "failed"
    assert given not in json.dumps(result)


@pytest.mark.parametrize("moment", [True, "soon", 1e18, -1e18, None])
def test_a_time_that_is_none_is_not_shown(run: Runner, moment: Any) -> None:
    payload = {**claims(aud=GRAPH, idtyp="app"), "iat": moment}
    done = run(token.OPERATION, Answer(200, answer(tokens.token(payload, header={"nonce": "n"}))), fail_on="never")
    assert done.result["issued_at"] is None


def test_the_token_of_a_user_is_checked_by_its_scopes(run: Runner) -> None:
    payload = claims(aud=GRAPH, roles=None, scp="User.Read Incident.Read", sub="pairwise")
    given = tokens.token(payload, header={"nonce": "n"})
    done = run(token.OPERATION, access_token=given, client_secret=None, required_roles=["User.Read"])
    assert (done.result["scopes"], done.result["roles"], done.result["token_type"]) == (["User.Read", "Incident.Read"], [], "delegated")
    assert done.result["consent_state"] == "ready"


# --- m365d_consent_info --------------------------------------------------------------------------------------------


def test_a_tenant_that_granted_everything_is_ready(run: Runner) -> None:
    permissions = ["MicrosoftGraph/SecurityIncident.Read.All", "MicrosoftThreatProtection/Incident.Read.All"]
    done = run(consent_info.OPERATION, graph("SecurityIncident.Read.All"), issued(), KEYS, permissions=permissions)
    assert done.session.lines() == [TOKEN_LINE, TOKEN_LINE, KEYS_LINE]
    result = done.result
    assert (result["consent_state"], result["missing_roles"], result["next_step"], result["consent_url"]) == ("ready", [], "", None)
    assert result["roles"] == sorted(permissions)
    assert [(found["probe"], found["resource"], found["signature"]) for found in result["evidence"]] == [
        ("token", "MicrosoftGraph", "unchecked"),
        ("token", "MicrosoftThreatProtection", "verified"),
    ]


@pytest.mark.parametrize(
    ("script", "permissions", "state", "missing", "has_link"),
    [
        ([NOT_CONSENTED], None, "not_consented", [], True),
        ([NOT_CONSENTED], ["SecurityIncident.Read.All"], "not_consented", ["MicrosoftGraph/SecurityIncident.Read.All"], True),
        ([graph()], None, "consented_without_roles", [], True),
        ([graph("User.Read.All")], ["SecurityIncident.Read.All"], "missing_roles", ["MicrosoftGraph/SecurityIncident.Read.All"], True),
        (
            [graph("SecurityIncident.Read.All"), issued(roles=None), KEYS],
            ["SecurityIncident.Read.All", "Incident.Read.All"],
            "missing_roles",
            ["MicrosoftThreatProtection/Incident.Read.All"],
            True,
        ),
        (
            [graph("SecurityIncident.Read.All"), Answer(400, refusal(500011, "invalid_resource"))],
            ["SecurityIncident.Read.All", "Incident.Read.All"],
            "not_licensed",
            ["MicrosoftThreatProtection/Incident.Read.All"],
            False,
        ),
        ([Answer(400, refusal(7000112, "unauthorized_client"))], None, "disabled", [], False),
        ([Answer(200, answer(tokens.token(claims(tid=OTHER_TENANT))))], None, "credential_error", [], False),
    ],
)
def test_a_consent_state_comes_with_what_is_missing_and_the_link_where_it_helps(
    run: Runner, script: list[Answer], permissions: list[str] | None, state: str, missing: list[str], has_link: bool
) -> None:
    result = run(consent_info.OPERATION, *script, permissions=permissions).result
    assert (result["consent_state"], result["missing_roles"]) == (state, missing)
    assert (result["consent_url"] is not None) == has_link
    assert result["next_step"]
    if has_link:
        assert result["consent_url"].startswith(f"{LOGIN}/{TENANT}/oauth2/authorize?")
        assert CLIENT in result["consent_url"]


def test_a_forged_token_is_evidence_of_nothing(run: Runner) -> None:
    forged = Answer(200, answer(tokens.token(claims(), header={"kid": "first"}, key="stranger")))
    result = run(consent_info.OPERATION, forged, KEYS, api="defender").result
    assert result["consent_state"] == "credential_error"
    assert result["evidence"][0]["failed_checks"] == ["signature"]


def test_new_tokens_are_asked_for_unless_the_cache_will_do(run: Runner) -> None:
    run(consent_info.OPERATION, graph("A"))
    assert len(run(consent_info.OPERATION, graph("A")).session.requests) == 1
    done = run(consent_info.OPERATION, force_refresh=False)
    assert (done.session.requests, done.result["evidence"][0]["source"]) == ([], "cache")


def test_the_api_is_probed_where_the_tokens_were_given(run: Runner) -> None:
    done = run(consent_info.OPERATION, graph("SecurityIncident.Read.All"), Answer(200, {"value": []}), probe_api=True, force_refresh=False)
    assert done.session.lines()[1].startswith("GET https://graph.microsoft.com/v1.0/security/incidents?%24top=1")
    assert done.result["evidence"][1] == {"probe": "api", "resource": "MicrosoftGraph", "consent_state": "ready", "error": None}
    assert done.result["consent_state"] == "ready"
    denied = Answer(403, {"error": {"code": "Forbidden", "message": "no licence"}})
    done = run(consent_info.OPERATION, denied, probe_api=True, force_refresh=False)
    assert (done.result["consent_state"], done.result["error"]["http_status"]) == ("not_licensed", 403)
    done = run(consent_info.OPERATION, NOT_CONSENTED, probe_api=True)
    assert len(done.session.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, {}),
        Answer(200, {"value": [None]}),
        Answer(200, {"value": [{}]}),
        Answer(200, {"value": [{"id": "1", "tenantId": "99999999-9999-4999-8999-000000000009"}]}),
        Answer(200, {"value": []}, headers={"Warning": '199 - "provider failed"'}),
        Answer(206, {"value": []}),
    ],
)
def test_an_api_is_ready_only_where_it_answers_with_incidents_and_vouches_for_them(run: Runner, answer: Answer) -> None:
    done = run(consent_info.OPERATION, graph("A"), answer, probe_api=True)
    assert (done.result["consent_state"], done.result["evidence"][1]["consent_state"]) == ("unreachable", "unreachable")


def test_an_api_that_gives_no_reason_counts_as_unreachable(run: Runner) -> None:
    odd = Answer(400, {"error": {"code": "BadRequest", "message": "odd"}})
    done = run(consent_info.OPERATION, graph("A"), odd, probe_api=True)
    assert (done.result["consent_state"], done.result["evidence"][1]["consent_state"]) == ("unreachable", "unreachable")
    assert done.result["next_step"]


def test_a_tenant_that_does_not_exist_is_a_finding_too(run: Runner) -> None:
    done = run(consent_info.OPERATION, Answer(400, refusal(90002, "invalid_tenant")), tenant_id="contoso.com")
    assert (done.result["consent_state"], done.result["tenant_id"], done.result["consent_url"]) == ("unknown_tenant", "contoso.com", None)
    assert done.result["evidence"][0]["probe"] == "tenant"


def test_a_fault_of_the_credential_is_a_failure_and_not_a_finding(run: Runner) -> None:
    done = run(consent_info.OPERATION, Answer(401, refusal(7000222, "invalid_client")))
    assert isinstance(done.error, CredentialError)
    assert done.error.scope == "credential"


def test_an_unknown_permission_is_found_before_any_request(run: Runner) -> None:
    done = run(consent_info.OPERATION, permissions=["MicrosoftGraph/"])
    assert isinstance(done.error, OptionError)
    assert done.session.requests == []
