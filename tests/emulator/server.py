# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ASGI application: one origin, four families of paths, and what every request goes through."""

from __future__ import annotations

import asyncio
import json
import logging
import time
import urllib.parse
import uuid
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import admin, arm, security
from .context import RequestContext, attach, client_request_id, family_of
from .entra import routes as entra_routes
from .entra.errors import EntraError, error_response
from .entra.tokens import InvalidToken, read_token
from .errors import ApiError
from .fault_answers import answer_of, changed_answer
from .faults import FaultRule, Subject
from .graph import routes as graph_routes
from .request_log import Entry, redact_query
from .state import Cloud

logger = logging.getLogger("emulator")
ABORT = "emulator.abort"


def build_app(cloud: Cloud) -> ASGIApp:
    """The application that serves `cloud`."""
    return Emulator(cloud)


class _Recorder:
    """Passes the answer on, remembers status and size, and holds it back when a fault wants to change it."""

    def __init__(self, send: Send, context: RequestContext, *, hold: bool) -> None:
        self._send = send
        self._context = context
        self.hold = hold
        self.status = 0
        self.size = 0
        self.start: Message | None = None
        self.body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            _add_ids(message, self._context)
            self.start = message
        elif message["type"] == "http.response.body":
            self.size += len(message.get("body", b""))
            if self.hold:
                self.body += message.get("body", b"")
        if not self.hold:
            await self._send(message)


def _add_ids(message: Message, context: RequestContext) -> None:
    """The request ids that Graph and the Defender API put on every answer."""
    if context.family not in ("graph", "defender"):
        return
    names = {name.lower() for name, _value in message["headers"]}
    extra = {b"request-id": context.request_id, b"client-request-id": context.client_request_id}
    if context.family == "graph":
        diagnostic = {"ServerInfo": {"DataCenter": "Emulator", "Slice": "E", "Ring": "1", "ScaleUnit": "001", "RoleInstance": "EMU"}}
        extra[b"x-ms-ags-diagnostic"] = json.dumps(diagnostic, separators=(",", ":"))
    message["headers"] = [*message["headers"], *((name, value.encode()) for name, value in extra.items() if name not in names)]


