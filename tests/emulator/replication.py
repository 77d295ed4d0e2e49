# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Eventual consistency: a change is seen by a reader only after some seconds and some looks.

Entra's token servers and Graph's directory read from replicas. Each reader counts its own looks, so that with a delay of two
requests a fresh secret is refused twice by the token endpoint, whatever Graph was asked in between.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from .clock import Clock

Reader = Literal["graph", "login"]


@dataclass(slots=True)
class Stamp:
    """When one change becomes visible; `settled` short-cuts the usual case."""

    visible_at: float = 0.0
    looks_left: dict[Reader, int] = field(default_factory=dict)
    settled: bool = True


class Replication:
    """The lag of the emulated directory; may be changed while the emulator runs and then holds for later changes."""

    def __init__(self, clock: Clock, *, seconds: float = 0.0, requests: int = 0) -> None:
        self._clock = clock
        self.seconds = seconds
        self.requests = requests

    def stamp(self) -> Stamp:
        """A stamp for a change that is made now."""
        if self.seconds <= 0 and self.requests <= 0:
            return Stamp()
        return Stamp(self._clock.timestamp() + self.seconds, {"graph": self.requests, "login": self.requests}, False)

    def arrived(self, stamp: Stamp, reader: Reader) -> bool:
        """Whether `reader` sees the change; every look at an unsettled change counts."""
        if stamp.settled:
            return True
        left = stamp.looks_left.get(reader, 0)
        if left > 0:
            stamp.looks_left[reader] = left - 1
            return False
        if self._clock.timestamp() < stamp.visible_at:
            return False
        stamp.settled = not any(stamp.looks_left.values())
        return True
