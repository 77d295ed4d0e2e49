# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""URLs of the login service."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ..context import context_of
from . import authorize, device_code, discovery, token
from .errors import EntraError
from .pages import error_page

_ANY = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]
_PAGE = ["GET", "POST"]


async def _error_help(request: Request) -> Response:
    """`/error?code=…`, where `error_uri` points."""
    try:
        return error_page(context_of(request), EntraError(int(request.query_params.get("code", "0"))))
    except (KeyError, ValueError):
        return JSONResponse({"error": "unknown code"}, status_code=404)


async def not_found(request: Request) -> Response:
    """Any other path of the login host."""
    return Response(b"", status_code=404)


def routes() -> list[BaseRoute]:
    """The busiest first."""
    return [
        Route("/{tenant}/oauth2/v2.0/token", token.token_v2, methods=_ANY),
        Route("/{tenant}/oauth2/token", token.token_v1, methods=_ANY),
        Route("/{tenant}/v2.0/.well-known/openid-configuration", discovery.openid_configuration),
        Route("/{tenant}/.well-known/openid-configuration", discovery.openid_configuration),
        Route("/{tenant}/discovery/v2.0/keys", discovery.keys),
        Route("/{tenant}/discovery/keys", discovery.keys),
        Route("/common/discovery/instance", discovery.instance),
        Route("/common/oauth2/deviceauth", device_code.deviceauth, methods=_PAGE),
        Route("/{tenant}/oauth2/authorize", authorize.authorize_v1, methods=_PAGE),
        Route("/{tenant}/oauth2/v2.0/authorize", authorize.authorize_v2, methods=_PAGE),
        Route("/{tenant}/adminconsent", authorize.adminconsent_v1, methods=_PAGE),
        Route("/{tenant}/v2.0/adminconsent", authorize.adminconsent_v2, methods=_PAGE),
        Route("/{tenant}/oauth2/devicecode", device_code.devicecode_v1, methods=_ANY),
        Route("/{tenant}/oauth2/v2.0/devicecode", device_code.devicecode_v2, methods=_ANY),
        Route("/error", _error_help),
    ]
