# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file that grows holds each version once, whatever happens between any two steps."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.delivery import growing_file
from ansible_collections.m365d.partner.plugins.module_utils._core.delivery.batch import Batch
from ansible_collections.m365d.partner.plugins.module_utils._core.delivery.growing_file import GrowingFile, Rotation, Span
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError, PartnerError
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.cursor import Cursor, read_cursor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.delivery.support import FABRIKAM, NORTHWIND, batch_of, dying, incident, versions_in

NOW = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)


def cursor(number: int, tenant: str = FABRIKAM) -> dict[str, Any]:
    """A cursor, as far as the file looks at it."""
    return {"tenant_id": tenant, "number": number}


def files(path: Path) -> list[Path]:
    """The file and its older generations, the oldest first."""
    return [*sorted(path.parent.glob(f"{path.stem}-*{path.suffix}")), *([path] if path.exists() else [])]


def deliver(path: Path, batch: Batch, span: Span = Span(), *, now: datetime = NOW, dry_run: bool = False, **rotation: Any) -> Any:  # noqa: B008
    """Deliver a batch."""
    return GrowingFile(str(path), rotation=Rotation(**rotation), mode=0o640, now=now).deliver(batch, span, dry_run=dry_run)


def test_lines_are_added_as_they_came_and_the_mode_is_the_chosen_one(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"
    first = batch_of(tmp_path / "batch", [incident(2, 5), incident(1, 6)])
    report = deliver(path, first, Span({}, cursor(1)))
    assert (report.versions, report.known) == (2, 0)
    assert path.read_bytes() == Path(first.path).read_bytes()
    assert path.stat().st_mode & 0o777 == 0o640
    deliver(path, batch_of(tmp_path / "batch", [incident(1, 7)]), Span(cursor(1), cursor(2)))
    assert [version[1] for version in versions_in(path)] == ["2", "1", "1"]


@pytest.mark.parametrize(
    ("before", "why"),
    [({}, "the same cursor"), (cursor(9), "a cursor that nobody knows"), (None, "no cursor at all")],
)
def test_what_is_there_is_not_added_again(tmp_path: Path, before: Mapping[str, Any] | None, why: str) -> None:
    path = tmp_path / "out.ndjson"
    rows = [incident(number, number) for number in range(5)]
    deliver(path, batch_of(tmp_path / "batch", rows[:3]), Span({}, cursor(1)))
    report = deliver(path, batch_of(tmp_path / "batch", rows), Span(before, cursor(2)))
    assert (report.versions, report.known) == (2, 3), why
    assert len(versions_in(path)) == 5


def test_the_next_delivery_does_not_read_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.ndjson"
    deliver(path, batch_of(tmp_path / "batch", [incident(1, 1)]), Span({}, cursor(1)))
    read: list[tuple[str, int]] = []

    def _versions(name: str, offset: int) -> Iterator[Any]:
        read.append((name, offset))
        return iter(())

    monkeypatch.setattr(growing_file, "_versions", _versions)
    size = path.stat().st_size
    deliver(path, batch_of(tmp_path / "batch", [incident(2, 2)]), Span(cursor(1), cursor(2)))
    assert read == []
    deliver(path, batch_of(tmp_path / "batch", [incident(2, 2)]), Span(cursor(1), cursor(3)))
    assert read == [(str(path), size)]


@pytest.mark.parametrize("damage", [b"", b"{}", b"nonsense", b'{"format": 1, "generation": "x", "streams": {}}', b"[]", b"offset"])
def test_a_damaged_ledger_costs_time_and_no_truth(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "out.ndjson"
    deliver(path, batch_of(tmp_path / "batch", [incident(1, 1)]), Span({}, cursor(1)))
    ledger = tmp_path / ".out.ndjson.ledger"
    ledger.write_bytes(damage if damage != b"offset" else ledger.read_bytes().replace(b'"offset":0', b'"offset":-7'))
    report = deliver(path, batch_of(tmp_path / "batch", [incident(1, 1), incident(2, 2)]), Span({}, cursor(2)))
    assert (report.versions, report.known) == (1, 1)


@pytest.mark.parametrize("torn", [b'{"id": "7"', b"\x00" * 10, b'{"id":"1","tenant_id":"x"}'])
def test_a_torn_line_is_taken_back(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "out.ndjson"
    deliver(path, batch_of(tmp_path / "batch", [incident(1, 1)]), Span({}, cursor(1)))
    with path.open("ab") as file:
        file.write(torn)
    deliver(path, batch_of(tmp_path / "batch", [incident(2, 2)]), Span(cursor(1), cursor(2)))
    assert [version[1] for version in versions_in(path)] == ["1", "2"]


def test_a_torn_line_longer_than_a_chunk_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growing_file, "_CHUNK_BYTES", 7)
    path = tmp_path / "out.ndjson"
    path.write_bytes(b"other's line\n" + b"x" * 40)
    deliver(path, batch_of(tmp_path / "batch", [incident(1, 1), incident(2, 2)]))
    first, *rest = path.read_bytes().splitlines()
    assert (first, [json.loads(line)["id"] for line in rest]) == (b"other's line", ["1", "2"])


def test_a_file_that_would_grow_too_large_is_rotated_also_within_a_batch(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"
    rows = [incident(number, number) for number in range(10)]
    line = len(json.dumps(rows[0])) + 1
    deliver(path, batch_of(tmp_path / "batch", rows), Span({}, cursor(1)), max_bytes=3 * line)
    names = [file.name for file in files(path)]
    assert [name.rpartition("-")[2] for name in names] == ["000001.ndjson", "000002.ndjson", "000003.ndjson", "out.ndjson"]
    assert [version[1] for version in versions_in(*files(path))] == [str(number) for number in range(10)]
    assert all(file.stat().st_size <= 3 * line for file in files(path))
    again = deliver(path, batch_of(tmp_path / "batch", rows), Span({}, cursor(2)), max_bytes=3 * line)
    assert (again.versions, again.known) == (0, 10)


def test_each_day_has_files_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"
    deliver(path, batch_of(tmp_path / "batch", [incident(1, 1)]), Span({}, cursor(1)), daily=True)
    yesterday = (NOW - timedelta(days=1)).timestamp()
    os.utime(path, (yesterday, yesterday))
    nothing = deliver(path, batch_of(tmp_path / "batch", []), Span(cursor(1), cursor(1)), daily=True)
    assert (nothing.versions, len(files(path))) == (0, 1)
    deliver(path, batch_of(tmp_path / "batch", [incident(2, 2)]), Span(cursor(1), cursor(2)), daily=True)
    assert [file.name for file in files(path)] == ["out-20261121-000001.ndjson", "out.ndjson"]


def test_only_so_many_old_files_stay_and_none_of_this_delivery_goes(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"
    options = {"max_bytes": 1, "keep": 2}
    deliver(path, batch_of(tmp_path / "batch", [incident(number, 1) for number in range(6)]), Span({}, cursor(1)), **options)
    assert len(versions_in(*files(path))) == 6
    deliver(path, batch_of(tmp_path / "batch", [incident(9, 2)]), Span(cursor(1), cursor(2)), **options)
    assert [version[1] for version in versions_in(*files(path))] == ["3", "4", "5", "9"]


def test_files_that_somebody_took_away_do_not_confuse_the_next_delivery(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"
    deliver(path, batch_of(tmp_path / "batch", [incident(number, 1) for number in range(4)]), Span({}, cursor(1)), max_bytes=1)
    for file in files(path):
        file.unlink()
    report = deliver(path, batch_of(tmp_path / "batch", [incident(9, 2)]), Span(cursor(1), cursor(2)), max_bytes=1)
    assert (report.versions, versions_in(path)[0][1]) == (1, "9")
    again = deliver(path, batch_of(tmp_path / "batch", [incident(9, 2)]), Span({}, cursor(2)), max_bytes=1)
    assert (again.versions, again.known) == (0, 1)


def test_a_dry_run_tells_and_touches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"
    deliver(path, batch_of(tmp_path / "batch", [incident(1, 1)]), Span({}, cursor(1)))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.name != "batch"}
    report = deliver(path, batch_of(tmp_path / "batch", [incident(1, 1), incident(2, 2)]), Span({}, cursor(2)), dry_run=True, max_bytes=1)
    assert (report.versions, report.known) == (1, 1)
    assert report.named == [f"tenant {FABRIKAM} incident 2 of 2026-11-20T00:00:02.0000000Z"]
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.name != "batch"} == before
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    assert deliver(fresh / "out.ndjson", batch_of(tmp_path / "batch", [incident(1, 1)]), dry_run=True).versions == 1
    assert list(fresh.iterdir()) == []


@pytest.mark.parametrize("place", ["missing/out.ndjson", "directory", "link"])
def test_a_place_that_is_none_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OptionError, match=r"file\.path"):
        deliver(tmp_path / place, batch_of(tmp_path / "batch", [incident(1, 1)]))
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("line", ["", "[]", "{}", '{"id": "1"}', "nonsense", '{"id": "1", "tenant_id": ""}'])
def test_a_batch_that_is_none_is_refused_before_anything_is_written(tmp_path: Path, line: str) -> None:
    (tmp_path / "batch").write_text(f"{json.dumps(incident(1))}\n{line}\n", encoding="ascii")
    with pytest.raises(OptionError, match="Line 2 of src"):
        deliver(tmp_path / "out.ndjson", Batch(str(tmp_path / "batch")))
    assert not (tmp_path / "out.ndjson").exists()


def test_a_batch_that_broke_off_is_refused(tmp_path: Path) -> None:
    (tmp_path / "batch").write_text(json.dumps(incident(1)), encoding="ascii")
    with pytest.raises(OptionError, match="Line 1 of src"):
        deliver(tmp_path / "out.ndjson", Batch(str(tmp_path / "batch")))


def test_a_full_disk_is_named_and_what_was_written_is_not_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.ndjson"
    monkeypatch.setattr(growing_file, "_CHUNK_BYTES", 1)
    real, left = growing_file.write_all, [2]

    def _write(descriptor: int, content: bytes) -> None:
        left[0] -= 1
        if left[0] < 0:
            real(descriptor, content[:9])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor, content)

    rows = [incident(number, number) for number in range(4)]
    monkeypatch.setattr(growing_file, "write_all", _write)
    with pytest.raises(PartnerError, match="No space left") as caught:
        deliver(path, batch_of(tmp_path / "batch", rows), Span({}, cursor(1)))
    assert caught.value.scope == "credential"
    monkeypatch.setattr(growing_file, "write_all", real)
    report = deliver(path, batch_of(tmp_path / "batch", rows), Span({}, cursor(1)))
    assert (report.versions, report.known) == (2, 2)
    assert [version[1] for version in versions_in(path)] == ["0", "1", "2", "3"]


class Service:
    """A tenant's incidents: an update makes a version and hides the one before it; some arrive late."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant
        self.latest: dict[int, int] = {}
        self.clock = 0

    def happens(self, number: int, late: int) -> None:
        """Update an incident, at an instant that lies up to `_LATE` seconds back."""
        self.clock += 2
        update = max(self.clock - late, self.latest.get(number, 0) + 1)
        self.latest[number] = update
        self.clock = max(self.clock, update)

    def read(self, kept: Mapping[str, Any], limit: int | None) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return what was not delivered yet and the cursor after it, as m365d_incidents does."""
        before = read_cursor(kept, tenant_id=self.tenant) or Cursor(tenant_id=self.tenant)
        since = before.since(_OVERLAP)
        everything = sorted((incident(number, update, tenant=self.tenant) for number, update in self.latest.items()), key=_updated)
        fresh = [row for row in everything if (since is None or _updated(row) >= since) and _key(row) not in before.seen]
        taken = fresh[:limit]
        seen = everything if len(taken) == len(fresh) else taken
        reached = max(map(_updated, seen), default=None)
        after = before.moved([_key(row) for row in taken], since=since, watermark=reached, overlap=_OVERLAP)
        return taken, after.as_dict()


_LATE = 4
_OVERLAP = 2 * _LATE


def _updated(row: Mapping[str, Any]) -> str:
    return str(row["last_update_date_time"])


def _key(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["id"], _updated(row)


@dataclass
class Step:
    """What happens before a run of the synchronisation, and how far the run comes."""

    tenant: str
    updates: list[tuple[int, int]]
    limit: int | None
    dies_at: int | None
    manner: str
    forgets_cursor: bool
    loses_cursor: bool
    next_day: bool


seldom = st.integers(0, 5).map(lambda number: number == 0)
steps = st.builds(
    Step,
    tenant=st.sampled_from([FABRIKAM, FABRIKAM, NORTHWIND]),
    updates=st.lists(st.tuples(st.integers(0, 4), st.integers(0, _LATE)), max_size=5),
    limit=st.sampled_from([None, None, 1, 2, 3]),
    dies_at=st.one_of(st.none(), st.integers(1, 40)),
    manner=st.sampled_from(["before", "within", "after"]),
    forgets_cursor=seldom,
    loses_cursor=seldom,
    next_day=st.booleans(),
)


@given(plan=st.lists(steps, min_size=1, max_size=10), lines=st.sampled_from([None, 1, 3]), daily=st.booleans())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_each_version_is_in_the_files_once_wherever_the_process_dies(plan: list[Step], lines: int | None, daily: bool) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "out.ndjson"
        size = len(json.dumps(incident(0, 0))) + 1
        services = {tenant: Service(tenant) for tenant in (FABRIKAM, NORTHWIND)}
        kept: dict[str, dict[str, Any]] = {FABRIKAM: {}, NORTHWIND: {}}
        owed: set[tuple[str, str, str]] = set()
        now = datetime.now(timezone.utc)

        def _run(step: Step) -> None:
            rows, after = services[step.tenant].read(kept[step.tenant], step.limit)
            options: dict[str, Any] = {"max_bytes": None if lines is None else lines * size, "daily": daily, "now": now}
            with dying(at=step.dies_at, manner=step.manner) as life:
                deliver(path, batch_of(Path(directory) / "batch", rows), Span(kept[step.tenant], after), **options)
            if not life.died:
                owed.update((step.tenant, *_key(row)) for row in rows)
                kept[step.tenant] = kept[step.tenant] if step.forgets_cursor else after

        for step in plan:
            now += timedelta(days=step.next_day)
            for number, late in step.updates:
                services[step.tenant].happens(number, late)
            if step.loses_cursor:
                kept[step.tenant] = {}
            _run(step)
        for tenant, service in services.items():
            _run(Step(tenant, [], None, None, "before", False, False, False))
            owed.update((tenant, *_key(incident(number, update))) for number, update in service.latest.items())
        found = versions_in(*files(path))
        assert len(found) == len(set(found)), "a version is there twice"
        assert owed <= set(found), "a version was lost"


def test_what_an_attempt_that_broke_off_had_read_ahead_does_not_come_twice(tmp_path: Path) -> None:
    """The first attempt takes 1 and 2; meanwhile 0 arrives late, so that with the same limit the second takes 0 and 1."""
    path = tmp_path / "out.ndjson"
    one, two, late, three = incident(1, 10), incident(2, 20), incident(0, 5), incident(3, 30)
    deliver(path, batch_of(tmp_path / "batch", [one, two]), Span({}, cursor(1)))
    deliver(path, batch_of(tmp_path / "batch", [late, one]), Span({}, cursor(2)))
    deliver(path, batch_of(tmp_path / "batch", [three]), Span(cursor(2), cursor(3)))
    report = deliver(path, batch_of(tmp_path / "batch", [two]), Span(cursor(3), cursor(4)))
    assert (report.versions, report.known) == (0, 1)
    assert [version[1] for version in versions_in(path)] == ["1", "2", "0", "3"]


def test_the_ledger_forgets_what_no_reading_looks_at_again(tmp_path: Path) -> None:
    path = tmp_path / "out.ndjson"
    deliver(path, batch_of(tmp_path / "batch", [incident(number, number) for number in range(50)]), Span({}, cursor(1)))
    restored = {**cursor(2), "seen_from": incident(0, 45)["last_update_date_time"]}
    deliver(path, batch_of(tmp_path / "batch", [incident(60, 60)]), Span(cursor(9), restored))
    (last,) = json.loads((tmp_path / ".out.ndjson.ledger").read_text())["streams"].values()
    assert [version[1] for version in last["left"]] == ["45", "46", "47", "48", "49"]
