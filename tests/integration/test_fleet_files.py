# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a fleet in real runs of Ansible: interrupted, on a full disk, in the way of something else; and its bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.harness import ANSIBLE, HOME, RUN_SECONDS, Ansible, Emulator

TENANTS = tuple(f"11111111-1111-4111-8111-{number:012d}" for number in range(200, 216))
INCIDENTS = 12
DELAY = 0.25
READER = "33333333-3333-4333-8333-000000000001"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulated cloud with a few customers who all consented."""
    directory = tmp_path_factory.mktemp("emulator")
    scenario = {
        "seed": 41,
        "defaults": {"security": {"incidents": INCIDENTS, "alerts_per_incident": 0}},
        "home": {"tenant_id": HOME, "domain": "partner.contoso.example", "display_name": "Contoso Partner"},
        "tenants": [
            {"tenant_id": tenant, "domain": f"customer-{number}.example", "display_name": f"Customer {number}"}
            for number, tenant in enumerate(TENANTS)
        ],
        "apps": [
            {
                "display_name": "Partner reader",
                "client_id": READER,
                "permissions": ["MicrosoftGraph/SecurityIncident.Read.All", "MicrosoftThreatProtection/Incident.Read.All"],
                "consented": "all",
            }
        ],
    }
    (directory / "scenario.yml").write_text(yaml.safe_dump(scenario), encoding="utf-8")
    emulator = Emulator.start(directory / "state", scenario=directory / "scenario.yml")
    yield emulator
    emulator.stop()


class Fleet:
    """Playbooks of one task that reads all customers into `dest`."""

    def __init__(self, ansible: Ansible, cloud: Emulator, dest: Path) -> None:
        self.ansible = ansible
        self.cloud = cloud
        self.dest = dest
        ansible.inventory({"partner": {}}, {**cloud.reader, "fleet": list(TENANTS)})

    def playbook(self, **options: Any) -> str:
        task = {"tenants": "{{ fleet }}", "dest": str(self.dest), "concurrency": 2, **options}
        return yaml.safe_dump(
            [{"hosts": "partner", "gather_facts": False, "tasks": [{"name": "read", "m365d.partner.m365d_incidents": task}]}], width=1000
        )

    def run(self, **options: Any) -> dict[str, Any]:
        self.cloud.forget_requests()
        run = self.ansible.playbook(self.playbook(**options))
        assert "Traceback" not in run.output
        return {**run.result("read"), "failed": run.events[-1]["event"] == "failed"}

    def read_tenants(self) -> list[str]:
        """Return the tenants whose incidents were asked for, in order."""
        return [entry["tenant_id"] for entry in self.cloud.requests(operation="list incidents")]

    def content(self) -> dict[str, list[str]]:
        """Return the ids of the incidents by tenant, out of the files under their final names; each line must be whole."""
        found: dict[str, list[str]] = {}
        for path in self.dest.parent.glob("*.ndjson"):
            for line in path.read_text(encoding="ascii").splitlines():
                incident = json.loads(line)
                found.setdefault(incident["tenant_id"], []).append(incident["id"])
        return {tenant: sorted(ids) for tenant, ids in found.items()}

    def truth(self) -> dict[str, list[str]]:
        return {
            tenant: sorted(incident["id"] for incident in self.cloud.admin("GET", f"/security/{tenant}/incidents")["incidents"])
            for tenant in TENANTS
        }

    def left(self) -> list[str]:
        """Return what is in the directory beside the files under their final names."""
        return sorted(path.name for path in self.dest.parent.iterdir() if path.suffix != ".ndjson" or path.name.startswith("."))

    def interrupted(self, after: int, **options: Any) -> str:
        """Run, press Ctrl-C as soon as some tenants are done, and return what was printed."""
        path = self.ansible.directory / "playbook.yml"
        path.write_text(self.playbook(**options), encoding="utf-8")
        journal = Path(f"{str(self.dest).replace('{tenant_id}', 'all-tenants')}.journal")
        process = subprocess.Popen(
            [str(ANSIBLE / "ansible-playbook"), "-i", str(self.ansible.directory / "inventory.yml"), str(path)],
            env=self.ansible.environment_of(self.ansible.directory / "log", self.ansible.directory / "record", {}),
            cwd=self.ansible.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # Who starts the tests in the background of a script has them ignore what Ctrl-C sends, which is inherited.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        end = time.monotonic() + RUN_SECONDS
        while time.monotonic() < end and process.poll() is None:
            if journal.exists() and journal.read_bytes().count(b'\n{"tenant_id": ') >= after:
                # A terminal sends it to every process of the command.
                os.killpg(process.pid, signal.SIGINT)
                break
            time.sleep(0.02)
        output, _nothing = process.communicate(timeout=30)
        # What was asked last is answered, and logged, after the end of who asked.
        time.sleep(2 * DELAY)
        assert process.returncode != 0, output
        return output


@pytest.fixture(params=["incidents.ndjson", "{tenant_id}.ndjson"], ids=["one file", "a file for each"])
def fleet(request: pytest.FixtureRequest, quiet_ansible: Ansible, cloud: Emulator, tmp_path: Path) -> Fleet:
    """A fleet for each way to write."""
    (tmp_path / "out").mkdir()
    return Fleet(quiet_ansible, cloud, tmp_path / "out" / request.param)


def test_ctrl_c_leaves_whole_files_and_the_next_run_goes_on(fleet: Fleet, path: str) -> None:
    fleet.ansible.environment["M365D_IN_PROCESS"] = "1" if path == "in_process" else "0"
    fleet.cloud.admin("POST", "/faults", {"family": "graph", "path": "/security/incidents", "delay": DELAY})
    fleet.interrupted(4, cursor={})
    fleet.cloud.admin("DELETE", "/faults")
    truth = fleet.truth()
    kept = fleet.content()
    assert all(truth[tenant] == ids for tenant, ids in kept.items())
    assert (len(kept) >= 4) is ("{tenant_id}" in str(fleet.dest))
    assert len(kept) < len(TENANTS)
    refused = fleet.run(cursor={})
    assert "resume" in refused["msg"]
    assert fleet.cloud.requests() == []
    result = fleet.run(cursor={}, resume=True)
    assert result["failed"] is False
    resumed = {entry["tenant_id"] for entry in result["tenants"] if entry.get("resumed")}
    assert len(resumed) >= 4
    assert not resumed & set(fleet.read_tenants())
    assert fleet.content() == truth
    assert fleet.left() == []
    assert (result["count"], set(result["cursor"])) == (INCIDENTS * len(TENANTS), set(TENANTS))
    # The cursors of both runs are good: nothing is delivered twice.
    again = fleet.run(cursor=result["cursor"], force=True)
    assert (again["count"], again["summary"]["ok"]) == (0, len(TENANTS))


@pytest.mark.parametrize("blocked", ["there", "no directory", "a directory"])
def test_a_destination_that_cannot_be_is_refused_before_the_first_request(fleet: Fleet, blocked: str) -> None:
    target = Path(str(fleet.dest).replace("{tenant_id}", TENANTS[9]))
    if blocked == "there":
        target.write_text("precious", encoding="utf-8")
    elif blocked == "a directory":
        target.mkdir()
    else:
        fleet.dest.parent.rmdir()
    result = fleet.run()
    assert result["failed"] is True
    assert "dest" in result["msg"]
    assert "Next step: " in result["msg"]
    assert fleet.cloud.requests() == []
    if blocked == "there":
        assert target.read_text(encoding="utf-8") == "precious"
        fleet.run(force=True)
        assert fleet.content() == fleet.truth()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for some tenants only."""
    place = tmp_path / "disk"
    place.mkdir()
    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", str(place)], capture_output=True, check=False)
    except OSError as exc:
        pytest.skip(f"no small file system can be made here: {exc}")
    if done.returncode:
        pytest.skip(f"no small file system can be made here: {done.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("name", ["incidents.ndjson", "incidents.csv", "{tenant_id}.ndjson"])
def test_a_full_disk_is_said_and_when_there_is_room_the_next_run_goes_on(
    quiet_ansible: Ansible, cloud: Emulator, small_disk: Path, name: str
) -> None:
    fleet = Fleet(quiet_ansible, cloud, small_disk / name)
    result = fleet.run()
    assert result["failed"] is True
    assert "No space left on device" in result["msg"]
    assert "resume" in result["msg"]
    truth = fleet.truth()
    assert all(truth[tenant] == ids for tenant, ids in fleet.content().items())
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    result = fleet.run(resume=True)
    assert result["summary"]["ok"] == len(TENANTS)
    assert 0 < len(set(fleet.read_tenants())) < len(TENANTS)
    assert result["count"] == INCIDENTS * len(TENANTS)
    if name.endswith(".ndjson"):
        assert fleet.content() == truth
    assert fleet.left() == ([] if name.endswith(".ndjson") else [name])


def test_doubles_are_read_once_and_said_and_no_tenants_are_no_fault(quiet_ansible: Ansible, cloud: Emulator, tmp_path: Path) -> None:
    fleet = Fleet(quiet_ansible, cloud, tmp_path / "doubles.ndjson")
    result = fleet.run(tenants=[TENANTS[0], TENANTS[0].upper(), "customer-0.example", TENANTS[1]])
    assert [entry["tenant_id"] for entry in result["tenants"]] == [TENANTS[0], TENANTS[1]]
    assert any("read once" in warning for warning in result["warnings"])
    assert sorted(fleet.read_tenants()) == [TENANTS[0], TENANTS[1]]
    fleet.dest = tmp_path / "nobody.ndjson"
    result = fleet.run(tenants=[])
    assert (result["summary"]["total"], result["complete"], result["failed"]) == (0, True, False)
    assert "no tenants" in result["msg"]
    assert cloud.requests() == []


def test_a_result_may_list_those_alone_that_somebody_should_look_at(quiet_ansible: Ansible, cloud: Emulator, tmp_path: Path) -> None:
    fleet = Fleet(quiet_ansible, cloud, tmp_path / "lacking.ndjson")
    nobody = "99999999-9999-4999-8999-000000000009"
    result = fleet.run(tenants=[TENANTS[0], nobody, TENANTS[1]], return_tenants="lacking", max_age="7d", max_failed="1")
    assert [(entry["tenant_id"], entry["outcome"]) for entry in result["tenants"]] == [(nobody, "failed")]
    assert {**result["summary"], "seconds": 0} == {"total": 3, "ok": 2, "failed": 1, "unknown": 0, "seconds": 0, "listed": 1}
    assert sorted(result["cursor"]) == sorted(TENANTS[:2]) == sorted(fleet.read_tenants())
    assert result["count"] == len(fleet.dest.read_text(encoding="utf-8").splitlines()) > 0


def test_tenants_of_several_clouds_and_services_are_read_in_one_task(quiet_ansible: Ansible, cloud: Emulator, tmp_path: Path) -> None:
    fleet = Fleet(quiet_ansible, cloud, tmp_path / "mixed.ndjson")
    tenants = [TENANTS[0], {"tenant_id": TENANTS[1], "api": "defender"}, {"tenant_id": TENANTS[2], "cloud": "gcc"}, TENANTS[3]]
    result = fleet.run(tenants=tenants)
    assert [(entry["outcome"], entry["api"]) for entry in result["tenants"]] == [
        ("ok", "graph"),
        ("ok", "defender"),
        ("ok", "graph"),
        ("ok", "graph"),
    ]
    truth = fleet.truth()
    assert fleet.content() == {tenant: truth[tenant] for tenant in TENANTS[:4]}


def test_a_budget_holds_a_tenant_back_and_the_service_never_has_to(quiet_ansible: Ansible, cloud: Emulator, tmp_path: Path) -> None:
    fleet = Fleet(quiet_ansible, cloud, tmp_path / "budget.ndjson")
    cloud.admin("PATCH", f"/security/{TENANTS[0]}/settings", {"quota": {"enabled": True, "list_per_minute": 2}})
    options = {"tenants": [TENANTS[0], TENANTS[1]], "api": "defender", "deadline": 5, "max_failed": "1"}
    assert [entry["outcome"] for entry in fleet.run(**options)["tenants"]] == ["ok", "ok"]
    budgets = {"defender": ["1/m"], "app": ["1000/s"]}
    cloud.admin("POST", f"/security/{TENANTS[1]}/incidents", {"count": 100})
    result = fleet.run(**options, force=True, budgets=budgets)
    assert [entry["outcome"] for entry in result["tenants"]] == ["ok", "unknown"]
    assert "budget of requests is used up" in result["tenants"][1]["msg"]
    assert cloud.requests(status="429") == []
    refused = fleet.run(**options, force=True, budgets={"defender": ["fifty"]})
    assert "budgets.defender" in refused["msg"]
    assert cloud.requests() == []
