# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The conversation with Entra ID's token endpoints, by MSAL over our transport.

An MSAL application opens every authority with a request for its discovery document, keeps error answers for a minute
and looks for a token cache of its own. None of it suits a partner with a thousand tenants: the first doubles the
traffic, the second would answer a poll for a consent that was just given with the old refusal. So
- tokens of the app itself come from the OAuth client below MSAL's applications (`msal.oauth2cli`), which knows v1 as
  well as v2 and does nothing but the request;
- the flow of a user needs an application. Its HTTP client is an adapter to our transport that answers the discovery
  request itself, and it lives for one token.
The endpoints of a tenant are the login host, the tenant's GUID and a fixed path (they are part of the platform's
published interface, and the document repeats them), so nothing is guessed. One POST per token is the whole traffic;
keeping tokens is the business of `cache.py`, repeating requests that of `transport.py`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from .._libraries import msal, require_libraries
from ..errors import PartnerError, TransportError
from ..transport import Response
from .base import Grant, TokenRequest
from .diagnosis import diagnose, diagnose_answer

_READ_OF_A_TOKEN = frozenset({"access_token", "expires_in", "token_type", "error"})
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

# Makes an assertion when it is about to be sent.
AssertionMaker = Callable[[], str]


class _Answer:
    """An answer in the shape that MSAL reads."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str]) -> None:
        self.status_code = status
        self.text = text
        self.headers = headers

    def raise_for_status(self) -> None:
        """Do nothing: answers that are no OAuth answers were turned into errors before MSAL saw them."""


class EntraHttp:
    """The HTTP client that MSAL is given: sends POSTs through our transport and answers discovery itself.

    :ivar response: the last answer, for a diagnosis with its status and request id.
    """

    def __init__(self, request: TokenRequest) -> None:
        self._request = request
        self.response: Response | None = None

    def get(self, url: str, **_ignored: Any) -> _Answer:
        """Answer the request for the discovery document; MSAL has no other GET in the flows used here."""
        authority = f"{self._request.endpoints.login_url}/{self._request.tenant_id}"
        if url != f"{authority}/v2.0/.well-known/openid-configuration":
            raise TransportError(
                f"MSAL asked for {url}, which is not needed; the request was not sent.",
                attempted=self._request.attempted,
                tenant_id=self._request.tenant_id,
                next_step="Report this with the version of msal.",
            )
        base = f"{authority}/oauth2/v2.0"
        document = {
            "issuer": f"{authority}/v2.0",
            "authorization_endpoint": f"{base}/authorize",
            "token_endpoint": f"{base}/token",
            "device_authorization_endpoint": f"{base}/devicecode",
        }
        return _Answer(200, json.dumps(document), {"content-type": "application/json"})

    def post(self, url: str, *, data: Mapping[str, str], headers: Mapping[str, str] | None = None, **_ignored: Any) -> _Answer:
        """Send a form. A request for a token changes nothing, so that it may be repeated."""
        form = {
            name: value.decode("ascii") if isinstance(value, bytes) else str(value) for name, value in data.items() if value is not None
        }
        self.response = post_form(self._request, url, form, headers=headers)
        body = self.response.json()
        text = self.response.text
        if "access_token" in body:
            grant_from(self._request, body, self.response)  # MSAL stumbles over a token without a lifetime
            if form.get("grant_type") == "client_credentials":
                # And over members that no app's token comes with, and that nobody reads.
                text = json.dumps({name: value for name, value in body.items() if name in _READ_OF_A_TOKEN})
        return _Answer(self.response.status, text, self.response.headers)

    def close(self) -> None:
        """Do nothing: the transport outlives MSAL's application."""


def post_form(request: TokenRequest, url: str, form: Mapping[str, str], *, headers: Mapping[str, str] | None = None) -> Response:
    """Send a form to the login host and return the answer if it is an OAuth answer, a refusal included.

    :raises TransportError: for anything else.
    """
    response = request.transport.send(
        "POST",
        url,
        attempted=request.attempted,
        tenant_id=request.tenant_id,
        form=form,
        headers={name: value for name, value in (headers or {}).items() if value is not None},
        repeatable=True,
    )
    if response.status == 429 or response.status >= 500 or response.status in range(300, 400) or not _is_object(response.text):
        raise diagnose_answer(response)
    return response


def request_token(request: TokenRequest, *, secret: str | None = None, assertion: AssertionMaker | None = None) -> Grant:
    """Get a token for the app itself, by a secret or by an assertion (RFC 6749 section 4.4, RFC 7523 section 2.2).

    :raises PartnerError: as the answer says, see `diagnosis`.
    """
    require_libraries()
    http = EntraHttp(request)
    client = msal.oauth2cli.Client(
        {"token_endpoint": request.token_url},
        request.client_id,
        http_client=http,
        client_assertion=assertion,
        client_assertion_type=ASSERTION_TYPE if assertion else None,
        default_body=None if assertion else {"client_secret": secret},
    )
    is_v1 = request.endpoint_version == "v1"
    body = client.obtain_token_for_client(
        None if is_v1 else scope_of(request.resource), data={"resource": request.resource if is_v1 else None, "claims": request.claims}
    )
    return grant_from(request, body, http.response)


def scope_of(resource: str) -> str:
    """Return the v2 scope that stands for all roles of a resource. A resource that ends in a slash keeps it."""
    return f"{resource}/.default"


def grant_from(request: TokenRequest, body: Mapping[str, Any], response: Response | None) -> Grant:
    """Return the token in a body of the token endpoint; v1 tells its numbers as strings.

    :raises PartnerError: as the body says, see `diagnosis`.
    """
    status = response.status if response else None
    request_id = response.request_id if response else None
    if "error" in body:
        raise diagnose(body, attempted=request.attempted, tenant_id=request.tenant_id, http_status=status, request_id=request_id)
    value = body.get("access_token")
    try:
        expires_in = float(body["expires_in"])
    except (KeyError, TypeError, ValueError):
        expires_in = 0.0
    lives = math.isfinite(expires_in) and expires_in > 0
    if not isinstance(value, str) or not value or not lives or str(body.get("token_type", "Bearer")).lower() != "bearer":
        raise _no_token(request, status, request_id)
    return Grant(value, expires_in)


def _no_token(request: TokenRequest, status: int | None, request_id: str | None) -> PartnerError:
    return TransportError(
        "The sign-in service answered with success, but without a usable bearer token.",
        attempted=request.attempted,
        tenant_id=request.tenant_id,
        state="unreachable",
        http_status=status,
        request_id=request_id,
        next_step="Check login_url and what answers there.",
    )


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
