# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The answers that fault rules give, and what they do to the answers of the service."""

from __future__ import annotations

import json
import urllib.parse
from typing import Any

from starlette.responses import Response

from .context import RequestContext
from .entra.codes import CODES
from .entra.errors import EntraError, error_response
from .errors import ApiError
from .faults import FaultRule

Headers = list[tuple[bytes, bytes]]
_HTML = b"<!DOCTYPE html><html><head><title>Bad gateway</title></head><body><h1>Our services aren't available right now</h1></body></html>"


def answer_of(rule: FaultRule, context: RequestContext) -> Response:
    """The answer that `rule` gives instead of the service."""
    action = rule.action
    if "redirect" in action:
        response = Response(b"", status_code=int(action.get("status", 302)), headers={"Location": str(action["redirect"])})
    elif "aadsts" in action:
        response = _entra(action, context)
    else:
        response = _refusal(action, context)
    for name, value in (action.get("headers") or {}).items():
        response.headers[str(name)] = str(value)
    context.error = context.error or f"fault {response.status_code}"
    return response


def _entra(action: dict[str, Any], context: RequestContext) -> Response:
    code = int(action["aadsts"])
    if code not in CODES:
        context.error = f"AADSTS{code}"
        return Response(
            json.dumps({"error": "server_error", "error_codes": [code]}).encode(), status_code=400, media_type="application/json"
        )
    return error_response(context, EntraError(code, error=action.get("code"), status=action.get("status")))


def _refusal(action: dict[str, Any], context: RequestContext) -> Response:
    """429, 503 or any status, with the body of the family unless the rule brings its own."""
    headers: dict[str, str] = {}
    if "throttle" in action or "unavailable" in action:
        wait = action.get("throttle", action.get("unavailable"))
        status = 429 if "throttle" in action else 503
        if wait is not None and wait is not True:
            headers["Retry-After"] = str(wait)
    else:
        status = int(action["status"])
    if "body" in action:
        body = action["body"]
        raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        kind = "text/html" if isinstance(body, str) else "application/json"
        return Response(raw, status_code=status, headers=headers, media_type=kind)
    default = {429: ("TooManyRequests", "Too many requests."), 503: ("serviceNotAvailable", "The service is not available.")}
    code, message = default.get(status, ("UnknownError", "An error was injected."))
    code, message = str(action.get("code", code)), str(action.get("message", message))
    if context.family == "login":
        error = {"error": action.get("code", "temporarily_unavailable"), "error_description": message, "error_codes": []}
        return Response(json.dumps(error).encode(), status_code=status, headers=headers, media_type="application/json")
    refusal = ApiError(status, code, message, headers=headers)
    family = "defender" if context.family == "defender" else "graph"
    now = context.cloud.now()
    return refusal.render(family=family, now=now, request_id=context.request_id, client_request_id=context.client_request_id)  # type: ignore[arg-type]


def changed_answer(rule: FaultRule, headers: Headers, body: bytes) -> tuple[Headers, bytes, bool]:
    """Headers and body after `rule`, and whether the connection must be cut before the body is complete."""
    action = rule.action
    kept = [(name, value) for name, value in headers if name.lower() != b"content-length"]
    kept += [(str(name).lower().encode(), str(value).encode()) for name, value in (action.get("headers") or {}).items()]
    if "non_json" in action:
        kept = [(name, value) for name, value in kept if name.lower() != b"content-type"] + [(b"content-type", b"text/html")]
        body = _HTML
    elif "empty" in action:
        body = b""
    elif "foreign_next_link" in action or "set" in action:
        body = _rewritten(action, body)
    length = (b"content-length", str(len(body)).encode())
    if "truncate" in action:
        return [*kept, length], body[: int(len(body) * float(action["truncate"]))], True
    return [*kept, length], body, False


def _rewritten(action: dict[str, Any], body: bytes) -> bytes:
    try:
        document = json.loads(body)
    except ValueError:
        return body
    if not isinstance(document, dict):
        return body
    if "foreign_next_link" in action and "@odata.nextLink" in document:
        link = urllib.parse.urlsplit(document["@odata.nextLink"])
        origin = urllib.parse.urlsplit(str(action["foreign_next_link"]))
        document["@odata.nextLink"] = urllib.parse.urlunsplit((origin.scheme, origin.netloc, link.path, link.query, ""))
    document |= dict(action.get("set") or {})
    return json.dumps(document).encode()
