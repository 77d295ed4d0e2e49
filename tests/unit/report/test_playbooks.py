# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all playbooks for tenants have in common."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

PLAYBOOKS = sorted(path for path in (Path(__file__).resolve().parents[3] / "playbooks").glob("*.yml") if path.stem != "demo")


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.stem)
def test_an_inventory_without_the_hosts_is_a_fault_and_not_a_run_without_tenants(path: Path) -> None:
    first, second, *_others = yaml.safe_load(path.read_text(encoding="utf-8"))
    check = first["tasks"][0]["ansible.builtin.assert"]
    pattern = second["hosts"].strip("{} ")
    assert first["hosts"] == "localhost"
    assert check["that"] == f"query('ansible.builtin.inventory_hostnames', {pattern}) | length > 0"
    assert "Next step:" in check["fail_msg"]
