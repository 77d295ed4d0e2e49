# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A few seeds of the hostile simulator; `make hostile SEEDS=n` runs as many as wanted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.harness import Emulator
from integration.hostile import run_seed

SEEDS = range(1, 9)


@pytest.fixture(scope="module")
def hostile_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator of its own: its clock is stepped and its data move."""
    state: Path = tmp_path_factory.mktemp("hostile") / "state"
    emulator = Emulator.start(state)
    yield emulator
    emulator.stop()


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_and_nothing_comes_twice_from_a_hostile_service(hostile_cloud: Emulator, seed: int) -> None:
    verdict = run_seed(hostile_cloud, seed)
    assert verdict.good, verdict.line()
