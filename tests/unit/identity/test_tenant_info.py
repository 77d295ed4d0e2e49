# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation m365d_tenant_info over scripted answers: every request in order, every result."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import PartnerError
from ansible_collections.m365d.partner.plugins.module_utils._ops import _fleet, _session, tenant_info
from ansible_collections.m365d.partner.plugins.module_utils._ops._task import Outcome, Task
from unit.identity import tokens
from unit.identity.tokens import CLIENT, GRAPH, LOGIN, OTHER_TENANT, SECRET, TENANT, answer, refusal
from unit.support.scripted_http import Answer, ScriptedSession, scripted_transport

HOME = "11111111-1111-4111-8111-000000000001"
UNKNOWN = Answer(400, refusal(90002, "invalid_tenant"))
CREDENTIAL = {"client_id": CLIENT, "client_secret": SECRET}


@dataclass
class Run:
    """One run with what it did."""

    outcome: Outcome | None
    error: PartnerError | None
    session: ScriptedSession

    @property
    def result(self) -> dict[str, Any]:
        assert self.outcome is not None, str(self.error)
        json.dumps(self.outcome.result)
        return self.outcome.result


Runner = Callable[..., Run]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Runner:
    """Runs the operation with options over a script of answers, without tokens of an earlier run."""
    runs = itertools.count()

    def start(*script: Answer, **options: Any) -> Run:
        transport, session, _clock = scripted_transport(*script)
        for place in (_session, _fleet, tenant_info):
            monkeypatch.setattr(place, "transport_of", lambda *_args, **_kwargs: transport)
        operation = tenant_info.OPERATION
        validation = ArgumentSpecValidator({name: dict(spec) for name, spec in operation.argument_spec.items()}).validate(options)
        assert not validation.error_messages
        try:
            return Run(
                operation.run(Task(params=validation.validated_parameters, run_directory=str(tmp_path / str(next(runs))))), None, session
            )
        except PartnerError as error:
            return Run(None, error, session)

    return start


def document(tenant: str = TENANT, **changes: Any) -> Answer:
    fields = {
        "issuer": f"{LOGIN}/{tenant}/v2.0",
        "tenant_region_scope": "EU",
        "cloud_instance_name": "microsoftonline.com",
        "msgraph_host": "graph.microsoft.com",
    }
    return Answer(200, {name: value for name, value in {**fields, **changes}.items() if value is not None})


def token(tenant: str) -> Answer:
    now = int(time.time())
    payload = tokens.claims(
        aud=GRAPH, tid=tenant, iat=now - 300, nbf=now - 300, exp=now + 3600, roles=["CrossTenantInformation.ReadBasic.All"]
    )
    return Answer(200, answer(tokens.token(payload, header={"nonce": "n"})))


def names(tenant: str = TENANT) -> Answer:
    return Answer(
        200, {"tenantId": tenant, "displayName": "Fabrikam", "defaultDomainName": "fabrikam.example", "federationBrandName": None}
    )


def line(host: str, tenant: str) -> str:
    return f"GET https://{host}/{tenant}/v2.0/.well-known/openid-configuration"


def find_line(tenant: str) -> str:
    return f"GET {GRAPH}/v1.0/tenantRelationships/findTenantInformationByTenantId(tenantId='{tenant}')"


@pytest.mark.parametrize("tenant", ["fabrikam.example", TENANT, TENANT.upper()])
def test_a_tenant_is_found_by_one_request_without_a_credential(run: Runner, tenant: str) -> None:
    done = run(document(), tenant_id=tenant)
    assert done.session.lines() == [line("login.microsoftonline.com", tenant.lower())]
    assert "Authorization" not in done.session.requests[0].headers
    assert {name: done.result[name] for name in ("tenant_id", "cloud", "region_scope", "region_sub_scope", "display_name")} == {
        "tenant_id": TENANT,
        "cloud": "global",
        "region_scope": "EU",
        "region_sub_scope": None,
        "display_name": None,
    }
    assert done.result["domain"] == ("fabrikam.example" if "." in tenant else None)
    assert done.result["names_error"] is None


@pytest.mark.parametrize(
    ("fields", "cloud", "graph", "defender"),
    [
        ({"tenant_region_sub_scope": "GCC"}, "gcc", "https://graph.microsoft.com", "https://api-gcc.security.microsoft.us"),
        (
            {"tenant_region_scope": "USGov", "tenant_region_sub_scope": "DODCON", "cloud_instance_name": "microsoftonline.us"},
            "gcc_high",
            "https://graph.microsoft.us",
            "https://api-gov.security.microsoft.us",
        ),
        (
            {"tenant_region_scope": "USGov", "tenant_region_sub_scope": "DOD", "cloud_instance_name": "microsoftonline.us"},
            "dod",
            "https://dod-graph.microsoft.us",
            "https://api-gov.security.microsoft.us",
        ),
        ({"cloud_instance_name": "partner.microsoftonline.cn"}, "china", "https://microsoftgraph.chinacloudapi.cn", None),
    ],
)
@pytest.mark.parametrize("asked", ["auto", "global"])
def test_a_tenant_of_another_cloud_is_an_answer_of_the_commercial_host_and_no_fault(
    run: Runner, fields: dict[str, Any], cloud: str, graph: str, defender: str | None, asked: str
) -> None:
    done = run(document(**fields), tenant_id="agency.example", cloud=asked)
    assert done.session.lines() == [line("login.microsoftonline.com", "agency.example")]
    assert (done.result["cloud"], done.result["hosts"]["graph_url"], done.result["hosts"]["defender_url"]) == (cloud, graph, defender)


