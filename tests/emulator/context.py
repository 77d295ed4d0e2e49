# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known about one request while it is served: ids, family, and the facts the request log keeps."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, cast

from starlette.requests import Request
from starlette.types import Scope

if TYPE_CHECKING:
    from .state import Cloud

Family = Literal["login", "graph", "defender", "admin"]
KEY = "emulator.context"


@dataclass(slots=True)
class RequestContext:
    """Everything the middleware, the handlers and the request log share about one request."""

    cloud: Cloud
    family: Family
    request_id: str
    client_request_id: str
    operation: str = ""
    tenant_id: str | None = None
    client_id: str | None = None
    credential: str | None = None
    error: str | None = None
    fault: str | None = None
    abort: Callable[[], None] | None = None
    started: float = 0.0
    moment: datetime | None = None
    notes: dict[str, str] = field(default_factory=dict)


def family_of(path: str) -> Family:
    """The service a path belongs to; families never share a first path segment."""
    first = path.split("/", 2)[1] if path.startswith("/") else ""
    if first in ("v1.0", "beta"):
        return "graph"
    if first == "api":
        return "defender"
    if first == "_emulator":
        return "admin"
    return "login"


def context_of(request: Request) -> RequestContext:
    """The context that the middleware attached to this request."""
    return cast(RequestContext, request.scope[KEY])


def cloud_of(request: Request) -> Cloud:
    """The emulated cloud that serves this request."""
    return context_of(request).cloud


def attach(scope: Scope, context: RequestContext) -> None:
    """Make `context` available to the handlers of this request."""
    scope[KEY] = context


def client_request_id(headers: list[tuple[bytes, bytes]]) -> str:
    """The caller's own correlation id, or a fresh GUID; anything that is not a GUID is ignored, as the services do."""
    for name, value in headers:
        if name == b"client-request-id":
            try:
                return str(uuid.UUID(value.decode("ascii", "replace")))
            except ValueError:
                break
    return str(uuid.uuid4())
