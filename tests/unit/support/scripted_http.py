# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for the session below `Transport`: plays a script of answers and records every request.

The fake sits at the very edge (where requests would open a socket), so that everything above it is the real code.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from ansible_collections.m365d.partner.plugins.module_utils._core.transport import Transport, TransportSettings


@dataclass
class Answer:
    """What the service answers: a body (JSON unless bytes), or an exception to raise instead."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    raises: Exception | None = None

    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body).encode()


@dataclass
class Recorded:
    """One request as it would have gone over the wire."""

    method: str
    url: str
    headers: dict[str, str]
    json: Any
    form: Any

    def line(self) -> str:
        return f"{self.method} {self.url}"


class _Streamed:
    def __init__(self, answer: Answer) -> None:
        self.status_code = answer.status
        self.headers = {"Content-Type": "application/json", **answer.headers}
        self._content = answer.content()

    def iter_content(self, size: int) -> Iterator[bytes]:
        for start in range(0, len(self._content), size):
            yield self._content[start : start + size]

    def __enter__(self) -> _Streamed:
        return self

    def __exit__(self, *_exc: object) -> None:
        return None


class ScriptedSession:
    """Answers the script in order; a request beyond its end fails the test."""

    def __init__(self, *script: Answer) -> None:
        self.script = list(script)
        self.requests: list[Recorded] = []

    def request(self, method: str, url: str, **kwargs: Any) -> _Streamed:
        params = kwargs.get("params")
        full = f"{url}{'&' if '?' in url else '?'}{urlencode(params)}" if params else url
        self.requests.append(Recorded(method, full, dict(kwargs.get("headers") or {}), kwargs.get("json"), kwargs.get("data")))
        assert self.script, f"unexpected request: {method} {full}"
        answer = self.script.pop(0)
        if answer.raises is not None:
            raise answer.raises
        return _Streamed(answer)

    def lines(self) -> list[str]:
        return [recorded.line() for recorded in self.requests]


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def scripted_transport(*script: Answer, deadline: float = 300.0) -> tuple[Transport, ScriptedSession, Clock]:
    """Return a transport over a script, with a clock that stands still and no jitter (the longest wait is taken)."""
    session, clock = ScriptedSession(*script), Clock()
    settings = TransportSettings(deadline=deadline)
    return Transport(settings, session=session, clock=clock, sleep=clock.sleep, jitter=lambda _low, high: high), session, clock
