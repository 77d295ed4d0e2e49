# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Reads the whole result of a query: in one piece where the service can, else in parts of the window.

The services return at most 100,000 rows and drop the others without a word. An answer with that many rows is therefore
read again in two halves of its window, as is a query that took too long or too much memory, down to a shortest part.
That is done only where the halves add up to the whole; where they would not, the result says that it is incomplete.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal, Protocol

from ..errors import OptionError
from .backends import SERVICE_ROW_LIMIT, Answer, Column, HuntingBackend
from .faults import DIVISIBLE, HuntingFault
from .query import END_NAME, START_NAME, TIME_COLUMN, Query
from .windows import Window

Split = Literal["auto", "always", "never"]

_MOST_PARTS = 2_000


class RowSink(Protocol):
    """Takes the columns once for each part, and then its rows."""

    def begin(self, columns: tuple[Column, ...]) -> None:
        """Take the columns of the rows that follow."""

    def write(self, row: Mapping[str, Any]) -> None:
        """Take one row."""


@dataclass(frozen=True)
class Hunt:
    """What is to be read.

    :param bind: returns the `let` statements before a query, for these parameters besides the user's own.
    :param timespan: the window as Microsoft Graph is told it, None where nothing was said.
    :param row_limit: the most rows to read, None for all.
    :param service_row_limit: how many rows the service returns at most.
    :param split: whether the window may be divided: where it is safe, always (the user knows), never.
    :param shortest: the shortest part of the window.
    """

    query: Query
    window: Window
    bind: Callable[[Mapping[str, Any]], str]
    timespan: str | None = None
    row_limit: int | None = None
    service_row_limit: int = SERVICE_ROW_LIMIT
    split: Split = "auto"
    shortest: timedelta = timedelta(minutes=1)


