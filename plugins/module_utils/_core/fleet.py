# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Many tenants in one task: bounded concurrency, an outcome for each, nothing that stays silent.

A tenant that has to wait (throttling, back-off) gives its place to another one meanwhile. A fault of the credential
stops the tenants that use the same credential and have not begun; a fault of one tenant stops nobody else. A tenant
whose service failed for a passing reason is put back, and tried once more when it had time to recover (`breaker`). What
was not read is `unknown`; there is no zero for it.
"""

from __future__ import annotations

import math
import os
import threading
import time
import traceback
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from .breaker import RECOVERY_SECONDS
from .errors import FleetStopped, PartnerError, Throttled

T = TypeVar("T")
R = TypeVar("R")

State = Literal["ok", "failed", "unknown"]
# A tenant's turn: not before which instant, its position in the input, itself.
_Turn = tuple[float, int, T]

# Waits shorter than this (seconds) keep their place: changing hands costs more than it gains.
_SHORT_WAIT = 0.2
# Threads that may sleep beside the ones that work; beyond that a waiting tenant keeps its place.
_SLEEPERS = 512


@dataclass(frozen=True)
class Finding(Generic[T, R]):
    """What became of one tenant.

    :param index: its position in the input.
    :param outcome: `ok`; `failed` when the service gave a definite answer that is a fault; `unknown` when nothing definite
        is known: no answer, no time left, or not tried.
    :param value: what the work returned, None unless `ok`.
    :param error: the diagnosis, None when `ok`.
    :param seconds: how long it took, waits included.
    :param attempts: how often it was tried; 0 when it was not.
    """

    index: int
    tenant: T
    outcome: State
    value: R | None = field(repr=False)
    error: PartnerError | None
    seconds: float
    attempts: int


class FleetOver(PartnerError):
    """The time for the whole fleet is over, or the fleet was stopped."""


class Places:
    """The places of tenants that work at the same time. `sleep()` gives the sleeper's place away.

    :param count: how many work at the same time.
    :param ends_at: monotonic instant at which the fleet's time is over, or None.
    """

    def __init__(self, count: int, *, ends_at: float | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._free = threading.Semaphore(count)
        self._sleepers = threading.Semaphore(_SLEEPERS)
        self._stopped = threading.Event()
        self._clock = clock
        self.ends_at = ends_at

    @property
    def is_over(self) -> bool:
        """Whether nobody should begin any more."""
        return self._stopped.is_set() or (self.ends_at is not None and self._clock() >= self.ends_at)

    def stop(self) -> None:
        """Wake the sleepers and let nobody begin."""
        self._stopped.set()

    def take(self) -> None:
        """Wait for a free place."""
        self._free.acquire()

    def leave(self) -> None:
        """Give the place back."""
        self._free.release()

    def wait_until(self, due: float) -> None:
        """Wait for an instant without having a place; return at once when the fleet was stopped."""
        left = due - self._clock()
        if left > 0:
            self._stopped.wait(left)

    def sleep(self, seconds: float) -> None:
        """Wait, and let another tenant work meanwhile.

        :raises FleetOver: when the fleet is over before the wait would be.
        """
        if self.ends_at is not None and self._clock() + seconds >= self.ends_at:
            raise fleet_over()
        if seconds < _SHORT_WAIT or not self._sleepers.acquire(blocking=False):
            self._pause(seconds)
            return
        self.leave()
        try:
            self._pause(seconds)
        finally:
            self._sleepers.release()
            self.take()

    def _pause(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            raise fleet_over()


def fleet_over() -> FleetOver:
    """Return the error of a tenant for which there was no time left."""
    return FleetOver(
        "The time for all tenants was over before this one was done.",
        state="unreachable",
        next_step="Raise fleet_deadline, ask for less, or split the tenants (shard).",
        retryable=False,
    )


def run_fleet(
    tenants: Sequence[T],
    work: Callable[[T], R],
    *,
    places: Places,
    concurrency: int,
    credential_of: Callable[[T], Hashable],
    on_finding: Callable[[Finding[T, R]], None],
    recovery: float = RECOVERY_SECONDS,
    latest_of: Callable[[T], float] = lambda _tenant: math.inf,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Do `work` for each tenant and report each outcome once, in the order in which they end.

    :param work: raises `PartnerError` for a fault; any other `Exception` is a defect, which leaves its tenant unknown.
    :param places: also what `work` sleeps with (`Transport(sleep=places.sleep)`).
    :param concurrency: how many tenants work at the same time.
    :param credential_of: tenants with equal values use the same credential.
    :param on_finding: called by one thread at a time; what it raises ends the fleet too.
    :param recovery: seconds that a tenant whose service failed for a passing reason is left alone, before its second chance.
    :param latest_of: returns the instant after which a tenant gets no second chance any more.
    :raises FleetStopped: for a fault that is no tenant's, such as a full disk.
    """
    fleet = _Fleet(
        work=work,
        places=places,
        credential_of=credential_of,
        on_finding=on_finding,
        recovery=recovery,
        latest_of=latest_of,
        clock=clock,
    )
    executor = ThreadPoolExecutor(max_workers=concurrency + _SLEEPERS, thread_name_prefix="m365d-tenant")
    try:
        second_chance = fleet.round(executor, [(0.0, *entry) for entry in enumerate(tenants)], attempt=1)
        fleet.round(executor, second_chance, attempt=2)
    except BaseException:
        places.stop()
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


