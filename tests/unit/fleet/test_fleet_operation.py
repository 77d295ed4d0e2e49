# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.m365d.partner.plugins.module_utils._argspec import shared_options
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import AuthenticationError, CredentialError, OptionError
from ansible_collections.m365d.partner.plugins.module_utils._core.tenants import TenantInfo
from ansible_collections.m365d.partner.plugins.module_utils._ops._fleet import with_fleet
from ansible_collections.m365d.partner.plugins.module_utils._ops._task import Operation, Outcome, Task
from hypothesis import given, settings
from hypothesis import strategies as st

CONTOSO, FABRIKAM, NORTHWIND = (f"11111111-1111-4111-8111-{number:012d}" for number in range(1, 4))


class _Reader:
    """A read operation that records what it was asked for and fails where it is told to."""

    def __init__(self, faults: dict[str, Exception] | None = None) -> None:
        self.faults = faults or {}
        self.seen: list[dict[str, Any]] = []
        self.known: dict[str, TenantInfo | None] = {}
        self.operation = with_fleet(
            self.operation_of_one(),
            totals=lambda results: {"count": sum(result["count"] for result in results)},
        )

    def operation_of_one(self) -> Operation:
        return Operation(run=self.run, argument_spec=shared_options("connection", "tenant", "auth", "api"))

    def run(self, task: Task) -> Outcome:
        self.known[task.params["tenant_id"]] = task.known
        self.seen.append(dict(task.params))
        tenant = task.params["tenant_id"]
        if tenant in self.faults:
            raise self.faults[tenant]
        return Outcome({"tenant_id": tenant, "count": 2, "complete": True})

    def outcome(self, warnings: list[str] | None = None, **options: Any) -> Outcome:
        checked = ArgumentSpecValidator({name: dict(spec) for name, spec in self.operation.argument_spec.items()}).validate(options)
        assert not checked.error_messages
        warnings = [] if warnings is None else warnings
        return self.operation.run(Task(params=checked.validated_parameters, warn=warnings.append))


def test_without_tenants_the_operation_runs_for_its_one_tenant() -> None:
    assert _Reader().outcome(tenant_id=CONTOSO).result == {"tenant_id": CONTOSO, "count": 2, "complete": True}


def test_the_result_is_a_secret_where_that_of_any_tenant_is_also_of_one_that_failed() -> None:
    operation = with_fleet(
        Operation(
            run=lambda task: Outcome({"tenant_id": task.params["tenant_id"], "count": 0}, secret=True, failed=True),
            argument_spec=shared_options("connection", "tenant", "auth", "api"),
        )
    )
    spec = {name: dict(spec) for name, spec in operation.argument_spec.items()}
    params = ArgumentSpecValidator(spec).validate({"tenants": [CONTOSO]}).validated_parameters
    assert operation.run(Task(params=params, warn=print)).secret is True


def test_each_tenant_keeps_its_result_in_input_order() -> None:
    result = _Reader().outcome(tenants=[NORTHWIND, CONTOSO, FABRIKAM]).result
    assert [entry["tenant_id"] for entry in result["tenants"]] == [NORTHWIND, CONTOSO, FABRIKAM]
    assert result["summary"] == {"total": 3, "ok": 3, "failed": 0, "unknown": 0, "seconds": result["summary"]["seconds"]}
    assert result["count"] == 6
    assert result["complete"] is True


def test_what_is_equal_for_all_tenants_is_one_object_and_what_was_read_is_not_kept_twice() -> None:
    size, many = 20_000, 100

    def _run(task: Task) -> Outcome:
        tenant = task.params["tenant_id"]
        return Outcome({"tenant_id": tenant, "window": {"start": "x"}, "incidents": [{"title": tenant + "x" * size}]})

    operation = with_fleet(Operation(run=_run, argument_spec=shared_options("connection", "tenant", "auth", "api")))
    spec = {name: dict(spec) for name, spec in operation.argument_spec.items()}
    tenants = [f"11111111-1111-4111-8111-{number:012d}" for number in range(1, many + 1)]
    params = ArgumentSpecValidator(spec).validate({"tenants": tenants}).validated_parameters
    tracemalloc.start()
    try:
        result = operation.run(Task(params=params, warn=print)).result
        _current, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len({id(entry["window"]) for entry in result["tenants"]}) == 1
    assert most < 1.8 * size * many


def test_no_tenants_are_no_fault_and_said_so() -> None:
    outcome = _Reader().outcome(tenants=[])
    assert not outcome.failed
    assert outcome.result["summary"]["total"] == 0
    assert "no tenants" in outcome.result["msg"]


def test_a_failed_tenant_has_a_diagnosis_and_no_count() -> None:
    reader = _Reader({FABRIKAM: AuthenticationError("not consented", state="not_consented", next_step="Send the link.")})
    outcome = reader.outcome(tenants=[CONTOSO, FABRIKAM])
    entry = outcome.result["tenants"][1]
    assert outcome.failed
    assert entry["outcome"] == "failed"
    assert entry["consent_state"] == "not_consented"
    assert entry["error"]["next_step"] == "Send the link."
    assert "count" not in entry
    assert outcome.result["complete"] is False
    assert FABRIKAM in outcome.result["msg"]