@dataclass
class HuntReport:
    """What became of the reading."""

    columns: tuple[Column, ...] = ()
    count: int = 0
    parts: int = 0
    seconds: float | None = None
    reasons: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether everything was read that was asked for."""
        return not self.reasons

    @property
    def reason(self) -> str | None:
        """What is missing and why."""
        return "; ".join(dict.fromkeys(self.reasons)) or None


@dataclass
class _Whole:
    """What the service said to the whole window, until a part of it was read.

    Not every table has the column by which windows are divided, and only the service knows which: until it has answered for
    a part, what it gave for the whole is all that there may be.
    """

    answer: Answer | None = None
    fault: HuntingFault | None = None
    is_divided: bool = False


class HuntReader:
    """Reads one query in one tenant.

    :raises OptionError: where the service cannot be given the window, and the query does not take it.
    """

    def __init__(self, backend: HuntingBackend, hunt: Hunt) -> None:
        self._backend = backend
        self._hunt = hunt
        self._indivisible = self._why_not_divided()
        self._must_limit_here = hunt.timespan is not None and not backend.takes_timespan
        if self._must_limit_here and not (hunt.query.uses_window or hunt.query.is_single_table):
            raise OptionError(
                "The Defender XDR API takes no timespan, and this query cannot be given one from outside.",
                next_step=f"Filter each table with Timestamp >= {START_NAME} and Timestamp < {END_NAME}, or use api=graph.",
            )

    def read(self, sink: RowSink) -> HuntReport:
        """Read all rows into `sink` and return what became of it.

        :raises HuntingFault: where the service did not run the query, and no part of the window that may be asked for helps.
        """
        report = HuntReport()
        pending = [self._hunt.window]
        whole = _Whole()
        while pending:
            window = pending.pop()
            try:
                answer = self._answer(window, report, whole)
            except HuntingFault as fault:
                if fault.kind != "semantic" or not whole.is_divided:
                    raise
                self._keep_whole(whole, report, sink)
                return report
            if window == self._hunt.window:
                whole.answer = answer
            else:
                # The first part went well, so the others can be asked for too.
                whole = _Whole()
            if answer is None or self._is_truncated(answer, report):
                halves = self._halves(window, report)
                if halves is not None:
                    whole.is_divided = window == self._hunt.window
                    pending.extend(halves)
                    continue
            if answer is not None and not self._deliver(answer, report, sink):
                break
        return report

    def _keep_whole(self, whole: _Whole, report: HuntReport, sink: RowSink) -> None:
        """Deliver what the service gave for the whole window, since it does not understand the query for a part of it.

        :raises HuntingFault: what the service failed of at first, where it gave nothing.
        """
        obstacle = f"the service knows no {TIME_COLUMN} in its first table"
        if whole.fault is not None:
            raise _undivided(whole.fault, obstacle)
        self._note_undivided(obstacle, report)
        if whole.answer is not None:
            self._deliver(whole.answer, report, sink)

    def _answer(self, window: Window, report: HuntReport, whole: _Whole) -> Answer | None:
        """Return the answer for a window; None where the service gave up on it and a shorter one may do."""
        query = self._hunt.query
        take = self._take(report)
        text = query.limited_to(take) if take is not None else query
        if window.is_part or window != self._hunt.window or self._must_limit_here:
            text = text.within(window)
        bounds = {START_NAME: window.start, END_NAME: window.end} if query.uses_window else {}
        prologue = self._hunt.bind(bounds)
        report.parts += 1
        try:
            return self._backend.run(prologue + text.text, timespan=self._timespan(window), line_shift=prologue.count("\n"))
        except HuntingFault as fault:
            if fault.kind not in DIVISIBLE:
                raise
            obstacle = self._obstacle(window, report)
            if obstacle is None:
                whole.fault = fault
                return None
            raise _undivided(fault, obstacle) from fault

    def _timespan(self, window: Window) -> str | None:
        """Return what the service is told of the window. A part stands in the query, and the service looks where it has to."""
        if not self._backend.takes_timespan or self._hunt.timespan is None:
            return None
        return self._hunt.timespan if window == self._hunt.window else self._hunt.window.interval

    def _take(self, report: HuntReport) -> int | None:
        """Return how many rows to ask for: one more than wanted tells whether there are more."""
        limit = self._hunt.row_limit
        wanted = None if limit is None else limit - report.count + 1
        return wanted if wanted is not None and wanted <= self._hunt.service_row_limit else None

    def _is_truncated(self, answer: Answer, report: HuntReport) -> bool:
        rows, limit = len(answer.rows), self._hunt.row_limit
        enough = limit is not None and rows > limit - report.count
        return rows >= self._hunt.service_row_limit and not enough

    def _halves(self, window: Window, report: HuntReport) -> list[Window] | None:
        """Return the halves of a window, the one to read first last; None where it stays whole, which the report says."""
        obstacle = self._obstacle(window, report)
        if obstacle is not None:
            self._note_undivided(obstacle, report)
            return None
        first, second = window.halves()
        return [first, second] if self._hunt.query.newest_first else [second, first]

    def _note_undivided(self, obstacle: str, report: HuntReport) -> None:
        limit = self._hunt.service_row_limit
        report.reasons.append(f"the service returns at most {limit:,} rows, and the window was not divided: {obstacle}")

    def _obstacle(self, window: Window, report: HuntReport) -> str | None:
        """Return why a window is not divided, None where it can be."""
        if self._indivisible:
            return self._indivisible
        if window.end - window.start < 2 * self._hunt.shortest:
            return f"the part {window.interval} is as short as allowed"
        return f"it is in {report.parts} parts already" if report.parts >= _MOST_PARTS else None

    def _why_not_divided(self) -> str | None:
        query = self._hunt.query
        if self._hunt.split == "never":
            return "split=never"
        return query.why_not_limited() or (query.why_not_row_wise() if self._hunt.split == "auto" else None)

    def _deliver(self, answer: Answer, report: HuntReport, sink: RowSink) -> bool:
        """Hand the rows over; return whether more are wanted."""
        report.columns = report.columns or answer.columns
        report.reasons.extend(answer.warnings)
        if answer.seconds is not None:
            report.seconds = round((report.seconds or 0.0) + answer.seconds, 3)
        limit = self._hunt.row_limit
        room = len(answer.rows) if limit is None else limit - report.count
        sink.begin(answer.columns)
        for row in answer.rows[:room]:
            sink.write(row)
        report.count += min(room, len(answer.rows))
        if len(answer.rows) > room:
            report.reasons.append(f"there are more than the row_limit of {limit}")
            return False
        return True


def _undivided(fault: HuntingFault, obstacle: str) -> HuntingFault:
    """Return a fault with the reason why no shorter window was asked for."""
    fault.next_step = f"{fault.next_step} The window was not divided: {obstacle}."
    return fault
