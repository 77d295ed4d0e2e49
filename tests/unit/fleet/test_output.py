# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a fleet: whole or not there, and nothing read twice after an interruption."""

from __future__ import annotations

import csv
import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.m365d.partner.plugins.module_utils._argspec import shared_options
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import AuthenticationError, FleetStopped, OptionError, PartnerError
from ansible_collections.m365d.partner.plugins.module_utils._core.hunting.rows import row_file
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.files import IncidentFile, destination_for
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.fleet_file import FilePart, FleetFile
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.journal import Journal
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.schema import normalise_incident
from ansible_collections.m365d.partner.plugins.module_utils._core.shards import Shard, merge_shards
from ansible_collections.m365d.partner.plugins.module_utils._ops import _fleet_output
from ansible_collections.m365d.partner.plugins.module_utils._ops._fleet import with_fleet
from ansible_collections.m365d.partner.plugins.module_utils._ops._fleet_output import as_wanted, check_wanted, run_with_dest
from ansible_collections.m365d.partner.plugins.module_utils._ops._task import Operation, Outcome, Task
from unit.incidents.support import PLACE, graph_incident

TENANTS = [f"11111111-1111-4111-8111-{number:012d}" for number in range(1, 6)]
OWN = {
    "what": {"type": "str", "default": "everything"},
    "dest": {"type": "path"},
    "force": {"type": "bool", "default": False},
    "resume": {"type": "bool", "default": False},
    "return_tenants": {"type": "str", "choices": ["all", "lacking"], "default": "all"},
}
SPEC: dict[str, dict[str, Any]] = {**shared_options("connection", "tenant", "auth", "api"), **OWN}
SHARED = ["all.ndjson", "all.csv"]
DESTS = [*SHARED, "{tenant_id}.ndjson"]


def _total(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"count": sum(result["count"] for result in results)}


class Fleet:
    """A fleet whose tenants have three rows each, and fail or break off as they are told to."""

    def __init__(self, directory: Path, dest: str) -> None:
        self.directory = directory
        self.dest = str(directory / dest)
        self.breaks: dict[str, BaseException] = {}
        self.seen: list[str] = []
        self.rows = 3
        self.text = ""
        self.texts: dict[str, str] = {}
        self.more: dict[str, dict[str, Any]] = {}

    def run(self, *, check_mode: bool = False, **options: Any) -> Outcome:
        fleet = with_fleet(Operation(run=lambda task: self.single(task, None), argument_spec=SPEC))
        given = {"tenants": TENANTS, "dest": self.dest, "concurrency": 1, "max_failed": "100%", **options}
        checked = ArgumentSpecValidator({name: dict(spec) for name, spec in fleet.argument_spec.items()}).validate(given)
        assert not checked.error_messages
        task = Task(params=checked.validated_parameters, check_mode=check_mode)
        outcome = run_with_dest(
            task,
            self.single,
            as_fleet=lambda single: with_fleet(Operation(run=single, argument_spec=SPEC), totals=_total),
            file_at=lambda path: row_file(path, None, force=task.params["force"], sole=True),
            options=OWN,
        )
        return as_wanted(outcome, task.params)

    def single(self, task: Task, part: FilePart | None) -> Outcome:
        tenant_id = task.params["tenant_id"]
        self.seen.append(tenant_id)
        result: dict[str, Any] = {"tenant_id": tenant_id, "count": self.rows, "cursor": {"of": tenant_id}, **self.more.get(tenant_id, {})}
        if part is not None:
            self._write(part, tenant_id)
            return Outcome(result)
        with row_file(destination_for(task.params["dest"], tenant_id), None, force=task.params["force"], sole=True) as file:
            self._write(file, tenant_id)
            written = file.commit(dry_run=task.check_mode)
        return Outcome({**result, **_fleet_output.described(written)})

    def _write(self, place: Any, tenant_id: str) -> None:
        place.begin(("tenant_id", "n", "text"))
        for number in range(self.rows):
            place.write({"tenant_id": tenant_id, "n": number, "text": self.texts.get(tenant_id, self.text)})
            if number == 1 and tenant_id in self.breaks:
                raise self.breaks[tenant_id]

    def content(self) -> dict[str, list[int]]:
        """Return the numbers of the rows by tenant, out of the files under their final names."""
        found: dict[str, list[int]] = {}
        for path in sorted(self.directory.iterdir()):
            if path.suffix not in (".ndjson", ".csv") or path.name.startswith("."):
                continue
            with path.open(encoding="utf-8", newline="") as file:
                rows = csv.DictReader(file) if path.suffix == ".csv" else map(json.loads, file)
                for row in rows:
                    found.setdefault(row["tenant_id"], []).append(int(row["n"]))
        return found


