# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A directory holds the newest version of each incident, and nothing outside it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.delivery.record_directory import RecordDirectory, safe_name
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError, PartnerError
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.delivery.support import FABRIKAM, NORTHWIND, batch_of, dying, incident


def records(place: Path) -> dict[str, str]:
    """The last update of each file, by its path."""
    found = sorted(path for path in place.rglob("*.json") if not path.name.startswith("."))
    return {str(path.relative_to(place)): json.loads(path.read_text())["last_update_date_time"][11:19] for path in found}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An empty directory."""
    made = tmp_path / "records"
    made.mkdir()
    return made


def test_each_tenant_has_a_directory_and_each_incident_a_file(tmp_path: Path, place: Path) -> None:
    rows = [incident(1, 1), incident(2, 2), incident(1, 3, tenant=NORTHWIND)]
    report = RecordDirectory(str(place), mode=0o640).deliver(batch_of(tmp_path / "batch", rows))
    assert report.versions == 3
    assert records(place) == {f"{FABRIKAM}/1.json": "00:00:01", f"{FABRIKAM}/2.json": "00:00:02", f"{NORTHWIND}/1.json": "00:00:03"}
    assert (place / FABRIKAM).stat().st_mode & 0o777 == 0o750
    assert (place / FABRIKAM / "1.json").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("dry_run", [False, True])
def test_the_newest_version_wins_in_any_order(tmp_path: Path, place: Path, dry_run: bool) -> None:
    sink = RecordDirectory(str(place), mode=0o600)
    sink.deliver(batch_of(tmp_path / "batch", [incident(1, 5), incident(2, 5)]))
    rows = [incident(1, 4), incident(2, 6), incident(3, 8), incident(3, 7), incident(1, 5)]
    report = sink.deliver(batch_of(tmp_path / "batch", rows), dry_run=dry_run)
    assert (report.versions, report.known, report.outdated) == (2, 1, 2)
    expected = {"1": "00:00:05", "2": "00:00:05"} if dry_run else {"1": "00:00:05", "2": "00:00:06", "3": "00:00:08"}
    assert records(place) == {f"{FABRIKAM}/{number}.json": update for number, update in expected.items()}


def test_the_same_version_with_other_details_is_written(tmp_path: Path, place: Path) -> None:
    sink = RecordDirectory(str(place), mode=0o600)
    sink.deliver(batch_of(tmp_path / "batch", [incident(1, 5)]))
    assert sink.deliver(batch_of(tmp_path / "batch", [incident(1, 5, alerts=[])])).versions == 1
    assert json.loads((place / FABRIKAM / "1.json").read_text())["alerts"] == []


@pytest.mark.parametrize(
    ("text", "name"),
    [("924565", "924565"), ("../../etc", "%2E%2E%2F%2E%2E%2Fetc"), (".", "%2E"), ("", "%"), ("a/b\0", "a%2Fb%00"), ("\udcff", "%ED%B3%BF")],
)
def test_an_id_that_a_service_chose_is_no_path(tmp_path: Path, place: Path, text: str, name: str) -> None:
    assert safe_name(text) == name
    RecordDirectory(str(place), mode=0o600).deliver(batch_of(tmp_path / "batch", [incident(text, 1)]))
    assert [path.name for path in place.rglob("*.json")] == [f"{name}.json"]


@given(st.text(max_size=80), st.text(max_size=80))
def test_two_short_ids_never_share_a_name(one: str, other: str) -> None:
    assert "/" not in safe_name(one)
    assert (safe_name(one) == safe_name(other)) is (one == other) or max(len(safe_name(one)), len(safe_name(other))) >= 200


def test_long_ids_that_begin_alike_have_files_of_their_own(tmp_path: Path, place: Path) -> None:
    rows = [incident("9" * 300 + end, 1) for end in ("1", "2")]
    assert RecordDirectory(str(place), mode=0o600).deliver(batch_of(tmp_path / "batch", rows)).versions == 2
    found = [json.loads(path.read_text())["id"] for path in place.rglob("*.json")]
    assert sorted(found) == [row["id"] for row in rows]


def test_a_place_that_is_no_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="is no directory"):
        RecordDirectory(str(tmp_path / "missing"), mode=0o600).deliver(batch_of(tmp_path / "batch", [incident(1, 1)]))


def test_a_link_in_the_place_of_a_record_is_not_followed(tmp_path: Path, place: Path) -> None:
    (place / FABRIKAM).mkdir()
    (tmp_path / "secret").write_text("mine", encoding="ascii")
    (place / FABRIKAM / "1.json").symlink_to(tmp_path / "secret")
    with pytest.raises(PartnerError, match=r"directory\.path"):
        RecordDirectory(str(place), mode=0o600).deliver(batch_of(tmp_path / "batch", [incident(1, 1)]))
    assert (tmp_path / "secret").read_text() == "mine"


@given(
    rounds=st.lists(
        st.tuples(
            st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), max_size=5),
            st.one_of(st.none(), st.integers(1, 40)),
            st.sampled_from(["before", "within", "after"]),
        ),
        min_size=1,
        max_size=6,
    )
)
@settings(max_examples=100, deadline=None)
def test_a_record_is_whole_and_never_grows_older_wherever_the_process_dies(
    rounds: list[tuple[list[tuple[int, int]], int | None, str]],
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory) / "records"
        place.mkdir()
        sink = RecordDirectory(str(place), mode=0o600)
        before: dict[str, str] = {}
        for versions, dies_at, manner in rounds:
            rows = [incident(number, update) for number, update in versions]
            with dying(at=dies_at, manner=manner) as life:
                sink.deliver(batch_of(Path(directory) / "batch", rows))
            after = records(place)
            assert all(after[name] >= update for name, update in before.items())
            if not life.died:
                for number, update in versions:
                    assert after[f"{FABRIKAM}/{number}.json"] >= f"00:00:{update:02d}"
            before = after
