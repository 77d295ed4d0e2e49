# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Call quotas per tenant and app, and the 429 answers of both services."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Literal

from ..errors import ApiError
from . import problems
from .settings import QuotaSettings
from .times import HOUR, MINUTE, TICKS_PER_SECOND

if TYPE_CHECKING:
    from ..auth import Caller

Call = Literal["list", "get", "update", "hunting", "graph"]
_SPANS: Final = {MINUTE: "00:01:00", HOUR: "01:00:00"}


class Quotas:
    """Counts calls in sliding windows. A refused call does not count."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, str, str], deque[int]] = {}

    def charge(self, caller: Caller, call: Call, settings: QuotaSettings, *, family: Literal["graph", "defender"], now: int) -> None:
        """Count one call.

        :raises ApiError: 429, as the service of ``family`` words it, when the quota of the caller's tenant and app is used up.
        """
        if not settings.enabled:
            return
        limits = {MINUTE: getattr(settings, f"{call}_per_minute")}
        if family == "defender" and call != "hunting":
            limits[HOUR] = settings.per_hour
        calls = self._calls.setdefault((caller.tenant_id, caller.client_id, f"{family}:{call}"), deque())
        while calls and calls[0] <= now - HOUR:
            calls.popleft()
        for span, limit in limits.items():
            recent = [moment for moment in calls if moment > now - span] if limit else []
            if limit and len(recent) >= limit:
                wait = -(-(recent[-limit] + span - now) // TICKS_PER_SECOND)
                raise _refusal(family, limit, span, max(wait, 1), with_header=settings.retry_after)
        calls.append(now)


def _refusal(family: str, limit: int, span: int, wait: int, *, with_header: bool) -> ApiError:
    headers = {"Retry-After": str(wait)} if with_header else {}
    if family == "defender":
        text = f"API calls quota exceeded! maximum allowed {limit} per {_SPANS[span]}"
        return problems.defender(429, "429", text, headers)
    return ApiError(429, "TooManyRequests", "Too many requests.", family="graph", headers=headers)