@dataclass
class _Fleet(Generic[T, R]):
    work: Callable[[T], R]
    places: Places
    credential_of: Callable[[T], Hashable]
    on_finding: Callable[[Finding[T, R]], None]
    recovery: float
    latest_of: Callable[[T], float]
    clock: Callable[[], float]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _refused: dict[Hashable, PartnerError] = field(default_factory=dict)
    _stopped_by: BaseException | None = None
    _spent: dict[int, float] = field(default_factory=dict)

    def round(self, executor: ThreadPoolExecutor, tenants: Sequence[_Turn[T]], *, attempt: int) -> list[_Turn[T]]:
        """Try each of the tenants when its time has come, and return those that deserve another try, the earliest first."""
        again: list[_Turn[T]] = []
        # Those that are done are let go: ten thousand of them take as much memory as their tenants' results.
        running: set[Future[None]] = set()
        for due, index, tenant in tenants:
            self.places.wait_until(due)
            self.places.take()
            if self._stopped_by is not None:
                self.places.leave()
                break
            future = executor.submit(self._guarded, index, tenant, attempt, again)
            running.add(future)
            future.add_done_callback(running.discard)
        for future in running.copy():
            future.result()
        if self._stopped_by is not None:
            raise self._stopped_by
        return sorted(again, key=lambda turn: turn[:2])

    def _guarded(self, index: int, tenant: T, attempt: int, again: list[_Turn[T]]) -> None:
        """Hand what is no tenant's fault (an interrupt, a full disk) to the thread that runs the fleet, and stop the rest."""
        try:
            self._attempt(index, tenant, attempt, again)
        except BaseException as exc:  # noqa: BLE001 - raised again by round()
            self._stopped_by = self._stopped_by or exc
            self.places.stop()

    def _attempt(self, index: int, tenant: T, attempt: int, again: list[_Turn[T]]) -> None:
        begun = self.clock()
        tried = attempt - 1
        value, error = None, self._obstacle(tenant)
        try:
            if error is None:
                tried = attempt
                value = self.work(tenant)
        except FleetStopped:
            raise
        except PartnerError as exc:
            error = exc
        except Exception as exc:  # noqa: BLE001 - a defect that one tenant's answers bring out must not cost the others their results
            error = _defect(exc)
        finally:
            self.places.leave()
        spent = self._spent.pop(index, 0.0) + self.clock() - begun
        with self._lock:
            if error is not None and error.scope == "credential":
                self._refused.setdefault(self.credential_of(tenant), error)
            due = self._second_chance(tenant, error) if attempt == 1 else None
            if due is not None:
                self._spent[index] = spent
                again.append((due, index, tenant))
                return
            self.on_finding(Finding(index, tenant, _state_of(error, tried), value, error, spent, tried))

    def _second_chance(self, tenant: T, error: PartnerError | None) -> float | None:
        """Return when a tenant may be tried again, or None where that makes no sense or would be too late.

        A definite answer is none that half a minute changes, also where it is one that a fresh consent will change within some minutes.
        A service that limits requests was obeyed until there was no time left; to ask it again would make it worse.
        """
        if error is None or not error.retryable or isinstance(error, Throttled) or self.places.is_over:
            return None
        if _state_of(error, 1) == "failed":
            return None
        due = self.clock() + self.recovery
        return due if due < min(self.latest_of(tenant), math.inf if self.places.ends_at is None else self.places.ends_at) else None

    def _obstacle(self, tenant: T) -> PartnerError | None:
        """Return why this tenant must not be tried any more, or None."""
        if self.places.is_over:
            return fleet_over()
        refused = self._refused.get(self.credential_of(tenant))
        if refused is None:
            return None
        return PartnerError(
            f"Not tried, since the credential was refused for another tenant: {refused.message}",
            state="credential_error",
            code=refused.code,
            next_step=refused.next_step,
            scope="credential",
        )


def _defect(exc: Exception) -> PartnerError:
    """Return what is said of a tenant whose reading met an exception that nobody foresaw."""
    origin = traceback.extract_tb(exc.__traceback__)[-1]
    return PartnerError(
        f"Unexpected {type(exc).__name__} ({os.path.basename(origin.filename)}, line {origin.lineno}): {exc}.",
        state="unreachable",
        next_step="This is a defect of the collection m365d.partner, please report it.",
        scope="request",
    )


def _state_of(error: PartnerError | None, tried: int) -> State:
    if error is None:
        return "ok"
    definite = tried > 0 and error.state not in (None, "unreachable") and not isinstance(error, FleetOver)
    return "failed" if definite else "unknown"
