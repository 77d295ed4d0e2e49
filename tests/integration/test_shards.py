# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documented example of several machines: ansible-runner's transmit, worker and process, and the merging of what comes back."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from integration.harness import ANSIBLE, FABRIKAM, HERE, NORTHWIND, TAILSPIN, WINGTIP, Ansible, Emulator

EXAMPLE = HERE.parents[1] / "docs" / "examples" / "runner"
PROSEWARE = "11111111-1111-4111-8111-000000000021"
RUNNER = ANSIBLE / "ansible-runner"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulated cloud with the scenario of fleets."""
    emulator = Emulator.start(tmp_path_factory.mktemp("emulator") / "state", scenario=HERE / "fleet.yml")
    yield emulator
    emulator.stop()


@pytest.fixture
def example(tmp_path: Path, cloud: Emulator) -> Path:
    """A copy of the example with the tenants of the emulated cloud."""
    directory = tmp_path / "runner"
    shutil.copytree(EXAMPLE, directory)
    inventory = yaml.safe_load((directory / "inventory" / "hosts.yml").read_text(encoding="utf-8"))
    tenants = {"fabrikam": FABRIKAM, "northwind": "northwind.example", "tailspin": TAILSPIN, "wingtip": WINGTIP, "proseware": PROSEWARE}
    inventory["customers"]["hosts"] = {name: {"m365d_tenant_id": tenant} for name, tenant in tenants.items()}
    own = {name: value for name, value in cloud.reader.items() if name != "m365d_client_secret"}
    inventory["ungrouped"]["hosts"]["localhost"].update(own)
    (directory / "inventory" / "hosts.yml").write_text(yaml.safe_dump(inventory, sort_keys=False), encoding="utf-8")
    return directory


@pytest.mark.skipif(not RUNNER.exists(), reason="this Ansible has no ansible-runner beside it")
def test_the_parts_of_two_workers_are_merged_without_loss_and_one_that_is_missing_is_found(
    quiet_ansible: Ansible, example: Path, cloud: Emulator
) -> None:
    directory = quiet_ansible.directory
    environment = quiet_ansible.environment_of(directory / "log", directory / "record", {})
    (quiet_ansible.home / ".m365d-client-secret").write_text(cloud.client_secret, encoding="utf-8")
    for name in ("ANSIBLE_CALLBACKS_ENABLED", "ANSIBLE_LOG_PATH", "PROBE_RECORD"):
        del environment[name]
    environment["TMPDIR"] = str(directory)
    run = subprocess.run(
        [str(example / "run.sh"), "2"], env=environment, cwd=directory, capture_output=True, text=True, timeout=500, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "16 incidents in 4 of 5 tenants" in run.stdout
    artifacts = example / "artifacts"
    whole = json.loads((artifacts / "whole.json").read_text(encoding="utf-8"))
    assert [entry["tenant_id"] for entry in whole["tenants"]] == [FABRIKAM, NORTHWIND, TAILSPIN, WINGTIP, PROSEWARE]
    assert [entry["outcome"] for entry in whole["tenants"]] == ["ok", "ok", "failed", "ok", "ok"]
    parts = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(artifacts.glob("*/part.json"))]
    assert sum(part["summary"]["total"] for part in parts) == 5
    assert all(part["summary"]["total"] for part in parts), "with these tenants, both parts have some"
    rows = [json.loads(line) for line in (artifacts / "incidents.ndjson").read_text(encoding="utf-8").splitlines()]
    assert len({(row["tenant_id"], row["id"]) for row in rows}) == 16
    for path in [path for path in example.rglob("*") if path.is_file()]:
        assert cloud.client_secret.encode() not in path.read_bytes(), path
    shutil.rmtree(artifacts / "part-2")
    again = subprocess.run(
        [str(ANSIBLE / "ansible-playbook"), str(example / "project" / "merge_parts.yml"), "-e", f"artifacts={artifacts}"],
        env=environment, cwd=directory, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert again.returncode != 0
    assert "Parts are missing: 2/2" in again.stdout + again.stderr


def test_parts_are_transmitted_one_after_the_other_since_they_share_a_file_of_options(tmp_path: Path) -> None:
    directory, commands = tmp_path / "runner", tmp_path / "commands"
    shutil.copytree(EXAMPLE, directory)
    commands.mkdir()
    # Two transmissions at the same time find the directory of the other one.
    runner = 'if [ "$1" = transmit ]; then mkdir "$TMPDIR/busy" || echo "at once" >> "$TMPDIR/clashes"; sleep 0.2; rmdir "$TMPDIR/busy"; fi'
    for name, text in {"ansible-runner": runner, "ansible-playbook": "exit 0"}.items():
        (commands / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        (commands / name).chmod(0o755)
    environment = {"PATH": f"{commands}:/usr/bin:/bin", "TMPDIR": str(tmp_path)}
    subprocess.run([str(directory / "run.sh"), "3"], env=environment, capture_output=True, timeout=60, check=True)
    assert not (tmp_path / "clashes").exists()
    assert not list(tmp_path.glob("tmp.*"))