WHOLE = {tenant: [0, 1, 2] for tenant in TENANTS}
_NO_RESULT = json.dumps({"tenant_id": TENANTS[2], "end": 0, "names": None, "about": "", "result": [1]}).encode() + b"\n"


@pytest.mark.parametrize("dest", DESTS)
def test_the_files_hold_all_that_every_tenant_has_and_nothing_else_stays(tmp_path: Path, dest: str) -> None:
    fleet = Fleet(tmp_path, dest)
    outcome = fleet.run(concurrency=4)
    assert fleet.content() == WHOLE
    names = {dest} if dest in SHARED else {f"{tenant}.ndjson" for tenant in TENANTS}
    assert set(os.listdir(tmp_path)) == names
    assert {os.stat(tmp_path / name).st_mode & 0o777 for name in names} == {0o600}
    assert outcome.result["summary"]["ok"] == 5


@pytest.mark.parametrize("dest", DESTS)
def test_a_result_may_list_those_alone_that_somebody_should_look_at_and_still_counts_all(tmp_path: Path, dest: str) -> None:
    fleet = Fleet(tmp_path, dest)
    fleet.breaks = {TENANTS[1]: PartnerError("It is gone.", state="unknown_tenant")}
    fleet.more = {TENANTS[2]: {"complete": False}, TENANTS[3]: {"not_found": ["17"]}, TENANTS[4]: {"complete": True, "not_found": []}}
    whole = fleet.run(force=True).result
    result = fleet.run(force=True, return_tenants="lacking").result
    assert [entry["tenant_id"] for entry in result["tenants"]] == TENANTS[1:4]
    assert [_timeless(entry) for entry in result["tenants"]] == [_timeless(entry) for entry in whole["tenants"][1:4]]
    assert _timeless(result.pop("summary")) == {**_timeless(whole.pop("summary")), "listed": 3}
    assert {**result, "tenants": ()} == {**whole, "tenants": ()}
    assert (result["count"], result["complete"]) == (12, False)


def _timeless(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name != "seconds"}


def test_of_tenants_that_a_part_does_not_list_it_still_says_that_it_has_them(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, "{tenant_id}.ndjson")
    fleet.more = {TENANTS[0]: {"complete": False}}
    parts = [fleet.run(return_tenants="lacking", shard=f"{number}/2").result for number in (1, 2)]
    assert sorted(group for part in parts for group in part["shard"]["positions"]) == [[0], [1], [2], [3], [4]]
    assert [group for part in parts for group in part["shard"]["listed"]] == [[0]]
    merged = merge_shards(parts)
    assert [entry["tenant_id"] for entry in merged["tenants"]] == TENANTS[:1]
    assert {**merged["summary"], "seconds": 0} == {"total": 5, "ok": 5, "failed": 0, "unknown": 0, "seconds": 0, "listed": 1}
    assert (merged["count"], merged["complete"]) == (15, False)


def test_the_files_that_another_part_wrote_are_in_nobodys_way_and_those_of_this_part_are(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, "{tenant_id}.ndjson")
    fleet.run(shard="1/2")
    fleet.run(shard="2/2")
    assert fleet.content() == WHOLE
    with pytest.raises(OptionError, match="is there already"):
        fleet.run(shard="2/2")


def test_the_same_part_has_the_same_journal_however_it_is_written(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, "{tenant_id}.ndjson")
    own = [tenant for tenant in TENANTS if Shard(2, 2).holds(tenant)]
    fleet.breaks = {own[1]: FleetStopped("The disk is full.")}
    with pytest.raises(FleetStopped):
        fleet.run(shard="02/2")
    with pytest.raises(OptionError, match="Set resume to go on"):
        fleet.run(shard=" 2/2")