def test_where_the_commercial_host_names_the_government_alone_that_host_says_in_which_cloud(run: Runner) -> None:
    dod = document(tenant_region_scope="USGov", tenant_region_sub_scope="DOD", cloud_instance_name="microsoftonline.us")
    done = run(document(cloud_instance_name="microsoftonline.us", tenant_region_scope="USG"), dod, tenant_id="agency.example")
    assert done.session.lines() == [line("login.microsoftonline.com", "agency.example"), line("login.microsoftonline.us", TENANT)]
    assert (done.result["cloud"], done.result["domain"]) == ("dod", "agency.example")


@pytest.mark.parametrize("code", [90002, 90038])
def test_a_tenant_that_the_commercial_host_does_not_know_is_looked_for_in_the_other_clouds(run: Runner, code: int) -> None:
    high = document(tenant_region_sub_scope="DODCON", cloud_instance_name="microsoftonline.us")
    done = run(Answer(400, refusal(code, "invalid_tenant")), high, tenant_id="agency.example")
    assert [asked.split("/")[2] for asked in done.session.lines()] == ["login.microsoftonline.com", "login.microsoftonline.us"]
    assert done.result["cloud"] == "gcc_high"


def test_a_domain_that_nobody_knows_is_an_unknown_tenant(run: Runner) -> None:
    done = run(UNKNOWN, UNKNOWN, UNKNOWN, tenant_id="nobody.example")
    assert done.error is not None
    assert (done.error.state, done.error.code, done.error.scope) == ("unknown_tenant", "AADSTS90002", "tenant")
    assert "all clouds" in str(done.error.next_step)


def test_only_the_cloud_that_is_named_is_asked(run: Runner) -> None:
    done = run(UNKNOWN, tenant_id="nobody.example", cloud="gcc_high")
    assert done.session.lines() == [line("login.microsoftonline.us", "nobody.example")]
    assert done.error is not None
    assert done.error.state == "unknown_tenant"


def test_names_are_asked_in_the_name_of_the_home_tenant(run: Runner) -> None:
    done = run(document(), token(HOME), names(), tenant_id="fabrikam.example", home_tenant_id=HOME, **CREDENTIAL)
    assert done.session.lines() == [
        line("login.microsoftonline.com", "fabrikam.example"),
        f"POST {LOGIN}/{HOME}/oauth2/v2.0/token",
        find_line(TENANT),
    ]
    assert (done.result["display_name"], done.result["default_domain"]) == ("Fabrikam", "fabrikam.example")


def test_names_that_may_not_be_read_are_no_fault_unless_they_are_required(run: Runner) -> None:
    denied = Answer(403, {"error": {"code": "Authorization_RequestDenied", "message": "Insufficient privileges"}})
    options = {"tenant_id": TENANT, "home_tenant_id": HOME, **CREDENTIAL}
    done = run(document(), token(HOME), denied, **options)
    assert (done.result["tenant_id"], done.result["display_name"]) == (TENANT, None)
    assert done.result["names_error"]["http_status"] == 403
    required = run(document(), token(HOME), denied, names="required", **options)
    assert required.error is not None
    assert required.error.http_status == 403


@pytest.mark.parametrize(
    ("options", "script", "words"),
    [
        ({"names": "required"}, (), "needs a credential"),
        ({"home_tenant_id": "common"}, (), "home_tenant_id"),
        ({"tenant_id": None}, (), "No tenant is given"),
        (
            {"names": "required", **CREDENTIAL},
            (document(), token(TENANT), Answer(404, {"error": {"code": "x", "message": "y"}})),
            "not find",
        ),
        ({"names": "required", **CREDENTIAL}, (document(), token(TENANT), names(OTHER_TENANT)), "another tenant"),
        ({"names": "required", **CREDENTIAL}, (document(cloud_instance_name="partner.microsoftonline.cn"),), "global cloud only"),
        (CREDENTIAL, (document(), Answer(401, refusal(7000215))), "secret"),
    ],
)
def test_what_cannot_be_answered_is_a_sentence(run: Runner, options: dict[str, Any], script: tuple[Answer, ...], words: str) -> None:
    given = {name: value for name, value in {"tenant_id": TENANT, **options}.items() if value is not None}
    done = run(*script, **given)
    assert done.error is not None
    assert words in str(done.error)
    assert not done.session.script


def test_a_fleet_asks_once_for_each_domain_and_keeps_what_nobody_knows(run: Runner) -> None:
    high = document(OTHER_TENANT, tenant_region_sub_scope="DODCON", cloud_instance_name="microsoftonline.us")
    done = run(
        document(), high, UNKNOWN, UNKNOWN, UNKNOWN, tenants=["fabrikam.example", "agency.example", "nobody.example"],
        concurrency=1, max_failed="1",
    )  # fmt: skip
    assert len(done.session.lines()) == 5
    assert [(entry["requested"], entry["outcome"], entry.get("cloud")) for entry in done.result["tenants"]] == [
        (["fabrikam.example"], "ok", "global"),
        (["agency.example"], "ok", "gcc_high"),
        (["nobody.example"], "failed", None),
    ]
    assert done.result["tenants"][2]["consent_state"] == "unknown_tenant"
    assert done.outcome is not None
    assert not done.outcome.failed