class Emulator:
    """Dispatches by path family; translates errors; injects faults; keeps the request log."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        shared = security.routes(cloud)
        self._routers: dict[str, Router] = {
            "login": Router([*entra_routes.routes(), *arm.routes()], default=_responder(entra_routes.not_found)),
            "graph": Router([*graph_routes.routes(), *shared], default=_responder(graph_routes.not_found), redirect_slashes=False),
            "defender": Router(shared, default=_responder(_no_such_api), redirect_slashes=False),
            "admin": Router([*admin.routes(), *shared], default=_responder(admin.not_found)),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            return
        context = self._context(scope)
        attach(scope, context)
        rule = self._fault(scope, context)
        recorder = _Recorder(send, context, hold=rule is not None and rule.changes)
        try:
            await self._serve(scope, receive, recorder, context, rule)
        finally:
            self._record(scope, context, recorder)

    def _context(self, scope: Scope) -> RequestContext:
        context = RequestContext(
            self.cloud, family_of(scope["path"]), str(uuid.uuid4()), client_request_id(scope["headers"]), started=time.perf_counter()
        )
        context.abort = (scope.get("extensions") or {}).get(ABORT)
        return context

    def _fault(self, scope: Scope, context: RequestContext) -> FaultRule | None:
        if not self.cloud.faults.rules or context.family == "admin":
            return None
        subject = Subject(context.family, scope["method"], scope["path"], scope["query_string"].decode("latin-1"))
        subject.tenants, subject.client_id = _owner(self.cloud, scope, context)
        rule = self.cloud.faults.pick(subject)
        if rule is not None:
            context.fault = rule.id
        return rule

    async def _serve(self, scope: Scope, receive: Receive, recorder: _Recorder, context: RequestContext, rule: FaultRule | None) -> None:
        if rule is not None and rule.action.get("delay"):
            await asyncio.sleep(float(rule.action["delay"]))
        if rule is not None and "reset" in rule.action:
            recorder.status = 0
            await _drop(context, recorder)
            return
        if rule is not None and rule.answers:
            recorder.hold = False
            await answer_of(rule, context)(scope, receive, recorder)
            return
        try:
            await self._routers[context.family](scope, receive, recorder)
        except ApiError as exc:
            context.error = exc.code
            await self._refusal(exc, context)(scope, receive, recorder)
        except EntraError as exc:
            await error_response(context, exc)(scope, receive, recorder)
        except ConnectionResetError:
            raise
        except Exception:  # The one place where a defect becomes the answer that the services give to their own defects.
            logger.exception("%s %s failed", scope["method"], scope["path"])
            if recorder.start is not None:
                raise
            await self._defect(context)(scope, receive, recorder)
        if rule is not None and rule.changes and recorder.start is not None:
            await self._send_changed(rule, context, recorder)

    async def _send_changed(self, rule: FaultRule, context: RequestContext, recorder: _Recorder) -> None:
        start = recorder.start
        assert start is not None
        headers, body, cut = changed_answer(rule, start["headers"], recorder.body)
        recorder.hold, recorder.size = False, 0
        await recorder({"type": "http.response.start", "status": start["status"], "headers": headers})
        await recorder({"type": "http.response.body", "body": body, "more_body": cut})
        if cut:
            await _drop(context, recorder, started=True)

    def _defect(self, context: RequestContext) -> Response:
        if context.family == "login":
            return error_response(context, EntraError(90006, status=500))
        context.error = "InternalServerError"
        return self._refusal(ApiError(500, "InternalServerError", "An internal server error occurred."), context)

    def _refusal(self, error: ApiError, context: RequestContext) -> Response:
        family = "defender" if context.family == "defender" else "graph"
        return error.render(
            family=family,  # type: ignore[arg-type]
            now=self.cloud.now(),
            request_id=context.request_id,
            client_request_id=context.client_request_id,
        )

    def _record(self, scope: Scope, context: RequestContext, recorder: _Recorder) -> None:
        if context.family == "admin":
            return
        headers = {name: value for name, value in scope["headers"] if name in (b"content-length", b"user-agent")}
        duration = time.perf_counter() - context.started
        self.cloud.log.add(
            Entry(
                number=self.cloud.log.next_number(),
                time=self.cloud.now().isoformat(timespec="milliseconds"),
                family=context.family,
                operation=context.operation,
                method=scope["method"],
                path=scope["path"],
                query=redact_query(scope["query_string"].decode("latin-1")),
                status=recorder.status,
                tenant_id=context.tenant_id,
                client_id=context.client_id,
                credential=context.credential,
                error=context.error,
                fault=context.fault,
                grant=context.notes.get("grant"),
                resource=context.notes.get("resource"),
                request_bytes=int(headers.get(b"content-length", b"0") or 0),
                response_bytes=recorder.size,
                duration=round(duration, 6),
                request_id=context.request_id,
                user_agent=headers.get(b"user-agent", b"").decode("latin-1"),
            )
        )
        logger.info("%s %s %s %s %s", recorder.status, scope["method"], scope["path"], context.error or "-", context.request_id)


def _owner(cloud: Cloud, scope: Scope, context: RequestContext) -> tuple[tuple[str, ...], str | None]:
    """Whom a request concerns, for fault rules: the tenant in the login URL, or the one in the bearer token."""
    if context.family == "login":
        name = urllib.parse.unquote(scope["path"].split("/")[1]).lower()
        try:
            tenant = cloud.tenant(name)
        except KeyError:
            return (name,), None
        return (tenant.tenant_id, tenant.domain, *tenant.domains), None
    header = next((value for name, value in scope["headers"] if name == b"authorization"), b"").decode("latin-1")
    try:
        claims = read_token(cloud, header.partition(" ")[2])
    except InvalidToken:
        return (), None
    tenant_id = str(claims.get("tid"))
    known = cloud.tenants.get(tenant_id)
    return (tenant_id, known.domain if known else tenant_id), claims.get("appid") or claims.get("azp")


async def _drop(context: RequestContext, recorder: _Recorder, *, started: bool = False) -> None:
    """Cut the connection; without a transport (in-process tests) raise what a client would see."""
    if context.abort is None:
        raise ConnectionResetError("the emulator dropped the connection")
    if started:
        await asyncio.sleep(0.05)
    context.abort()


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return


def _responder(endpoint: Callable[[Request], Any]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = await endpoint(Request(scope, receive, send))
        await response(scope, receive, send)

    return app


async def _no_such_api(request: Request) -> Response:
    raise ApiError(404, "NotFound", f"No HTTP resource was found that matches the request URI '{request.url.path}'.", family="defender")
