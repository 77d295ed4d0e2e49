# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operation m365d_incident_sink: options, results, check mode and diff."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError
from ansible_collections.m365d.partner.plugins.module_utils._ops import incident_sink
from ansible_collections.m365d.partner.plugins.module_utils._ops._task import Outcome, Task
from ansible_collections.m365d.partner.plugins.module_utils._ops.incident_sink import OPERATION
from unit.delivery.support import FABRIKAM, NORTHWIND, batch_of, incident
from unit.support.scripted_http import Answer, scripted_transport

URL = "https://siem.contoso.example/hooks/s3cr3t-part"


def run(check_mode: bool = False, **options: Any) -> Outcome:
    """Run the operation with its defaults."""
    params = {name: spec.get("default") for name, spec in OPERATION.argument_spec.items()}
    for sink in incident_sink.SINKS:
        if sink in options:
            defaults = {name: spec.get("default") for name, spec in incident_sink.ARGUMENT_SPEC[sink]["options"].items()}
            options[sink] = {**defaults, **options[sink]}
    return OPERATION.run(Task(params={**params, **options}, check_mode=check_mode))


@pytest.fixture
def src(tmp_path: Path) -> str:
    """A batch of three versions of two tenants."""
    return batch_of(tmp_path / "batch", [incident(1, 1), incident(2, 2), incident(1, 3, tenant=NORTHWIND)]).path


def test_a_result_counts_and_a_second_run_changes_nothing(tmp_path: Path, src: str) -> None:
    file = {"path": str(tmp_path / "out.ndjson"), "max_size": "1K"}
    first = run(src=src, file=file)
    assert first.changed
    assert first.result == {
        "place": str(tmp_path / "out.ndjson"),
        "tenant_ids": [FABRIKAM, NORTHWIND],
        "count": 3,
        "delivered": 3,
        "known": 0,
        "outdated": 0,
        "rotated": [],
    }
    second = run(src=src, file=file)
    assert (second.changed, second.result["delivered"], second.result["known"]) == (False, 0, 3)


def test_the_tenant_is_named_where_it_is_one(tmp_path: Path) -> None:
    batch = batch_of(tmp_path / "batch", [incident(1, 1)])
    assert run(src=batch.path, file={"path": str(tmp_path / "out.ndjson")}).result["tenant_id"] == FABRIKAM


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_diff_names_the_versions_and_nothing_of_their_content(tmp_path: Path, src: str, check_mode: bool) -> None:
    (tmp_path / "records").mkdir()
    outcome = run(check_mode, src=src, directory={"path": str(tmp_path / "records")})
    assert outcome.changed
    assert outcome.diff is not None
    assert outcome.diff["after"].splitlines() == [
        f"tenant {FABRIKAM} incident 1 of 2026-11-20T00:00:01.0000000Z",
        f"tenant {FABRIKAM} incident 2 of 2026-11-20T00:00:02.0000000Z",
        f"tenant {NORTHWIND} incident 1 of 2026-11-20T00:00:03.0000000Z",
    ]
    assert bool(list((tmp_path / "records").iterdir())) is not check_mode


def test_a_long_diff_is_cut_and_says_so(tmp_path: Path) -> None:
    batch = batch_of(tmp_path / "batch", [incident(number, number) for number in range(250)])
    outcome = run(True, src=batch.path, file={"path": str(tmp_path / "out.ndjson")})
    assert outcome.diff is not None
    assert len(outcome.diff["after"].splitlines()) == 101
    assert outcome.diff["after"].endswith("and 150 more\n")


def test_what_a_service_chose_cannot_break_a_line_of_the_diff(tmp_path: Path) -> None:
    batch = batch_of(tmp_path / "batch", [incident("1\n-2\x1b[2J", 1)])
    outcome = run(True, src=batch.path, file={"path": str(tmp_path / "out.ndjson")})
    assert outcome.diff is not None
    assert outcome.diff["after"].count("\n") == 1
    assert "\x1b" not in outcome.diff["after"]


def test_the_receiver_gets_its_authorization_and_the_result_names_its_origin_only(src: str, monkeypatch: pytest.MonkeyPatch) -> None:
    transport, session, _clock = scripted_transport(Answer(), Answer(), Answer())
    seen: list[Any] = []
    monkeypatch.setattr(incident_sink, "transport_of", lambda params: seen.append(params["ca_path"]) or transport)
    outcome = run(src=src, ca_path="platform.pem", webhook={"url": URL, "authorization": "Bearer s3cr3t", "headers": {"X-N": 5}})
    assert outcome.result["place"] == "https://siem.contoso.example:443"
    assert "s3cr3t" not in json.dumps([outcome.result, outcome.diff])
    assert {request.headers["Authorization"] for request in session.requests} == {"Bearer s3cr3t"}
    assert {request.headers["X-N"] for request in session.requests} == {"5"}
    with pytest.raises(OptionError):
        run(src=src, webhook={"url": "none", "ca_path": "own.pem"})
    assert seen == ["platform.pem", "own.pem"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"file": {"path": "out.ndjson", "max_size": "huge"}}, "max_size is no size"),
        ({"file": {"path": "out.ndjson", "max_size": "0"}}, "max_size is no size"),
        ({"file": {"path": "out.ndjson", "keep": -1}}, "must not be less than 0"),
        ({"file": {"path": "out.ndjson", "mode": "0666"}}, "is no mode"),
        ({"file": {"path": "out.ndjson", "mode": "0440"}}, "is no mode"),
        ({"file": {"path": "out.ndjson", "mode": "rw"}}, "is no mode"),
        ({"directory": {"path": ".", "mode": "0700"}}, "is no mode"),
        ({"webhook": {"url": URL, "authorization": "a", "headers": {"AUTHORIZATION": "b"}}}, "beside webhook.authorization"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_before_anything_is_written(
    tmp_path: Path, src: str, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match=says):
        run(src=src, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["batch"]


def test_a_batch_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="cannot be read"):
        run(src=str(tmp_path / "none"), file={"path": str(tmp_path / "out.ndjson")})


def test_what_is_secret_is_marked_so() -> None:
    webhook = incident_sink.ARGUMENT_SPEC["webhook"]["options"]
    assert {name for name, spec in webhook.items() if spec.get("no_log")} == {"url", "authorization", "headers"}
