# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of incidents: whole or not there, whatever happens on the way."""

from __future__ import annotations

import csv
import errno
import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import FleetStopped, LibraryMissing, OptionError
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents import writers
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.files import IncidentFile, destination_for, format_of
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.schema import INCIDENT_KEYS, normalise_incident
from unit.incidents.support import PLACE, graph_incident

FORMATS = sorted(writers.FORMATS)


def _incident(number: int = 1, **members: Any) -> dict[str, Any]:
    return normalise_incident(graph_incident(number, **members), place=PLACE)


def _write(path: Path, *incidents: dict[str, Any], dry_run: bool = False, **options: Any) -> Any:
    with IncidentFile(str(path), format_of(str(path), None), **options) as file:
        for incident in incidents:
            file.write(incident)
        return file.commit(dry_run=dry_run)


def _read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    if path.suffix == ".parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        return list(parquet.read_table(path).to_pylist())
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


@pytest.mark.parametrize("file_format", FORMATS)
def test_what_was_written_is_what_is_read(tmp_path: Path, file_format: str) -> None:
    path = tmp_path / f"incidents.{file_format}"
    nasty = 'Quote " comma , newline \n emoji 🛡 half \ud83d'
    written = _write(path, _incident(1), _incident(2, displayName=nasty, customTags=["a", "b"], priorityScore=7))
    rows = _read(path)
    assert [row["id"] for row in rows] == ["1", "2"]
    assert list(rows[0]) == list(INCIDENT_KEYS)
    assert rows[1]["display_name"].startswith('Quote " comma , newline \n emoji 🛡 half ')
    assert (written.size, written.changed) == (path.stat().st_size, True)
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == [path.name]


def test_ndjson_is_the_schema_itself(tmp_path: Path) -> None:
    incident = _incident(1, displayName="half \ud83d of a pair", customTags=["a"])
    _write(tmp_path / "x.ndjson", incident)
    assert _read(tmp_path / "x.ndjson") == [incident]


def test_parquet_has_types(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    updated = "2026-01-02T03:04:05.6789012Z"
    _write(tmp_path / "x.parquet", _incident(1, updated=updated, priorityScore=7, customTags=["a"], createdDateTime="soon"))
    row = _read(tmp_path / "x.parquet")[0]
    assert row["last_update_date_time"].isoformat() == "2026-01-02T03:04:05.678901+00:00"
    assert (row["created_date_time"], row["priority_score"], row["custom_tags"]) == (None, 7, ["a"])


@pytest.mark.parametrize("file_format", FORMATS)
def test_no_incidents_make_a_valid_empty_file(tmp_path: Path, file_format: str) -> None:
    path = tmp_path / f"none.{file_format}"
    _write(path)
    assert _read(path) == []


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1+1", "\uff0d1"])
def test_a_cell_that_a_spreadsheet_would_calculate_is_text(tmp_path: Path, start: str) -> None:
    _write(tmp_path / "x.csv", _incident(1, displayName=start))
    assert _read(tmp_path / "x.csv")[0]["display_name"] == f"'{start}"


@pytest.mark.parametrize("odd", [2**63, -(2**63) - 1, True, 0.5, "many", [1]])
def test_parquet_has_no_place_for_a_number_that_is_none(tmp_path: Path, odd: Any) -> None:
    incidents = [
        {**_incident(1), "priority_score": odd, "created_date_time": "2026-02-30T00:00:00.0000000Z"},
        _incident(2, priorityScore=7),
    ]
    _write(tmp_path / "x.parquet", *incidents)
    rows = _read(tmp_path / "x.parquet")
    assert [(row["id"], row["priority_score"]) for row in rows] == [("1", None), ("2", 7)]
    assert rows[0]["created_date_time"] is None


def test_parquet_without_its_library_says_how_to_get_it_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(LibraryMissing, match="pip install pyarrow"):
        _write(tmp_path / "x.parquet")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "chosen", "expected"),
    [
        ("a.ndjson", None, "ndjson"),
        ("a.JSONL", None, "ndjson"),
        ("a.csv", None, "csv"),
        ("a.txt", "csv", "csv"),
        ("a.csv", "ndjson", "ndjson"),
    ],
)
def test_the_name_tells_the_format_unless_it_is_chosen(name: str, chosen: str | None, expected: str) -> None:
    assert format_of(name, chosen) == expected


def test_a_name_that_tells_no_format_is_refused() -> None:
    with pytest.raises(OptionError, match="dest_format"):
        format_of("incidents.txt", None)


