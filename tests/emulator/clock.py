# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The emulator's own time: starts now or at a fixed moment, runs on, and can be stepped or frozen by the admin API."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone


class Clock:
    """A clock that can be moved. All times are aware and in UTC."""

    def __init__(self, start: datetime | None = None) -> None:
        self._origin = start
        self._offset = 0.0
        self._monotonic = time.monotonic()
        self._frozen: datetime | None = None

    def now(self) -> datetime:
        """The emulated moment."""
        if self._frozen is not None:
            return self._frozen
        if self._origin is None:
            return datetime.now(timezone.utc) + timedelta(seconds=self._offset)
        return self._origin + timedelta(seconds=time.monotonic() - self._monotonic + self._offset)

    def timestamp(self) -> float:
        """Seconds since the epoch."""
        return self.now().timestamp()

    def step(self, seconds: float) -> None:
        """Move the clock by `seconds`, which may be negative."""
        if self._frozen is not None:
            self._frozen += timedelta(seconds=seconds)
        else:
            self._offset += seconds

    def set(self, moment: datetime) -> None:
        """Continue from `moment`."""
        if self._frozen is not None:
            self._frozen = moment
        else:
            self._offset += (moment - self.now()).total_seconds()

    def freeze(self, frozen: bool = True) -> None:
        """Stop the clock, or let it run on from where it stopped."""
        if frozen:
            self._frozen = self._frozen or self.now()
        elif self._frozen is not None:
            moment, self._frozen = self._frozen, None
            self.set(moment)


def parse_moment(text: str) -> datetime:
    """An ISO 8601 moment, `Z` allowed, naive values taken as UTC. Raises ValueError."""
    text = text.strip()
    if text.endswith(("Z", "z")):
        text = text[:-1] + "+00:00"
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def graph_time(moment: datetime) -> str:
    """The form in which Graph writes directory times."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