def test_a_fleet_that_read_nobody_has_no_sums_that_look_like_zero() -> None:
    fault = AuthenticationError("not consented", state="not_consented", next_step="Send the link.")
    outcome = _Reader({CONTOSO: fault, FABRIKAM: fault}).outcome(tenants=[CONTOSO, FABRIKAM], max_failed="100%")
    assert not outcome.failed
    assert outcome.result["count"] is None
    assert outcome.result["complete"] is False
    assert _Reader().outcome(tenants=[]).result["count"] == 0


@pytest.mark.parametrize(
    ("max_failed", "fails"), [("0", True), ("1", False), ("2", False), ("25%", False), ("24%", True), (" 50 % ", False)]
)
def test_the_task_fails_when_more_tenants_fail_than_allowed(max_failed: str, fails: bool) -> None:
    tenants = [f"11111111-1111-4111-8111-{number:012d}" for number in range(1, 5)]
    reader = _Reader({tenants[0]: AuthenticationError("not consented", state="not_consented")})
    outcome = reader.outcome(tenants=tenants, max_failed=max_failed)
    assert outcome.failed is fails
    assert outcome.result["complete"] is False


@pytest.mark.parametrize(
    ("tenants", "shard"),
    [
        ([f"11111111-1111-4111-8111-{number:012d}" for number in range(1, 41)], "1/4"),
        ([CONTOSO, FABRIKAM, *([CONTOSO] * 18)], None),
    ],
    ids=["a part", "doubles"],
)
def test_a_percentage_is_one_of_the_tenants_that_are_read_here(tenants: list[str], shard: str | None) -> None:
    fault = AuthenticationError("not consented", state="not_consented")
    outcome = _Reader(dict.fromkeys(tenants, fault)).outcome(tenants=tenants, max_failed="50%", shard=shard)
    assert outcome.result["summary"]["ok"] == 0
    assert outcome.failed
    assert f"({outcome.result['summary']['total'] // 2})" in outcome.result["msg"]


def test_a_tenant_that_stands_twice_is_read_once_with_a_warning() -> None:
    reader, warnings = _Reader(), list[str]()
    result = reader.outcome(warnings, tenants=[CONTOSO, FABRIKAM, CONTOSO.upper()]).result
    assert [entry["tenant_id"] for entry in result["tenants"]] == [CONTOSO, FABRIKAM]
    assert len(reader.seen) == 2
    assert CONTOSO in warnings[0]


def test_an_entry_may_differ_in_cloud_api_and_credential() -> None:
    reader = _Reader()
    reader.outcome(
        tenants=[CONTOSO, {"tenant_id": FABRIKAM, "cloud": "gcc_high", "api": "defender", "credential": "gov"}],
        client_id="22222222-2222-4222-8222-000000000001",
        client_secret="first",
        credentials=[{"name": "gov", "client_id": "22222222-2222-4222-8222-000000000002", "client_secret": "second"}],
        concurrency=1,
    )
    assert [(seen["cloud"], seen["api"], seen["client_id"][-1], seen["client_secret"]) for seen in reader.seen] == [
        ("global", "graph", "1", "first"),
        ("gcc_high", "defender", "2", "second"),
    ]


def test_a_refused_credential_stops_only_the_tenants_that_use_it() -> None:
    reader = _Reader({CONTOSO: CredentialError("The secret is expired.", state="credential_error")})
    outcome = reader.outcome(
        tenants=[CONTOSO, FABRIKAM, {"tenant_id": NORTHWIND, "credential": "other"}],
        credentials=[{"name": "other", "client_secret": "second"}],
        concurrency=1,
    )
    assert [entry["outcome"] for entry in outcome.result["tenants"]] == ["failed", "unknown", "ok"]
    assert len(reader.seen) == 2


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"tenants": ["common"]}, "names no tenant"),
        ({"tenants": [CONTOSO, "not a tenant"]}, "not a tenant"),
        ({"tenants": [{"cloud": "gcc"}]}, "No tenant is given"),
        ({"tenants": [{"tenant_id": CONTOSO, "credential": "nobody"}]}, "nobody"),
        ({"tenants": [{"tenant_id": CONTOSO, "colour": "red"}]}, "colour"),
        ({"tenants": [CONTOSO, {"tenant_id": CONTOSO, "cloud": "gcc"}]}, "different options"),
        ({"tenants": [{"tenant_id": CONTOSO, "ca_path": 5}]}, "has ca_path '5'"),
        ({"tenants": [{"tenant_id": CONTOSO, "credential": ["a"]}]}, "asks for the credential"),
        ({"tenants": [CONTOSO], "allowed_tenants": [FABRIKAM]}, "allowed_tenants"),
        ({"tenants": [CONTOSO], "max_failed": "some"}, "max_failed"),
        ({"tenants": [CONTOSO], "max_failed": "101%"}, "max_failed"),
        ({"tenants": [CONTOSO], "max_failed": "-1"}, "max_failed"),
        ({"tenants": [CONTOSO], "max_failed": "\N{SUPERSCRIPT TWO}"}, "max_failed"),
        ({"tenants": [CONTOSO], "shard": "5/4"}, "shard"),
        ({"tenants": [CONTOSO], "shard": "0/4"}, "shard"),
        ({"tenants": [CONTOSO], "concurrency": 0}, "concurrency"),
        ({"tenants": [CONTOSO], "fleet_deadline": 0}, "fleet_deadline"),
        ({"tenants": [CONTOSO], "fleet_deadline": math.inf}, "fleet_deadline"),
        ({"tenants": [CONTOSO], "fleet_deadline": math.nan}, "fleet_deadline"),
        ({"tenants": [CONTOSO], "credentials": [{"name": "a"}, {"name": "a"}]}, "twice"),
    ],
)
def test_a_wrong_option_is_refused_before_any_tenant_is_tried(options: dict[str, Any], says: str) -> None:
    reader = _Reader()
    with pytest.raises(OptionError, match=says):
        reader.outcome(**options)
    assert reader.seen == []