def test_a_file_that_is_there_is_not_touched_without_force(tmp_path: Path) -> None:
    path = tmp_path / "x.ndjson"
    path.write_text("precious")
    with pytest.raises(OptionError, match="is there already"):
        _write(path, _incident())
    assert path.read_text() == "precious"


def test_a_file_that_came_into_being_meanwhile_is_not_touched_without_force(tmp_path: Path) -> None:
    path = tmp_path / "x.ndjson"
    with IncidentFile(str(path), "ndjson") as file:
        file.write(_incident())
        path.write_text("precious")
        with pytest.raises(OptionError, match="is there already"):
            file.commit()
    assert path.read_text() == "precious"
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("kind", ["directory", "missing"])
def test_a_place_where_no_file_can_be_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path if kind == "directory" else tmp_path / "missing" / "x.ndjson"
    with pytest.raises(OptionError, match="dest"):
        IncidentFile(str(path), "ndjson").check()


@pytest.mark.parametrize("kind", ["pipe", "dangling link"])
def test_what_is_no_file_is_not_replaced_with_force_either(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.ndjson"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(tmp_path / "nowhere")
    before = path.lstat()
    with pytest.raises(OptionError, match="is no file"):
        _write(path, _incident(), force=True)
    after = path.lstat()
    # Looking at a link moves its time of access, so not all of stat can be compared.
    assert (after.st_mode, after.st_ino, after.st_mtime_ns) == (before.st_mode, before.st_ino, before.st_mtime_ns)


def test_force_replaces_and_the_same_again_is_no_change(tmp_path: Path) -> None:
    path = tmp_path / "x.ndjson"
    path.write_text("old")
    assert _write(path, _incident(1), force=True).changed
    inode = path.stat().st_ino
    again = _write(path, _incident(1), force=True)
    assert (again.changed, path.stat().st_ino) == (False, inode)


def test_a_dry_run_predicts_and_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.ndjson"
    predicted = _write(path, _incident(1), dry_run=True)
    assert os.listdir(tmp_path) == []
    assert _write(path, _incident(1)) == predicted
    assert not _write(path, _incident(1), dry_run=True, force=True).changed


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, ValueError])
def test_a_reading_that_breaks_off_leaves_everything_as_it_was(tmp_path: Path, interruption: type[BaseException]) -> None:
    path = tmp_path / "x.ndjson"
    path.write_text("old")

    def _broken_reading() -> None:
        with IncidentFile(str(path), "ndjson", force=True) as file:
            file.write(_incident())
            raise interruption

    with pytest.raises(interruption):
        _broken_reading()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == [path.name]


def test_a_full_disk_is_one_clear_sentence_and_stops_every_tenant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def _full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writers.NdjsonWriter, "write", _full)
    with pytest.raises(FleetStopped, match="No space left on device"):
        _write(tmp_path / "x.ndjson", _incident())
    assert os.listdir(tmp_path) == []


def test_a_killed_process_leaves_no_file_of_that_name(tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.files import IncidentFile\n"
        "with IncidentFile(sys.argv[1], 'ndjson') as file:\n"
        "    file.write({'id': '1'})\n"
        "    os._exit(9)\n"
    )
    path = tmp_path / "x.ndjson"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", script, str(path)], env=environment, check=False).returncode == 9
    assert not path.exists()


def test_a_draft_that_a_killed_process_left_is_replaced_where_nobody_else_writes(tmp_path: Path) -> None:
    (tmp_path / ".x.ndjson.draft").write_text("half a li")
    _write(tmp_path / "x.ndjson", _incident(1), sole=True)
    assert [row["id"] for row in _read(tmp_path / "x.ndjson")] == ["1"]
    assert os.listdir(tmp_path) == ["x.ndjson"]


@pytest.mark.parametrize("file_format", FORMATS)
def test_memory_stays_flat_however_many_are_written(tmp_path: Path, file_format: str) -> None:
    if file_format == "parquet":
        pytest.importorskip("pyarrow")
    peaks = []
    incident = _incident()
    for count in (1_500, 4_500):
        with IncidentFile(str(tmp_path / f"{count}.{file_format}"), file_format) as file:
            tracemalloc.start()
            for _number in range(count):
                file.write(incident)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            file.commit()
    assert peaks[1] < peaks[0] * 1.5 + 100_000


def test_a_tenant_has_a_file_of_its_own_where_the_name_says_so() -> None:
    assert destination_for("/srv/{tenant_id}.csv", "t-1") == "/srv/t-1.csv"
    assert destination_for("/srv/all.csv", "t-1") == "/srv/all.csv"
