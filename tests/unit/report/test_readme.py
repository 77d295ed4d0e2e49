# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the README promises exists, and what a newcomer needs is in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TASKS = "\n".join(path.read_text(encoding="utf-8") for folder in ("roles", "playbooks") for path in (ROOT / folder).rglob("*.yml"))
STEPS = README.partition("## Microsoft's page, step by step")[2].partition("\n## ")[0]

# What the source page asks for, in the words of its steps.
PAGE = (
    "Sign in",
    "New registration",
    "Choose a name",
    "Supported account types",
    "Redirect URI",
    "Microsoft Threat Protection",
    "Application permissions",
    "Grant admin consent",
    "Certificates & secrets",
    "Record application ID and tenant ID",
    "Consent link",
    "opens the link and consents",
    "Ask the customer for the tenant ID",
    "Get an access token",
    "Never hardcode secrets",
    "Validate the token",
    "choose the API",
    "Authorization: Bearer",
    "expires within one hour",
)


@pytest.mark.parametrize("step", PAGE)
def test_each_step_of_the_source_page_is_named_with_what_does_it(step: str) -> None:
    row = next((line for line in STEPS.splitlines() if step in line), "")
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert len(cells) == 3
    assert all(cells)


@pytest.mark.parametrize("task", sorted(set(re.findall(r"\*([A-Z][^*]+)\*", STEPS))))
def test_each_task_that_the_step_table_names_exists(task: str) -> None:
    assert f"- name: {task}\n" in TASKS


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(m365d_[a-z_]+)`", README.partition("## What is there")[2]))))
def test_each_plugin_that_the_readme_names_exists(name: str) -> None:
    assert list((ROOT / "plugins").glob(f"[!m]*/{name}.py")) or (ROOT / "plugins" / "modules" / f"{name}.py").exists()


@pytest.mark.parametrize("kind", ["modules", "lookup", "filter", "test", "roles", "playbooks"])
def test_the_readme_names_everything_that_is_there(kind: str) -> None:
    table = README.partition("## What is there")[2]
    folder = ROOT / kind if kind in ("roles", "playbooks") else ROOT / "plugins" / kind
    there = {path.stem for path in folder.iterdir() if kind == "roles" or path.suffix in (".py", ".yml")} - {"__init__"}
    assert there
    assert there - set(re.findall(r"`(\w+)`", table)) == set()


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([^)#:]+)\)|`((?:playbooks|docs)/[\w./]+)`", README))))
def test_each_file_that_the_readme_points_to_exists(path: tuple[str, str]) -> None:
    assert (ROOT / (path[0] or path[1])).exists()


@pytest.mark.parametrize("playbook", sorted(set(re.findall(r"ansible-playbook [^\n`]*m365d\.partner\.(\w+)", README))))
def test_each_playbook_that_the_readme_runs_exists(playbook: str) -> None:
    assert (ROOT / "playbooks" / f"{playbook}.yml").is_file()


def test_the_readme_names_every_consent_state() -> None:
    states = re.findall(r"^\| `([a-z_]+)` \|", README.partition("## What a consent state means")[2], re.MULTILINE)
    assert set(states) >= {
        "blocked",
        "consented_without_roles",
        "credential_error",
        "disabled",
        "missing_roles",
        "not_consented",
        "not_licensed",
        "ready",
        "unknown_tenant",
        "unreachable",
    }
