# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.m365d.partner.plugins.module_utils._argspec import shared_options

ROOT = Path(__file__).resolve().parents[3]
# Documentation of an action plugin that runs other modules: it has no operation of its own and no module to run elsewhere.
CONTROLLER_ONLY = {"m365d_fleet"}
ALL_MODULES = sorted(path.stem for path in (ROOT / "plugins" / "modules").glob("*.py") if path.stem != "__init__")
MODULES = [module for module in ALL_MODULES if module not in CONTROLLER_ONLY]


def from_yaml(name: str) -> Any:
    """The content of a YAML file of the repository."""
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def documentation(module: str, block: str) -> str:
    """A block of a module's documentation as text."""
    tree = ast.parse((ROOT / "plugins" / "modules" / f"{module}.py").read_text(encoding="utf-8"))
    assignments = [node for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)]
    return next(str(ast.literal_eval(node.value)) for node in assignments if ast.unparse(node.targets[0]) == block)


def tasks_in(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The tasks of examples, those of blocks too."""
    return [task for entry in entries for task in (tasks_in(entry["block"]) if "block" in entry else [entry])]


def test_every_module_is_in_the_action_group_and_nothing_else_is() -> None:
    assert from_yaml("meta/runtime.yml")["action_groups"]["m365d"] == MODULES


@pytest.mark.parametrize("module", MODULES)
def test_every_module_takes_what_the_defaults_of_the_action_group_may_hold(module: str) -> None:
    operation = import_module(f"ansible_collections.m365d.partner.plugins.module_utils._ops.{module.removeprefix('m365d_')}").OPERATION
    assert shared_options().keys() <= operation.argument_spec.keys()
    fragments = yaml.safe_load(documentation(module, "DOCUMENTATION"))["extends_documentation_fragment"]
    assert {f"m365d.partner.{group}" for group in ("connection", "tenant", "auth", "api")} <= set(fragments)


def test_every_module_runs_in_process_too() -> None:
    assert sorted(path.stem for path in (ROOT / "plugins" / "action").glob("m365d_*.py")) == ALL_MODULES


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_documentation_and_one_call(module: str) -> None:
    code = (ROOT / "plugins" / "modules" / f"{module}.py").read_text(encoding="utf-8").rpartition('"""')[2]
    assert len([line for line in code.splitlines() if line.strip()]) < 20


def test_the_changelog_of_this_version_names_every_module_and_role() -> None:
    releases = from_yaml("changelogs/changelog.yaml")["releases"]
    assert str(from_yaml("galaxy.yml")["version"]) in releases
    named = {entry["name"] for release in releases.values() for entry in release.get("modules", [])}
    roles = {entry["name"] for release in releases.values() for entry in release.get("objects", {}).get("role", [])}
    assert named == set(ALL_MODULES), "run: make changelog"
    assert roles == {path.name for path in (ROOT / "roles").iterdir() if path.is_dir()}, "run: make changelog"


def test_an_execution_environment_gets_what_a_user_is_told_to_install() -> None:
    files = ("requirements.txt", "meta/ee-requirements.txt")
    told, built = ({line for line in (ROOT / name).read_text(encoding="utf-8").splitlines() if line and line[0] != "#"} for name in files)
    assert told == built
    assert not {line for line in told if "<" in line or "==" in line}, "runtime requirements have no upper bounds"


@pytest.mark.parametrize("module", MODULES)
def test_examples_write_on_the_controller_a_file_for_each_host(module: str) -> None:
    for task in tasks_in(yaml.safe_load(documentation(module, "EXAMPLES"))):
        if "ansible.builtin.copy" in task:
            assert task.get("delegate_to") == "localhost", task["name"]
            dest = task["ansible.builtin.copy"]["dest"]
            assert "group_vars" not in dest or dest.endswith(".yml"), "Ansible loads no other name as variables"
        own = task.get(f"m365d.partner.{module}", {})
        if "dest" in own and not task.get("run_once"):
            assert "inventory_hostname" in own["dest"] or "m365d_tenant_id" in own["dest"] or "{tenant_id}" in own["dest"], task["name"]


@pytest.mark.parametrize("module", MODULES)
def test_conditions_of_examples_are_booleans(module: str) -> None:
    """Since ansible-core 2.19 a list is no condition; an `or` of two lists is one of them."""
    for task in tasks_in(yaml.safe_load(documentation(module, "EXAMPLES"))):
        for condition in (str(task.get(keyword, "")) for keyword in ("when", "failed_when", "changed_when", "until")):
            assert not re.search(r"\.(missing|undeclared|missing_roles|incidents|alerts|rows)( or | and |$)", condition), task["name"]


def test_examples_that_name_a_certificate_say_the_method() -> None:
    """Where the inventory has a client secret too, the choice would be ambiguous."""
    for module in MODULES:
        for task in tasks_in(yaml.safe_load(documentation(module, "EXAMPLES"))):
            own = task.get(f"m365d.partner.{module}", {})
            assert "client_certificate_path" not in own or own.get("auth_method") == "certificate", task["name"]


def test_the_tarball_leaves_out_what_only_a_checkout_needs() -> None:
    ignored = set(from_yaml("galaxy.yml")["build_ignore"])
    assert {".ci", "Makefile", "noxfile.py", "antsibull-nox.toml", "tests/bench", "tests/tools"} <= ignored
