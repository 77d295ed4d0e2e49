# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Says now and then how far a fleet is, to somebody who waits for it. Numbers only: no tenant, no secret, nothing of a service."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

# Work that ends sooner says nothing; longer work says something as often.
_SECONDS_BETWEEN = 5.0


class Progress:
    """How far a fleet is, shown every few seconds while it runs.

    :param total: how many tenants there are.
    :param notify: shows a line; None where nobody watches, and then nothing happens at all.
    :param what: what is counted.
    :param seconds: between two lines.
    """

    def __init__(
        self,
        total: int,
        notify: Callable[[str], None] | None,
        *,
        what: str = "Tenants",
        seconds: float = _SECONDS_BETWEEN,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total = total
        self._notify = notify
        self._what = what
        self._seconds = seconds
        self._clock = clock
        self._begun = clock()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._done = 0
        self._lacking = 0
        self._items: int | None = None
        self._was_shown = False

    def __enter__(self) -> Progress:
        """Begin to show lines."""
        if self._notify is not None and self._total > 1:
            self._thread = threading.Thread(target=self._show_lines, name="m365d-progress", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        """Show the last line, where there was one before."""
        if self._thread is None:
            return
        self._ended.set()
        self._thread.join()
        if self._was_shown:
            self._show()

    def add(self, *, is_ok: bool, items: int | None) -> None:
        """Count a tenant that is done.

        :param items: how many things (incidents, alerts, rows) were read there, None where such are not counted.
        """
        with self._lock:
            self._done += 1
            self._lacking += not is_ok
            if items is not None:
                self._items = (self._items or 0) + items

    def line(self) -> str:
        """Return how far the fleet is, as one line."""
        with self._lock:
            done, lacking, items = self._done, self._lacking, self._items
        seconds = max(self._clock() - self._begun, 0.001)
        left = self._total - done
        parts = [f"{self._what}: {done} of {self._total} done, {lacking} of them failed or unknown, {left} remaining"]
        if items is not None:
            parts.append(f"{items} read")
        parts.append(f"{done / seconds:.1f}/s")
        if left and done:
            parts.append(f"about {_duration(left * seconds / done)} left")
        elif not left:
            parts.append(f"{_duration(seconds)} in all")
        return "; ".join(parts)

    def _show_lines(self) -> None:
        while not self._ended.wait(self._seconds):
            self._show()

    def _show(self) -> None:
        self._was_shown = True
        if self._notify is not None:
            self._notify(self.line())


def _duration(seconds: float) -> str:
    """Return a time as people say it."""
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    if whole < 7200:
        return f"{round(whole / 60)} min"
    return f"{whole / 3600:.1f} h"
