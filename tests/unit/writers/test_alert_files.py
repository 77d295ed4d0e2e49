# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Alerts in files: the same rows in each format, whole or not at all."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError, PartnerError
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents.schema import ALERT_KEYS
from unit.writers.exchange import GRAPH, Exchange, defender_incident, graph_alert, refused
from unit.writers.test_alerts import defender_alert, page, run

FIRST = "GET alerts_v2?$top=100&$orderby=lastUpdateDateTime desc&$count=true"
NEXT = f"{GRAPH}alerts_v2?$skiptoken=x"
OTHERS = ["11111111-1111-4111-8111-000000000002", "11111111-1111-4111-8111-000000000003"]


def listed(*numbers: int) -> Exchange:
    return Exchange(FIRST, page(*map(graph_alert, numbers), total=len(numbers)))


def rows(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    if path.suffix == ".parquet":
        found: list[dict[str, Any]] = pytest.importorskip("pyarrow.parquet").read_table(path).to_pylist()
        return found
    return [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]


@pytest.mark.parametrize("ending", ["ndjson", "csv", "parquet"])
def test_alerts_are_written_page_by_page_in_the_schema_of_alerts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"alerts.{ending}"
    script = (
        Exchange(FIRST, page(graph_alert(3), graph_alert(2), next_link=NEXT, total=3)),
        Exchange("GET alerts_v2?$skiptoken=x", page(graph_alert(1, title="=1+1"), total=3)),
    )
    played = run(monkeypatch, *script, dest=str(path))
    found = rows(path)
    assert [row["id"] for row in found] == ["da3", "da2", "da1"]
    assert list(found[0]) == list(ALERT_KEYS)
    assert found[2]["title"] == ("'=1+1" if ending == "csv" else "=1+1")
    assert "alerts" not in played.result
    assert (played.result["count"], played.result["complete"], played.outcome.changed) == (3, True, True)
    assert (played.result["dest"], played.result["size"]) == (str(path), path.stat().st_size)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_parquet_file_has_types(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "alerts.parquet"
    run(monkeypatch, Exchange(FIRST, page(graph_alert(1, mitreTechniques=["T1059"]), total=1)), dest=str(path))
    row = rows(path)[0]
    assert row["last_update_date_time"].year == 2026
    assert row["mitre_techniques"] == ["T1059"]


def test_a_reading_that_breaks_off_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = (
        Exchange(FIRST, page(graph_alert(1), next_link=NEXT, total=2)),
        Exchange("GET alerts_v2?$skiptoken=x", refused(400, "BadRequest", "Bad token.")),
    )
    with pytest.raises(PartnerError, match="Bad token"):
        run(monkeypatch, *script, dest=str(tmp_path / "alerts.csv"))
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_replaced_on_demand_alone_and_the_same_again_is_no_change(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "alerts.ndjson"
    path.write_text("mine\n")
    with pytest.raises(OptionError, match="is there already"):
        run(monkeypatch, dest=str(path))
    assert path.read_text() == "mine\n"
    assert run(monkeypatch, listed(1), dest=str(path), force=True, check_mode=True).outcome.changed
    assert path.read_text() == "mine\n"
    outcomes = [run(monkeypatch, listed(1), dest=str(path), force=True).outcome.changed for _run in range(2)]
    assert outcomes == [True, False]


def test_alerts_out_of_incidents_are_written_in_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "alerts.ndjson"
    script = Exchange("GET incidents?$top=100", page(defender_incident(alerts=[defender_alert(1), defender_alert(2)])))
    run(monkeypatch, script, api="defender", dest=str(path), order_by="updated_asc")
    assert [row["id"] for row in rows(path)] == ["da1", "da2"]


def test_the_tenants_of_a_fleet_share_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "alerts.csv"
    played = run(monkeypatch, listed(1), listed(2), tenants=OTHERS, concurrency=1, dest=str(path))
    assert (played.result["count"], played.result["summary"]["ok"], played.outcome.changed) == (2, 2, True)
    assert sorted(row["id"] for row in rows(path)) == ["da1", "da2"]
    assert list(tmp_path.iterdir()) == [path]
