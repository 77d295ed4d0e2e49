# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A few seeds of the hostile simulator; `make hostile SEEDS=n` runs as many as wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.incidents import cursor, reader, walk
from integration import hostile
from integration.hostile import Verdict, run_seed

SEEDS = range(1, 9)


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_and_nothing_comes_twice_from_a_hostile_service(seed: int) -> None:
    verdict = run_seed(seed)
    assert verdict.good, verdict.line()


def _without_overlap(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(cursor.Cursor, "since", lambda self, _overlap: self.watermark or self.seen_from)


def _forgetful(patch: pytest.MonkeyPatch) -> None:
    moved = cursor.Cursor.moved
    patch.setattr(cursor.Cursor, "moved", lambda self, *args, **options: replace(moved(self, *args, **options), seen=frozenset()))


def _blind_to_equal_instants(patch: pytest.MonkeyPatch) -> None:
    divided = walk._divided

    def _divided(bounds: Any, instants: list[str], *, sorted_page: bool) -> list[Any]:
        rest = walk._Range(walk.next_tick(max(instants)), bounds.end)
        return [rest] if sorted_page else divided(bounds, instants, sorted_page=False)

    patch.setattr(walk, "_divided", _divided)


def _by_offset(patch: pytest.MonkeyPatch) -> None:
    def _pages(self: reader.IncidentReader, _reading: Any) -> Any:
        yield from self.source.pages(self._server_query(), top=self._page_size())

    patch.setattr(reader.IncidentReader, "_pages", _pages)
    patch.setattr(reader._Pass, "consistent", True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("defect", "seeds", "fault"),
    [
        (_without_overlap, (3, 11), "lost"),
        (_forgetful, (2, 6), "duplicated"),
        (_blind_to_equal_instants, (2, 8), "lost"),
        (_by_offset, (4, 8, 12, 16), "passed_over"),
    ],
)
def test_a_reader_with_a_defect_is_found_out(
    monkeypatch: pytest.MonkeyPatch, defect: Callable[[pytest.MonkeyPatch], None], seeds: tuple[int, ...], fault: str
) -> None:
    defect(monkeypatch)
    assert any(getattr(run_seed(seed), fault) for seed in seeds)


def test_a_failing_seed_says_how_to_replay_it() -> None:
    verdict = Verdict(17, lost={("7", "2026-01-01T00:00:00.0000000Z")})
    assert "1 lost: [('7', '2026-01-01T00:00:00.0000000Z')]" in verdict.line()
    assert verdict.line().endswith("replay it with: make hostile SEEDS=1 FIRST=17")


def test_the_runs_close_with_their_sums(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    version = ("7", "2026-01-01T00:00:00.0000000Z")
    verdicts = {
        1: Verdict(1),
        2: Verdict(2, lost={version}, passed_over={"8"}),
        3: Verdict(3, duplicated={version}, invented={version}),
    }
    monkeypatch.setattr(hostile, "run_seed", lambda seed: verdicts[seed])
    assert hostile.main(["--seeds", "3"]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "3 seeds, 2 lost, 2 duplicated"
    assert hostile.main(["--seed", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 seeds, 0 lost, 0 duplicated"