@settings(max_examples=50)
@given(st.lists(st.uuids(), unique=True, max_size=40), st.integers(min_value=1, max_value=7))
def test_the_shards_of_a_fleet_are_a_partition_of_it(tenants: list[Any], count: int) -> None:
    seen: list[str] = []
    for number in range(1, count + 1):
        result = _Reader().outcome(tenants=[str(tenant) for tenant in tenants if tenant.int], shard=f"{number}/{count}").result
        seen += [entry["tenant_id"] for entry in result["tenants"]]
    assert sorted(seen) == sorted(str(tenant) for tenant in tenants if tenant.int)


def _info(tenant_id: str) -> TenantInfo:
    return TenantInfo(tenant_id, "fabrikam.example", f"https://login.example/{tenant_id}/v2.0", "EU", None, None, None, "global")


def _guid(number: int) -> str:
    return f"11111111-1111-4111-8111-{number:012d}"


def test_each_tenant_says_by_which_names_it_stands_in_the_list() -> None:
    result = _Reader().outcome(tenants=[CONTOSO.upper(), FABRIKAM, CONTOSO]).result
    assert [entry["requested"] for entry in result["tenants"]] == [[CONTOSO], [FABRIKAM]]


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_shards_answer_for_each_position_exactly_once_and_agree_on_what_they_share(parts: int) -> None:
    tenants = [_guid(number) for number in (*range(1, 41), 3, 4)]
    shards = [_Reader().outcome(tenants=tenants, shard=f"{number}/{parts}").result["shard"] for number in range(1, parts + 1)]
    positions = [position for shard in shards for group in shard["positions"] for position in group]
    assert sorted(positions) == list(range(len(tenants)))
    assert [shard["number"] for shard in shards] == list(range(1, parts + 1))
    assert {(shard["parts"], shard["entries"], shard["fingerprint"]) for shard in shards} == {(parts, 42, shards[0]["fingerprint"])}


def test_a_domain_that_nobody_knows_belongs_to_one_shard_only() -> None:
    def _refuse(*_args: Any) -> Any:
        raise AuthenticationError("no such tenant", state="unknown_tenant")

    results = []
    for number in (1, 2, 3):
        operation = with_fleet(_Reader().operation_of_one(), locate=_refuse)
        params = ArgumentSpecValidator({name: dict(spec) for name, spec in operation.argument_spec.items()}).validate(
            {"tenants": ["nobody.example", "nobody.example"], "shard": f"{number}/3"}
        )
        results.append(operation.run(Task(params=params.validated_parameters)).result)
    assert sorted(result["summary"]["failed"] for result in results) == [0, 0, 1]
    assert [group for result in results for group in result["shard"]["positions"]] == [[0, 1]]


def test_what_was_found_out_about_a_domain_is_handed_on() -> None:
    reader, info = _Reader(), _info(FABRIKAM)
    operation = with_fleet(reader.operation_of_one(), locate=lambda *_args: info)
    params = ArgumentSpecValidator({name: dict(spec) for name, spec in operation.argument_spec.items()}).validate(
        {"tenants": ["fabrikam.example", FABRIKAM, CONTOSO]}
    )
    result = operation.run(Task(params=params.validated_parameters)).result
    assert [entry["requested"] for entry in result["tenants"]] == [["fabrikam.example", FABRIKAM], [CONTOSO]]
    assert {seen["tenant_id"] for seen in reader.seen} == {FABRIKAM, CONTOSO}
    assert reader.known == {FABRIKAM: info, CONTOSO: None}
