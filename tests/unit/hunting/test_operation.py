# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation as a task sees it: results, files, fleets."""

from __future__ import annotations

import csv
import json
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.m365d.partner.plugins.module_utils._core.api import ApiClient
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError, PartnerError
from ansible_collections.m365d.partner.plugins.module_utils._ops import hunting
from ansible_collections.m365d.partner.plugins.module_utils._ops._task import Outcome, Task
from unit.hunting.support import BASES, TOKEN
from unit.support.scripted_http import Answer, scripted_transport

FABRIKAM, NORTHWIND, TAILSPIN = (f"11111111-1111-4111-8111-{number:012d}" for number in range(2, 5))


def _rows(*rows: dict[str, Any], names: tuple[str, ...] = ("Title", "n")) -> Answer:
    return Answer(200, {"schema": [{"name": name, "type": "String"} for name in names], "results": list(rows)})


class Cloud:
    """Tenants that each play a script, or break off."""

    def __init__(self, scripts: dict[str, list[Answer] | BaseException]) -> None:
        self.scripts = scripts

    def session(self, task: Task) -> Any:
        tenant_id = task.params["tenant_id"]
        script = self.scripts[tenant_id]
        if isinstance(script, BaseException):
            raise script
        transport, _session, _clock = scripted_transport(*script, deadline=1.0)

        def _client(api: str, *, budget: str) -> ApiClient:
            assert budget == "hunting"
            return ApiClient(transport, base_url=BASES[api], tenant_id=tenant_id, get_token=lambda _refresh, _claims: TOKEN)

        return SimpleNamespace(client=_client, tenant=SimpleNamespace(tenant_id=tenant_id))


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the operation with scripts in the place of tenants."""

    def _run(scripts: dict[str, list[Answer]], *, check_mode: bool = False, warnings: list[str] | None = None, **options: Any) -> Outcome:
        monkeypatch.setattr(hunting, "open_session", Cloud(scripts).session)
        spec = {name: dict(entry) for name, entry in hunting.OPERATION.argument_spec.items()}
        groups = [list(group) for group in hunting.OPERATION.mutually_exclusive]
        needed = [list(group) for group in hunting.OPERATION.required_one_of]
        checked = ArgumentSpecValidator(spec, mutually_exclusive=groups, required_one_of=needed).validate(
            options if "query_file" in options else {"query": "T", **options}
        )
        assert not checked.error_messages
        warn = (warnings if warnings is not None else []).append
        return hunting.OPERATION.run(Task(params=checked.validated_parameters, check_mode=check_mode, warn=warn))

    return _run


def test_rows_name_their_tenant_before_their_columns(run: Any) -> None:
    outcome = run({FABRIKAM: [_rows({"Title": "a", "n": 1})]}, tenant_id=FABRIKAM)
    assert outcome.result["rows"] == [{"tenant_id": FABRIKAM, "Title": "a", "n": 1}]
    assert list(outcome.result["rows"][0]) == ["tenant_id", "Title", "n"]
    assert (outcome.result["count"], outcome.result["complete"], outcome.changed) == (1, True, False)
    assert outcome.result["columns"] == [{"name": "Title", "type": "string"}, {"name": "n", "type": "string"}]


def test_a_result_that_is_not_whole_is_warned_about(run: Any) -> None:
    warnings: list[str] = []
    outcome = run({FABRIKAM: [_rows({}, {}, {})]}, tenant_id=FABRIKAM, row_limit=2, warnings=warnings)
    assert not outcome.result["complete"]
    assert "row_limit of 2" in warnings[0]


@pytest.mark.parametrize(
    ("name", "chosen"), [("rows.csv", {}), ("rows.out", {"dest_format": "csv"}), ("rows.ndjson", {}), ("rows.json", {})]
)
def test_rows_go_to_a_file_of_their_owner_alone(run: Any, tmp_path: Path, name: str, chosen: dict[str, str]) -> None:
    path = tmp_path / name
    answer = _rows({"Title": "=cmd()", "n": 1}, {"Title": 'a,"b"\n', "n": None})
    outcome = run({FABRIKAM: [answer]}, tenant_id=FABRIKAM, dest=str(path), **chosen)
    assert (outcome.changed, outcome.result["dest"], outcome.result["size"]) == (True, str(path), path.stat().st_size)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "rows" not in outcome.result
    if name.endswith(("csv", "out")):
        with path.open(encoding="utf-8", newline="") as file:
            assert list(csv.reader(file)) == [["tenant_id", "Title", "n"], [FABRIKAM, "'=cmd()", "1"], [FABRIKAM, 'a,"b"\n', ""]]
    else:
        found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        assert found == [{"tenant_id": FABRIKAM, "Title": "=cmd()", "n": 1}, {"tenant_id": FABRIKAM, "Title": 'a,"b"\n', "n": None}]


def test_the_same_rows_again_change_nothing(run: Any, tmp_path: Path) -> None:
    options = {"tenant_id": FABRIKAM, "dest": str(tmp_path / "rows.csv"), "force": True}
    assert [run({FABRIKAM: [_rows({"Title": "a", "n": 1})]}, **options).changed for _again in range(2)] == [True, False]


def test_check_mode_predicts_the_file_and_writes_none(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    assert run({FABRIKAM: [_rows()]}, tenant_id=FABRIKAM, dest=str(path), check_mode=True).changed
    assert list(tmp_path.iterdir()) == []


def test_a_query_that_fails_leaves_no_file(run: Any, tmp_path: Path) -> None:
    refused = Answer(400, {"error": {"code": "BadRequest", "message": "A recognition error occurred."}})
    with pytest.raises(PartnerError, match="not KQL"):
        run({FABRIKAM: [refused]}, tenant_id=FABRIKAM, dest=str(tmp_path / "rows.csv"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["rows.parquet", "rows", "rows.txt"])
def test_a_format_that_rows_do_not_have_is_refused_before_any_request(run: Any, tmp_path: Path, name: str) -> None:
    with pytest.raises(OptionError, match=r"format|parquet"):
        run({}, tenant_id=FABRIKAM, dest=str(tmp_path / name))


def test_a_csv_without_rows_has_its_header(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    run({FABRIKAM: [_rows()]}, tenant_id=FABRIKAM, dest=str(path))
    assert path.read_bytes() == b"tenant_id,Title,n\r\n"


def test_a_name_of_a_column_is_no_formula_either(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    run({FABRIKAM: [_rows({"=1+1": "=2", "n": -3}, names=("=1+1", "n"))]}, tenant_id=FABRIKAM, dest=str(path))
    assert path.read_bytes() == b"tenant_id,'=1+1,n\r\n" + f"{FABRIKAM},'=2,-3\r\n".encode()


def test_a_fleet_returns_the_rows_of_all_tenants_that_were_read(run: Any) -> None:
    refused = Answer(
        403, {"error": {"code": "Forbidden", "message": "Missing application roles. API required roles: ThreatHunting.Read.All"}}
    )
    scripts = {FABRIKAM: [_rows({"Title": "a", "n": 1})], NORTHWIND: [refused], TAILSPIN: [_rows({"Title": "b", "n": 2})]}
    outcome = run(scripts, tenants=[FABRIKAM, NORTHWIND, TAILSPIN], max_failed="1")
    assert [(row["tenant_id"], row["Title"]) for row in outcome.result["rows"]] == [(FABRIKAM, "a"), (TAILSPIN, "b")]
    assert [entry["outcome"] for entry in outcome.result["tenants"]] == ["ok", "failed", "ok"]
    assert (outcome.result["count"], outcome.result["complete"], outcome.failed) == (2, False, False)


@pytest.mark.parametrize("name", ["all.csv", "all.ndjson"])
def test_the_tenants_of_a_fleet_share_a_file(run: Any, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    scripts = {tenant: [_rows({"Title": "a", "n": 1}, {"Title": "b", "n": 2})] for tenant in (FABRIKAM, NORTHWIND)}
    outcome = run(scripts, tenants=list(scripts), dest=str(path))
    text = path.read_text(encoding="utf-8")
    assert [text.count(tenant) for tenant in scripts] == [2, 2]
    assert (outcome.result["count"], outcome.result["dest"], outcome.changed) == (4, str(path), True)
    assert text.count("tenant_id,Title,n") == (1 if name == "all.csv" else 0)


def test_each_tenant_of_a_fleet_may_have_its_own_file(run: Any, tmp_path: Path) -> None:
    scripts = {tenant: [_rows({"Title": "a", "n": 1})] for tenant in (FABRIKAM, NORTHWIND)}
    run(scripts, tenants=list(scripts), dest=str(tmp_path / "{tenant_id}.csv"))
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{FABRIKAM}.csv", f"{NORTHWIND}.csv"]


def test_a_tenant_with_other_columns_does_not_spoil_a_shared_table(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    scripts = {FABRIKAM: [_rows({"Title": "a", "n": 1})], NORTHWIND: [_rows({"Other": "b"}, names=("Other",))]}
    outcome = run(scripts, tenants=list(scripts), dest=str(path), concurrency=1, max_failed="1")
    assert [entry["outcome"] for entry in outcome.result["tenants"]] == ["ok", "unknown"]
    assert "differ" in outcome.result["tenants"][1]["msg"]
    assert path.read_bytes().decode() == f"tenant_id,Title,n\r\n{FABRIKAM},a,1\r\n"


@pytest.mark.parametrize("name", ["all.ndjson", "{tenant_id}.ndjson"])
def test_a_run_is_not_gone_on_with_when_the_query_in_its_file_is_another_one(run: Any, tmp_path: Path, name: str) -> None:
    (tmp_path / "query.kql").write_text("First", encoding="utf-8")
    options = {"tenants": [FABRIKAM, NORTHWIND], "dest": str(tmp_path / name), "query_file": str(tmp_path / "query.kql"), "concurrency": 1}
    with pytest.raises(KeyboardInterrupt):
        run({FABRIKAM: [_rows({"n": 1})], NORTHWIND: KeyboardInterrupt()}, **options)
    (tmp_path / "query.kql").write_text("Second", encoding="utf-8")
    with pytest.raises(OptionError, match="read something else"):
        run({NORTHWIND: [_rows({"n": 2})]}, resume=True, **options)
    (tmp_path / "query.kql").write_text("First", encoding="utf-8")
    assert run({NORTHWIND: [_rows({"n": 2})]}, resume=True, **options).result["count"] == 2


def test_a_fleet_with_wrong_options_fails_before_any_tenant_is_asked(run: Any) -> None:
    with pytest.raises(OptionError, match="does not use the parameter"):
        run({}, tenants=[FABRIKAM, NORTHWIND], parameters={"unused": 1})
