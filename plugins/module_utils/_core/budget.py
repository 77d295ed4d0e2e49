# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Budgets of requests: how many a tenant's service takes from an app in a span of time, counted before it has to refuse.

The windows move, as those of the services do, and are counted by pyrate-limiter's bucket in memory. Only its bucket is
used: it neither waits nor starts a thread, since a tenant that has to wait gives its place to another one meanwhile.
A count is of this process alone. What another process spends is learned from the service, whose 429 is obeyed.
"""

from __future__ import annotations

import importlib.util
import itertools
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ._libraries import optional_library
from .errors import OptionError

K = TypeVar("K")

# Per tenant and app: Microsoft's pages on listing incidents and on advanced hunting, and Graph's throttling limits for
# security resources. There is no default for an app over all its tenants: one process does not reach what is published.
DEFAULT_BUDGETS: Mapping[str, tuple[str, ...]] = {
    "defender": ("50/m", "1500/h"),
    "graph": ("150/m",),
    "hunting": ("45/m",),
    "app": (),
}
_APP = "app"
_LIBRARY = "pyrate_limiter"
_RATE = re.compile(r"(\d{1,9})\s*/\s*(\d{0,6})\s*(s|m|h|d)")
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}

# Returns 0 when the next request may be made, which is counted then; else the seconds after which to ask again.
Pace = Callable[[], float]


def limits_of(name: str, texts: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Return requests and seconds of each limit, the shortest span first.

    :param texts: limits such as `50/m`, `1500/h`, `1000/10s`.
    :raises OptionError: for any other text, and for limits of which one can never be met.
    """
    limits: list[tuple[int, int]] = []
    for text in texts:
        match = _RATE.fullmatch(str(text).strip().lower())
        count, seconds = (int(match[1]), int(match[2] or 1) * _UNIT_SECONDS[match[3]]) if match else (0, 0)
        if not count or not seconds:
            raise OptionError(f"budgets.{name} must hold limits such as 50/m or 1500/h; got '{text}'.", next_step="Correct budgets.")
        limits.append((count, seconds))
    # A longer span that allows no more, or more per second, than a shorter one leaves one of them without any effect.
    ordered = sorted(limits, key=lambda limit: limit[1])
    for (count, seconds), (more, longer) in itertools.pairwise(ordered):
        if longer <= seconds or more <= count or more * seconds > count * longer:
            raise OptionError(
                f"budgets.{name} holds limits of which one has no effect: {', '.join(str(text) for text in texts)}.",
                next_step="A longer span must allow more requests, and fewer of them per second.",
            )
    return tuple(ordered)


class Budgets:
    """The budgets of a fleet.

    :param given: limits by name out of `DEFAULT_BUDGETS`; an empty list is no limit, None the default.
    :raises OptionError: for limits that are none.
    :raises LibraryMissing: where there is something to count, and nothing to count it with.
    """

    def __init__(self, given: Mapping[str, Sequence[str] | None], *, clock: Callable[[], float] = time.monotonic) -> None:
        chosen = {name: default if given.get(name) is None else given[name] for name, default in DEFAULT_BUDGETS.items()}
        self._limits = {name: limits_of(name, texts or ()) for name, texts in chosen.items()}
        self._clock = clock
        self._lock = threading.Lock()
        self._apps: dict[str, _Bucket] = {}
        self._tenants: dict[str, dict[tuple[str, str], _Bucket]] = {}
        if any(self._limits.values()) and importlib.util.find_spec(_LIBRARY) is None:
            _library()

    def pace(self, kind: str, *, tenant_id: str, app: str) -> Pace | None:
        """Return the pace of one tenant's requests of a kind, for one thread; None where nothing limits it.

        :param kind: a name out of `DEFAULT_BUDGETS`; any other is counted for the app alone.
        :param app: the client id, whose requests to all tenants share a budget.
        """
        limits = self._limits.get(kind, ()) if kind != _APP else ()
        buckets = []
        with self._lock:
            if limits:
                buckets.append(self._bucket(self._tenants.setdefault(tenant_id, {}), (app, kind), limits))
            if self._limits[_APP]:
                buckets.append(self._bucket(self._apps, app, self._limits[_APP]))
        return _Pace(buckets, self._clock) if buckets else None

    def forget(self, tenant_id: str) -> None:
        """Forget what a tenant has spent that will not be asked any more."""
        self._tenants.pop(tenant_id, None)

    def _bucket(self, buckets: dict[K, _Bucket], key: K, limits: Sequence[tuple[int, int]]) -> _Bucket:
        found = buckets.get(key)
        if found is None:
            found = buckets[key] = _Bucket(limits)
        return found


def _library() -> Any:
    return optional_library(_LIBRARY, purpose="counting requests against the option budgets")


class _Bucket:
    """Requests in moving windows.

    :param limits: as `limits_of()` returns them: the first one allows the fewest requests.
    """

    def __init__(self, limits: Sequence[tuple[int, int]]) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        # Most tenants need fewer requests than any limit allows. For them nothing has to be counted, and no library loaded.
        self._first: list[int] = []
        self._bucket: Any = None

    def take(self, now: float) -> float:
        """Count one request and return 0, or return the seconds until there is room for it."""
        instant = int(now * 1000)
        with self._lock:
            if self._bucket is None:
                if len(self._first) < self._limits[0][0]:
                    self._first.append(instant)
                    return 0.0
                self._begin_to_count()
            if self._bucket.count() > 2 * self._limits[-1][0]:
                self._bucket.leak(instant)
            item = self._item("", instant)
            return 0.0 if self._bucket.put(item) else max(1, self._bucket.waiting(item)) / 1000

    def _begin_to_count(self) -> None:
        library = _library()
        self._item = library.RateItem
        self._bucket = library.InMemoryBucket([library.Rate(count, seconds * 1000) for count, seconds in self._limits])
        for instant in self._first:
            self._bucket.put(self._item("", instant))
        self._first.clear()


class _Pace:
    """Takes a request out of each of several budgets, one after the other, so that none is charged twice for it."""

    def __init__(self, buckets: Sequence[_Bucket], clock: Callable[[], float]) -> None:
        self._buckets = buckets
        self._clock = clock
        self._charged = 0

    def __call__(self) -> float:
        while self._charged < len(self._buckets):
            wait = self._buckets[self._charged].take(self._clock())
            if wait:
                return wait
            self._charged += 1
        self._charged = 0
        return 0.0
