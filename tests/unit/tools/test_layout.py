# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py") if path.stem != "__init__")


def from_yaml(name: str) -> Any:
    """The content of a YAML file of the repository."""
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_every_module_is_in_the_action_group_and_nothing_else_is() -> None:
    assert from_yaml("meta/runtime.yml")["action_groups"]["m365d"] == MODULES


def test_every_module_runs_in_process_too() -> None:
    assert sorted(path.stem for path in (ROOT / "plugins" / "action").glob("m365d_*.py")) == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_documentation_and_one_call(module: str) -> None:
    code = (ROOT / "plugins" / "modules" / f"{module}.py").read_text(encoding="utf-8").rpartition('"""')[2]
    assert len([line for line in code.splitlines() if line.strip()]) < 20


def test_the_changelog_of_this_version_names_every_module_and_role() -> None:
    releases = from_yaml("changelogs/changelog.yaml")["releases"]
    assert str(from_yaml("galaxy.yml")["version"]) in releases
    named = {entry["name"] for release in releases.values() for entry in release.get("modules", [])}
    roles = {entry["name"] for release in releases.values() for entry in release.get("objects", {}).get("role", [])}
    assert named == set(MODULES), "run: make changelog"
    assert roles == {path.name for path in (ROOT / "roles").iterdir() if path.is_dir()}, "run: make changelog"


def test_an_execution_environment_gets_what_a_user_is_told_to_install() -> None:
    files = ("requirements.txt", "meta/ee-requirements.txt")
    told, built = ({line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if line and line[0] != "#"} for name in files)
    assert told == built
    assert not {line for line in told if "<" in line or "==" in line}, "runtime requirements have no upper bounds"
