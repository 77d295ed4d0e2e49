# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What a hunting query can fail of, told apart by the engine's words.

Sources: the pages on errors and on quotas of advanced hunting. Both services pass the engine's words on, and use the
status 400 for most of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from ..errors import ServiceError, Throttled

Kind = Literal["syntax", "semantic", "timeout", "cpu_quota", "rate", "result_size", "resources", "unknown", "request"]

# What a shorter window may cure.
DIVISIBLE: frozenset[Kind] = frozenset({"timeout", "result_size", "resources"})

_TEXTS: Mapping[Kind, str] = {
    "cpu_quota": r"exceeded (?:the )?processing resources|run queries again in|\bCPU\b.*\b(?:quota|limit|allocat)",
    "result_size": r"result size|result set|too many (?:rows|results)|E_QUERY_RESULT_SET_TOO_LARGE|\b(?:64|124) ?MB\b",
    "timeout": r"timeout period|timed? ?out|exceeded the (?:maximum )?(?:run|execution) ?time",
    "resources": r"exceeded the allowed limits|preempted|resource consumption|E_RUNAWAY_QUERY|low memory|out of memory",
    "semantic": r"failed to resolve|semantic error|operator: |expected (?:a|an) ",
    "syntax": r"recognition error|syntax error|query could not be parsed|unexpected token|missing .{1,20} at ",
    "unknown": r"unexpected error",
}
_BY_STATUS: Mapping[int, Kind] = {408: "timeout", 413: "result_size", 400: "request"}
_SAYS: Mapping[Kind, tuple[str, str]] = {
    "syntax": ("The query is not KQL.", "Correct the query at the place that the service names."),
    "semantic": (
        "The query names something that this tenant does not have, or puts together what does not fit.",
        "Correct the names. A table is missing where the product that fills it is not licensed or set up in the tenant.",
    ),
    "timeout": ("The query took longer than the service allows (3 minutes).", "Give a shorter timespan, or filter earlier in the query."),
    "cpu_quota": (
        "The tenant's processing time for hunting is used up; the service renews it every 15 minutes.",
        "Run the query again {when}, raise deadline, or make it cheaper: a shorter timespan, filters first.",
    ),
    "rate": ("The service takes no more queries from this tenant for now.", "Run the query again {when}, or raise deadline."),
    "result_size": (
        "The result is larger than the service returns.",
        "Give a shorter timespan, keep the columns that are needed with project, or count with summarize.",
    ),
    "resources": (
        "The query needs more memory or processing than the service allows.",
        "Give a shorter timespan, filter first, and join fewer rows.",
    ),
    "unknown": ("The service had an internal fault while it ran the query.", "Try again later."),
    "request": ("The service refused the request.", "Correct what the service names."),
}


class HuntingFault(ServiceError):
    """The service did not run the query to its end.

    :param kind: what it failed of.
    :param retry_after: seconds after which the service takes the next query, None where that is not the trouble.
    """

    def __init__(self, kind: Kind, *, retry_after: float | None = None, line_shift: int = 0, cause: ServiceError) -> None:
        message, next_step = _SAYS[kind]
        when = "later" if retry_after is None else f"in {retry_after:.0f} s"
        super().__init__(
            message,
            attempted=cause.attempted,
            tenant_id=cause.tenant_id,
            # That the engine refuses a query says nothing about the consent.
            state="unreachable" if kind in ("rate", "cpu_quota", "unknown") else None,
            code=cause.code,
            http_status=cause.http_status,
            request_id=cause.request_id,
            service_message=_shifted(cause.service_message, line_shift),
            next_step=next_step.format(when=when),
            scope="tenant" if kind == "semantic" else cause.scope,
            retryable=kind in ("rate", "cpu_quota", "unknown"),
        )
        self.kind: Kind = kind
        self.retry_after = retry_after

    def as_dict(self) -> dict[str, Any]:
        """Return the diagnosis as plain values."""
        return {**super().as_dict(), "kind": self.kind, "retry_after": self.retry_after}


def kind_of(error: ServiceError) -> Kind | None:
    """Return what a query failed of; None where the error is not about the query (a missing role, say)."""
    status = error.http_status or 0
    if status == 504:
        return "timeout"
    if status not in (400, 408, 413, 429) and status < 500:
        return None
    text = error.service_message or ""
    known = next((kind for kind, pattern in _TEXTS.items() if re.search(pattern, text, re.IGNORECASE)), None)
    if isinstance(error, Throttled) or status == 429:
        return "cpu_quota" if known == "cpu_quota" else "rate"
    return known or _BY_STATUS.get(status, "unknown")


def _shifted(text: str | None, lines: int) -> str | None:
    """Return the engine's words with line numbers that count from the user's own first line."""
    if not text or not lines:
        return text
    return re.sub(r"(?i)\b(line:? )(\d+)", lambda match: f"{match[1]}{max(1, int(match[2]) - lines)}", text)
