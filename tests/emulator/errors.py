# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of the resource APIs (Microsoft Graph and the Defender API) and their bodies.

Entra ID has its own error shape, see `entra/errors.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from starlette.responses import Response

ApiFamily = Literal["graph", "defender"]


class ApiError(Exception):
    """A refusal of a resource API; raise it anywhere below a handler, the server renders it.

    `family` is taken from the request path when it is None. `inner` is merged into Graph's innerError, `details`
    becomes Graph's `details` list. `empty` answers with the status and headers but no body at all.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        family: ApiFamily | None = None,
        target: str | None = None,
        inner: Mapping[str, Any] | None = None,
        details: Sequence[Mapping[str, Any]] | None = None,
        empty: bool = False,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers: dict[str, str] = dict(headers or {})
        self.family = family
        self.target = target
        self.inner: dict[str, Any] = dict(inner or {})
        self.details = [dict(detail) for detail in details or ()]
        self.empty = empty

    def body(self, *, family: ApiFamily, now: datetime, request_id: str, client_request_id: str) -> dict[str, Any]:
        """The JSON body as the service of `family` writes it."""
        if family == "graph":
            error: dict[str, Any] = {"code": self.code, "message": self.message}
            if self.target is not None:
                error["target"] = self.target
            if self.details:
                error["details"] = self.details
            error["innerError"] = {
                "date": now.strftime("%Y-%m-%dT%H:%M:%S"),
                "request-id": request_id,
                "client-request-id": client_request_id,
            } | self.inner
            return {"error": error}
        return {"error": {"code": self.code, "message": self.message, "target": self.target or f"|{request_id}."}}

    def render(self, *, family: ApiFamily, now: datetime, request_id: str, client_request_id: str) -> Response:
        """The complete HTTP response for this error."""
        family = self.family or family
        if self.empty:
            return Response(b"", status_code=self.status, headers=self.headers)
        body = self.body(family=family, now=now, request_id=request_id, client_request_id=client_request_id)
        return Response(
            json.dumps(body).encode(), status_code=self.status, headers=self.headers, media_type="application/json; charset=utf-8"
        )


def not_found(identifier: str) -> ApiError:
    """Graph's answer for a directory object that is not there, or not there yet."""
    return ApiError(
        404,
        "Request_ResourceNotFound",
        f"Resource '{identifier}' does not exist or one of its queried reference-property objects are not present.",
    )


def bad_request(message: str, *, code: str = "Request_BadRequest", target: str | None = None) -> ApiError:
    """Graph's answer for a request it understood but refuses to carry out."""
    return ApiError(400, code, message, target=target)


def denied() -> ApiError:
    """Graph's answer when the directory permission is missing."""
    return ApiError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
