# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a fleet says of itself while it runs."""

from __future__ import annotations

import threading

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._ops._progress import Progress


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("total", "ok", "lacking", "items", "seconds", "line"),
    [
        (10, 0, 0, None, 6, "Tenants: 0 of 10 done, 0 of them failed or unknown, 10 remaining; 0.0/s"),
        (10, 3, 1, 5, 8, "Tenants: 4 of 10 done, 1 of them failed or unknown, 6 remaining; 15 read; 0.5/s; about 12 s left"),
        (1000, 100, 0, None, 60, "Tenants: 100 of 1000 done, 0 of them failed or unknown, 900 remaining; 1.7/s; about 9 min left"),
        (5000, 1, 0, None, 10, "Tenants: 1 of 5000 done, 0 of them failed or unknown, 4999 remaining; 0.1/s; about 13.9 h left"),
        (2, 1, 1, 0, 4, "Tenants: 2 of 2 done, 1 of them failed or unknown, 0 remaining; 0 read; 0.5/s; 4 s in all"),
    ],
)
def test_a_line_says_how_far_it_is_and_how_long_it_may_take(
    total: int, ok: int, lacking: int, items: int | None, seconds: float, line: str
) -> None:
    clock = _Clock()
    progress = Progress(total, None, clock=clock)
    for _tenant in range(ok):
        progress.add(is_ok=True, items=items)
    for _tenant in range(lacking):
        progress.add(is_ok=False, items=None)
    clock.now += seconds
    assert progress.line() == line


def test_work_that_is_soon_done_says_nothing() -> None:
    lines: list[str] = []
    with Progress(2, lines.append) as progress:
        progress.add(is_ok=True, items=None)
        progress.add(is_ok=True, items=None)
    assert lines == []


def test_longer_work_says_something_now_and_then_and_at_its_end() -> None:
    lines: list[str] = []
    twice = threading.Event()

    def _notify(line: str) -> None:
        lines.append(line)
        if len(lines) == 2:
            twice.set()

    with Progress(2, _notify, seconds=0.01) as progress:
        assert twice.wait(10)
        progress.add(is_ok=True, items=3)
        progress.add(is_ok=True, items=4)
    assert "0 of 2 done" in lines[0]
    assert "2 of 2 done" in lines[-1]
    assert "7 read" in lines[-1]


def test_where_nobody_watches_no_thread_is_started() -> None:
    before = threading.active_count()
    with Progress(1000, None, seconds=0.001):
        assert threading.active_count() == before
