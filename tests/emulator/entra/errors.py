# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refusals of Entra ID and the JSON body in which the token endpoints and the discovery documents give them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from ..context import RequestContext
from .codes import CODES


class _Blank(dict[str, str]):
    """Placeholders nobody filled stay empty, so that an injected code needs no values."""

    def __missing__(self, key: str) -> str:
        return ""


class EntraError(Exception):
    """A refusal with an AADSTS code. `error` and `status` override the code's own."""

    def __init__(
        self,
        code: int,
        *,
        error: str | None = None,
        status: int | None = None,
        claims: str | None = None,
        headers: dict[str, str] | None = None,
        values: Mapping[str, str] | None = None,
        **more: str,
    ) -> None:
        entry = CODES[code]
        self.code = code
        self.error = error or entry.error
        self.status = status or (401 if self.error == "invalid_client" else entry.status)
        self.suberror = entry.suberror
        self.with_uri = entry.error_uri
        self.claims = claims
        self.headers = headers or {}
        self.text = entry.text.format_map(_Blank(dict(values or {}) | more))
        super().__init__(f"AADSTS{code}: {self.text}")

    def body(self, context: RequestContext) -> dict[str, Any]:
        """The JSON body of the token endpoints."""
        timestamp = context.cloud.now().strftime("%Y-%m-%d %H:%M:%SZ")
        trace_id = context.request_id
        body: dict[str, Any] = {
            "error": self.error,
            "error_description": describe(self, context, timestamp),
            "error_codes": [self.code],
            "timestamp": timestamp,
            "trace_id": trace_id,
            "correlation_id": context.client_request_id,
        }
        if self.with_uri:
            body["error_uri"] = f"{context.cloud.origin}/error?code={self.code}"
        if self.suberror:
            body["suberror"] = self.suberror
        if self.claims:
            body["claims"] = self.claims
        return body


def describe(error: EntraError, context: RequestContext, timestamp: str | None = None) -> str:
    """The long text: code, sentence, trace id, correlation id, time, joined the new way (blanks) or the old (CRLF)."""
    timestamp = timestamp or context.cloud.now().strftime("%Y-%m-%d %H:%M:%SZ")
    parts = [
        f"AADSTS{error.code}: {error.text}",
        f"Trace ID: {context.request_id}",
        f"Correlation ID: {context.client_request_id}",
        f"Timestamp: {timestamp}",
    ]
    return ("\r\n" if context.cloud.settings.error_separator == "crlf" else " ").join(parts)


def token_headers(context: RequestContext) -> dict[str, str]:
    """Headers every answer of the login service carries."""
    return {
        "Cache-Control": "no-store, no-cache",
        "Pragma": "no-cache",
        "x-ms-request-id": context.request_id,
        "x-ms-ests-server": "2.1.0 - EMULATOR ProdSlices",
        "client-request-id": context.client_request_id,
    }


def json_response(context: RequestContext, body: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer of the login service."""
    response = Response(
        json.dumps(body, separators=(",", ":")).encode(),
        status_code=status,
        headers=token_headers(context) | (headers or {}),
        media_type="application/json; charset=utf-8",
    )
    response.headers.append("set-cookie", f"fpc={uuid.uuid4().hex}; path=/; secure; HttpOnly; SameSite=None")
    response.headers.append("set-cookie", "stsservicecookie=estsfd; path=/; secure; samesite=none; httponly")
    return response


def error_response(context: RequestContext, error: EntraError) -> Response:
    """The JSON answer to a refused token or discovery request."""
    context.error = f"AADSTS{error.code}"
    return json_response(context, error.body(context), error.status, error.headers)
