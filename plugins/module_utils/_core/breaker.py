# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A circuit breaker for one tenant: who does not answer several times in a row is left alone for a while, then asked once more.

The states are the usual ones. Closed: requests are made, and failures in a row are counted. Open: none is made. Half open, once
the time is over: one is made; an answer closes the circuit, another failure opens it again at once.

A library for this raises or sleeps when a circuit is open. Here the fleet puts the tenant back and asks others meanwhile
(`fleet.run_fleet()`), so that of a library only the counter below would be left.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

# Failures in a row, repetitions included, that open a circuit, and the seconds until it is half open.
FAILURES = 5
RECOVERY_SECONDS = 30.0


@dataclass
class Breaker:
    """The circuit of one tenant, which one thread at a time works on.

    :param failures: how many failures in a row open it.
    :param recovery: seconds until it is half open.
    :param failing_since: the instant of the first failure in a row, where there is one.
    """

    failures: int = FAILURES
    recovery: float = RECOVERY_SECONDS
    clock: Callable[[], float] = time.monotonic
    in_a_row: int = 0
    failing_since: float = 0.0
    _half_open_at: float = 0.0

    @property
    def is_open(self) -> bool:
        """Whether no request may be made now."""
        return self.in_a_row >= self.failures and self.clock() < self._half_open_at

    def failed(self) -> bool:
        """Take note of a request without an answer, or with one that says that the service is out of order; tell whether that opens it."""
        if not self.in_a_row:
            self.failing_since = self.clock()
        self.in_a_row += 1
        if self.in_a_row < self.failures:
            return False
        self._half_open_at = self.clock() + self.recovery
        return True

    def answered(self) -> None:
        """Take note of an answer, which closes it."""
        self.in_a_row = 0