def test_a_tenant_that_is_asked_for_something_else_when_a_run_goes_on_is_read_again(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, "{tenant_id}.ndjson")
    fleet.breaks = {TENANTS[3]: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        fleet.run()
    other: list[Any] = [TENANTS[0], {"tenant_id": TENANTS[1], "api": "defender"}, *TENANTS[2:]]
    # It fails, and its file, which is of the run before, is in nobody's way.
    fleet.breaks, fleet.seen = {TENANTS[1]: PartnerError("It is gone.", state="unknown_tenant")}, []
    assert fleet.run(resume=True, tenants=other).result["summary"]["ok"] == 4
    assert fleet.seen == [TENANTS[1], *TENANTS[3:]]
    fleet.breaks, fleet.seen = {}, []
    outcome = fleet.run(resume=True, tenants=other)
    assert fleet.seen == [TENANTS[1]]
    assert [entry.get("resumed", False) for entry in outcome.result["tenants"]] == [True, False, True, True, True]
    assert fleet.content() == WHOLE


def test_nobody_is_left_out_of_a_result_that_alone_holds_what_was_read() -> None:
    lacking = {"return_tenants": "lacking", "tenants": TENANTS, "dest": None}
    with pytest.raises(OptionError, match="without dest would throw away"):
        check_wanted(lacking)
    for fine in ({"return_tenants": "all"}, {"dest": "x.ndjson"}, {"tenants": None}):
        check_wanted({**lacking, **fine})


@pytest.mark.parametrize("dest", DESTS)
def test_an_interrupted_run_goes_on_where_it_was_and_reads_nobody_twice(tmp_path: Path, dest: str) -> None:
    fleet = Fleet(tmp_path, dest)
    fleet.breaks = {TENANTS[3]: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        fleet.run()
    kept = fleet.content()
    assert kept == ({} if dest in SHARED else {tenant: [0, 1, 2] for tenant in TENANTS[:3]})
    fleet.breaks, fleet.seen = {}, []
    outcome = fleet.run(resume=True)
    assert fleet.seen == TENANTS[3:]
    assert fleet.content() == WHOLE
    assert [entry.get("resumed", False) for entry in outcome.result["tenants"]] == [True] * 3 + [False] * 2
    assert [entry["cursor"] for entry in outcome.result["tenants"]] == [{"of": tenant} for tenant in TENANTS]
    assert not [name for name in os.listdir(tmp_path) if name.endswith(("journal", "partial", "draft"))]


@pytest.mark.parametrize("dest", DESTS)
def test_what_an_interrupted_run_left_is_neither_lost_nor_mixed_up_by_accident(tmp_path: Path, dest: str) -> None:
    fleet = Fleet(tmp_path, dest)
    fleet.breaks = {TENANTS[2]: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        fleet.run()
    fleet.breaks, fleet.seen = {}, []
    with pytest.raises(OptionError, match="2 tenants that are done") as caught:
        fleet.run()
    assert "resume" in str(caught.value)
    with pytest.raises(OptionError, match="read something else"):
        fleet.run(resume=True, what="something else")
    assert fleet.seen == []
    fleet.run(force=True)
    assert fleet.seen == TENANTS
    assert fleet.content() == WHOLE


def test_a_shared_file_is_not_continued_with_other_tenants(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, "all.ndjson")
    fleet.breaks = {TENANTS[2]: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        fleet.run()
    with pytest.raises(OptionError, match="read something else"):
        fleet.run(resume=True, tenants=TENANTS[1:])


@pytest.mark.parametrize("dest", DESTS)
@pytest.mark.parametrize("garbage", [b'{"tenant_id": "half a li', b"\xff\xfe\n", b"[]\n", _NO_RESULT])
def test_a_line_that_a_killed_process_did_not_finish_is_as_good_as_none(tmp_path: Path, dest: str, garbage: bytes) -> None:
    fleet = Fleet(tmp_path, dest)
    fleet.breaks = {TENANTS[2]: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        fleet.run()
    for path in tmp_path.iterdir():
        if path.name.endswith((".journal", ".partial")):
            with path.open("ab") as file:
                file.write(garbage)
    fleet.breaks, fleet.seen = {}, []
    fleet.run(resume=True)
    assert (fleet.seen, fleet.content()) == (TENANTS[2:], WHOLE)


def test_a_journal_whose_data_are_gone_begins_anew(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, "all.csv")
    fleet.breaks = {TENANTS[2]: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        fleet.run()
    (tmp_path / "all.csv.partial").unlink()
    fleet.breaks, fleet.seen = {}, []
    fleet.run(resume=True)
    assert (fleet.seen, fleet.content()) == (TENANTS, WHOLE)


def test_the_file_of_a_done_tenant_that_is_gone_is_read_again(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, "{tenant_id}.ndjson")
    fleet.breaks = {TENANTS[2]: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        fleet.run()
    (tmp_path / f"{TENANTS[0]}.ndjson").unlink()
    fleet.breaks, fleet.seen = {}, []
    fleet.run(resume=True)
    assert (fleet.seen, fleet.content()) == ([TENANTS[0], *TENANTS[2:]], WHOLE)


def test_a_file_that_was_given_again_to_a_done_tenant_is_not_taken_for_the_one_that_was_gone(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, "{tenant_id}.ndjson")
    fleet.texts = {TENANTS[0]: "first"}
    fleet.breaks = {TENANTS[2]: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        fleet.run()
    file, journal = tmp_path / f"{TENANTS[0]}.ndjson", tmp_path / "all-tenants.ndjson.journal"
    # As a run leaves it that was killed when it had read the tenant again, and had not said so yet: the file is as long as the first one.
    file.write_text(file.read_text(encoding="utf-8").replace("first", "other"), encoding="utf-8")
    with journal.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({"begun": TENANTS[0]}) + "\n")
    fleet.breaks, fleet.seen, fleet.texts = {}, [], {TENANTS[0]: "third"}
    result = fleet.run(resume=True).result
    assert fleet.seen == [TENANTS[0], *TENANTS[2:]]
    assert [entry.get("resumed", False) for entry in result["tenants"]] == [False, True, False, False, False]
    assert "third" in file.read_text(encoding="utf-8")


def test_with_a_file_for_each_tenant_those_that_failed_are_read_by_the_next_run(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, "{tenant_id}.ndjson")
    fleet.breaks = {TENANTS[1]: AuthenticationError("not consented", state="not_consented")}
    outcome = fleet.run()
    assert outcome.result["summary"]["failed"] == 1
    assert set(fleet.content()) == {*TENANTS} - {TENANTS[1]}
    fleet.breaks, fleet.seen = {}, []
    fleet.run(resume=True)
    assert (fleet.seen, fleet.content()) == ([TENANTS[1]], WHOLE)


def test_a_tenant_that_fails_leaves_nothing_in_a_shared_file(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, "all.ndjson")
    fleet.breaks = {TENANTS[1]: PartnerError("reset", state="unreachable")}
    fleet.run(concurrency=3)
    assert fleet.content() == {tenant: rows for tenant, rows in WHOLE.items() if tenant != TENANTS[1]}


@pytest.mark.parametrize("dest", SHARED)
def test_where_nobody_could_be_read_the_shared_file_stays_as_it_was(tmp_path: Path, dest: str) -> None:
    fleet = Fleet(tmp_path, dest)
    fleet.run()
    fleet.breaks = dict.fromkeys(TENANTS, PartnerError("reset", state="unreachable"))
    outcome = fleet.run(force=True)
    assert fleet.content() == WHOLE
    assert (outcome.changed, "dest" in outcome.result, outcome.result["summary"]["unknown"]) == (False, False, 5)
    assert os.listdir(tmp_path) == [dest]


def test_data_that_do_not_fit_the_journal_are_read_again(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, "all.ndjson")
    fleet.breaks = {TENANTS[2]: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        fleet.run()
    left = tmp_path / "all.ndjson.partial"
    left.write_bytes(b"\0" * left.stat().st_size)
    fleet.breaks, fleet.seen = {}, []
    fleet.run(resume=True)
    assert (fleet.seen, fleet.content()) == (TENANTS, WHOLE)


@pytest.mark.parametrize("dest", DESTS)
def test_a_destination_that_is_there_fails_before_any_tenant_is_tried_and_is_not_touched(tmp_path: Path, dest: str) -> None:
    fleet = Fleet(tmp_path, dest)
    precious = tmp_path / dest.replace("{tenant_id}", TENANTS[3])
    precious.write_text("precious")
    for options in ({}, {"resume": True}):
        with pytest.raises(OptionError, match="is there already"):
            fleet.run(**options)
    assert fleet.seen == []
    assert precious.read_text() == "precious"
    assert os.listdir(tmp_path) == [precious.name]
    fleet.run(force=True)
    assert fleet.content() == WHOLE


@pytest.mark.parametrize("dest", [f"missing/{name}" for name in DESTS] + ["{tenant_id}/all.ndjson"])
def test_a_directory_that_cannot_be_written_fails_before_any_tenant_is_tried(tmp_path: Path, dest: str) -> None:
    fleet = Fleet(tmp_path, dest)
    with pytest.raises(OptionError, match="dest"):
        fleet.run()
    assert fleet.seen == []


@pytest.mark.parametrize(
    ("dest", "tenants"),
    [
        ("{tenant_id}/../all.ndjson", TENANTS),
        ("{tenant_id}/../all.ndjson", ["fabrikam.example"]),
        ("{tenant_id}/all.ndjson", TENANTS),
    ],
    ids=["back", "back, with a domain", "a link"],
)
def test_a_name_that_leads_to_one_file_for_several_tenants_is_refused(tmp_path: Path, dest: str, tenants: list[str]) -> None:
    for tenant in TENANTS[:-1]:
        (tmp_path / tenant).mkdir()
    (tmp_path / TENANTS[-1]).symlink_to(TENANTS[0])
    fleet = Fleet(tmp_path, dest)
    with pytest.raises(OptionError, match="is one file for several tenants"):
        fleet.run(tenants=tenants, force=True)
    assert fleet.seen == []
    assert not list(tmp_path.glob("**/*.ndjson*"))


@pytest.mark.parametrize("dest", DESTS)
def test_two_runs_do_not_write_the_same_files(tmp_path: Path, dest: str) -> None:
    fleet = Fleet(tmp_path, dest)
    path = tmp_path / f"{dest.replace('{tenant_id}', 'all-tenants')}.journal"
    path.touch(mode=0o600)
    with path.open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(OptionError, match="Another run"):
            fleet.run(force=True)
    assert fleet.seen == []
    fleet.run()
    assert fleet.content() == WHOLE


def test_shards_with_a_file_for_each_tenant_run_at_the_same_time_and_one_shared_file_takes_one_of_them(tmp_path: Path) -> None:
    class Nested(Fleet):
        """Runs the second shard in the midst of the first."""

        inner: Fleet | None = None

        def single(self, task: Task, part: FilePart | None) -> Outcome:
            if self.inner is not None:
                inner, self.inner = self.inner, None
                inner.run(shard="2/2")
            return super().single(task, part)

    fleet = Nested(tmp_path, "{tenant_id}.ndjson")
    fleet.inner = Fleet(tmp_path, "{tenant_id}.ndjson")
    fleet.run(shard="1/2")
    assert fleet.content() == WHOLE
    assert not [name for name in os.listdir(tmp_path) if name.endswith("journal")]
    shared = Nested(tmp_path, "all.ndjson")
    shared.inner = Fleet(tmp_path, "all.ndjson")
    outcome = shared.run(shard="1/2")
    assert "Another run" in str([entry.get("msg") for entry in outcome.result["tenants"]])


@pytest.mark.parametrize("ending", ["journal", "partial"])
@pytest.mark.parametrize("prepared", ["readable", "link", "second name", "pipe"])
def test_a_file_that_somebody_else_prepared_gets_nothing(tmp_path: Path, ending: str, prepared: str) -> None:
    (tmp_path / "out").mkdir()
    fleet, bait = Fleet(tmp_path / "out", "all.ndjson"), tmp_path / "out" / f"all.ndjson.{ending}"
    precious = tmp_path / "precious"
    precious.write_text("precious")
    precious.chmod(0o600)
    if prepared == "readable":
        bait.touch()
        bait.chmod(0o644)
    elif prepared == "link":
        bait.symlink_to(precious)
    elif prepared == "second name":
        bait.hardlink_to(precious)
    else:
        os.mkfifo(bait, 0o600)
    with pytest.raises(PartnerError, match=r"no file that only this user|could not be written|cannot be written"):
        fleet.run(force=True)
    assert fleet.seen == []
    assert precious.read_text() == "precious"


@pytest.mark.parametrize("file_format", ["ndjson", "csv", "parquet"])
def test_incidents_of_an_interrupted_run_are_in_the_file_whatever_its_format(tmp_path: Path, file_format: str) -> None:
    if file_format == "parquet":
        pytest.importorskip("pyarrow")
    path = str(tmp_path / f"all.{file_format}")

    def _write(*numbers: int, breaks: bool) -> None:
        target = IncidentFile(path, file_format, sole=True)
        with Journal(path, about="incidents", resume=True, force=False) as journal, FleetFile(target, journal, dry_run=False) as file:
            for number in numbers:
                with file.part() as part:
                    part.write(normalise_incident(graph_incident(number), place=PLACE))
                    file.add(f"tenant {number}", part, {"count": 1})
            if breaks:
                raise KeyboardInterrupt
            file.commit()

    with pytest.raises(KeyboardInterrupt):
        _write(1, 2, breaks=True)
    assert not os.path.exists(path)
    _write(3, breaks=False)
    if file_format == "parquet":
        import pyarrow.parquet

        rows = pyarrow.parquet.read_table(path).to_pylist()
    else:
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file)) if file_format == "csv" else [json.loads(line) for line in file]
    assert [row["id"] for row in rows] == ["1", "2", "3"]
    assert os.listdir(tmp_path) == [os.path.basename(path)]


@pytest.mark.parametrize("dest", DESTS)
def test_check_mode_reads_and_predicts_and_leaves_what_an_interrupted_run_kept(tmp_path: Path, dest: str) -> None:
    fleet = Fleet(tmp_path, dest)
    fleet.breaks = {TENANTS[2]: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        fleet.run()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    fleet.breaks = {}
    predicted = fleet.run(check_mode=True, force=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    done = fleet.run(force=True)
    if dest in SHARED:
        assert (predicted.result["checksum"], predicted.changed) == (done.result["checksum"], True)


@pytest.mark.parametrize("dest", DESTS)
def test_check_mode_predicts_what_a_run_would_read_that_goes_on(tmp_path: Path, dest: str) -> None:
    fleet = Fleet(tmp_path, dest)
    fleet.breaks = {TENANTS[2]: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        fleet.run()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    fleet.breaks, fleet.seen = {}, []
    predicted = fleet.run(check_mode=True, resume=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    # What is in a shared file is read again, to know what the file will be.
    assert fleet.seen == (TENANTS if dest in SHARED else TENANTS[2:])
    done = fleet.run(resume=True)
    assert (predicted.result["count"], predicted.result["complete"]) == (done.result["count"], True) == (15, True)
    assert predicted.result.get("checksum") == done.result.get("checksum")


def test_a_table_that_begins_anew_has_the_columns_that_come_now(tmp_path: Path) -> None:
    path = str(tmp_path / "all.csv")
    for names in (("a",), ("b",)):
        target = row_file(path, None, force=False, sole=True)
        with Journal(path, about="rows", resume=True, force=False) as journal, FleetFile(target, journal, dry_run=False) as file:
            journal.keep = True
            with file.part() as part:
                part.begin(names)
                part.write(dict.fromkeys(names, 1))
                file.add(TENANTS[0], part, {})


@pytest.mark.parametrize("dest", SHARED)
def test_the_same_again_is_no_change(tmp_path: Path, dest: str) -> None:
    fleet = Fleet(tmp_path, dest)
    assert fleet.run().changed
    assert not fleet.run(force=True).changed
    assert os.listdir(tmp_path) == [dest]


def _limited_to(size: int, work: Callable[[], Any]) -> Any:
    """Do `work` while no file may grow beyond a size: the kernel refuses in the midst of a write, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        return work()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize("dest", SHARED)
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_disk_that_is_full_half_way_is_said_clearly_and_the_next_run_goes_on(tmp_path: Path, dest: str, concurrency: int) -> None:
    fleet = Fleet(tmp_path, dest)
    fleet.text = "x" * 10_000
    with pytest.raises(FleetStopped, match="File too large") as caught:
        _limited_to(75_000, lambda: fleet.run(concurrency=concurrency))
    assert "2 tenants that are done are kept" in str(caught.value)
    assert "resume" in str(caught.value)
    lines = (tmp_path / f"{dest}.partial").read_text().splitlines()
    assert len([json.loads(line) for line in lines]) == 6
    fleet.seen = []
    fleet.run(resume=True)
    assert len(fleet.seen) == 3
    assert fleet.content() == WHOLE


def test_a_disk_that_is_full_when_the_table_is_made_costs_nothing_that_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(tmp_path, "all.csv")

    def _full(*_args: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(_fleet_output.FleetFile, "_convert", _full)
        with pytest.raises(FleetStopped, match=r"No space left on device\. The 5 tenants"):
            fleet.run()
    fleet.seen = []
    fleet.run(resume=True)
    assert (fleet.seen, fleet.content()) == ([], WHOLE)


def test_a_disk_that_is_full_leaves_the_files_of_done_tenants_whole(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, "{tenant_id}.ndjson")
    fleet.texts = {TENANTS[2]: "x" * 10_000}
    with pytest.raises(FleetStopped, match="File too large") as caught:
        _limited_to(20_000, fleet.run)
    assert "The files of 2 tenants are done." in str(caught.value)
    assert "resume" in str(caught.value)
    assert fleet.content() == {tenant: [0, 1, 2] for tenant in TENANTS[:2]}
    fleet.seen = []
    fleet.run(resume=True)
    assert (fleet.seen, fleet.content()) == (TENANTS[2:], WHOLE)


def test_a_run_that_is_killed_when_a_file_has_its_name_already_goes_on(tmp_path: Path) -> None:
    script = f"""
        import os
        from pathlib import Path
        from unit.fleet.test_output import Fleet, TENANTS

        class Killed(Fleet):
            def single(self, task, part):
                outcome = super().single(task, part)
                if task.params["tenant_id"] == TENANTS[{{place}}]:
                    os.kill(os.getpid(), 9)
                return outcome

        Killed(Path({str(tmp_path)!r}), "{{{{tenant_id}}}}.ndjson").run(resume=True)
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    fleet = Fleet(tmp_path, "{tenant_id}.ndjson")
    for place in (0, 2):
        command = [sys.executable, "-c", textwrap.dedent(script).format(place=place)]
        assert subprocess.run(command, env=environment, check=False, timeout=60).returncode == -9
        assert (tmp_path / f"{TENANTS[place]}.ndjson").exists()
        with pytest.raises(OptionError, match="was interrupted"):
            fleet.run()
    fleet.run(resume=True)
    assert (fleet.seen, fleet.content()) == (TENANTS[2:], WHOLE)


def test_the_file_that_a_killed_run_left_is_in_nobodys_way_also_when_its_tenant_fails_meanwhile(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, "{tenant_id}.ndjson")
    fleet.breaks = {TENANTS[1]: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        fleet.run()
    # As a run leaves it that was killed when the file had its name.
    with (tmp_path / "all-tenants.ndjson.journal").open("a", encoding="utf-8") as lines:
        lines.write(json.dumps({"begun": TENANTS[1]}) + "\n")
    (tmp_path / f"{TENANTS[1]}.ndjson").write_text("{}\n", encoding="utf-8")
    fleet.breaks = {TENANTS[1]: AuthenticationError("not consented", state="not_consented")}
    assert fleet.run(resume=True).result["summary"]["failed"] == 1
    fleet.breaks = {}
    assert fleet.run(resume=True).result["complete"]
    assert fleet.content() == WHOLE


def test_a_file_that_somebody_made_for_a_tenant_that_failed_is_not_replaced(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, "{tenant_id}.ndjson")
    fleet.breaks = {TENANTS[1]: AuthenticationError("not consented", state="not_consented")}
    fleet.run()
    made = tmp_path / f"{TENANTS[1]}.ndjson"
    made.write_text("by hand", encoding="ascii")
    fleet.breaks, fleet.seen = {}, []
    with pytest.raises(OptionError, match="there already"):
        fleet.run(resume=True)
    assert (fleet.seen, made.read_text(encoding="ascii")) == ([], "by hand")


@pytest.mark.parametrize("dest", DESTS)
def test_a_killed_run_leaves_no_half_file_under_a_final_name(tmp_path: Path, dest: str) -> None:
    script = f"""
        import os, sys
        from pathlib import Path
        from unit.fleet.test_output import Fleet, TENANTS

        class Killed(Fleet):
            def _write(self, place, tenant_id):
                super()._write(place, tenant_id)
                if tenant_id == TENANTS[3]:
                    os.kill(os.getpid(), 9)

        Killed(Path({str(tmp_path)!r}), {dest!r}).run()
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], env=environment, check=False, timeout=60)
    assert done.returncode == -9
    fleet = Fleet(tmp_path, dest)
    assert fleet.content() == ({} if dest in SHARED else {tenant: [0, 1, 2] for tenant in TENANTS[:3]})
    fleet.run(resume=True)
    assert (fleet.seen, fleet.content()) == (TENANTS[3:], WHOLE)
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".") or name.endswith(("journal", "partial"))]
