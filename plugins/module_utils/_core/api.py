# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A client of one API in one tenant: the bearer token stays with its origin, errors become `PartnerError`s.

Microsoft Graph and the Defender API share the envelope `{"error": {"code", "message"}}` and differ in the rest.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import urljoin

from .errors import AlreadyExists, ForeignOrigin, NotFound, PartnerError, PermissionDenied, ServiceError, TransportError
from .identity.token import AccessToken
from .transport import Response, Transport, origin_of, throttled_error

# Returns a token; the flag asks for one that does not come from a cache, the text is a claims challenge to answer.
TokenGetter = Callable[[bool, "str | None"], AccessToken]

_CLAIMS_CHALLENGE = re.compile(r'error="insufficient_claims".*claims="([^"]+)"', re.DOTALL)


class ApiClient:
    """Calls one API in one tenant.

    :param base_url: the API's base URL; the token is sent to its origin only.
    :param get_token: returns the token, see `TokenGetter`.
    :param tenant_id: GUID of the tenant, named in every error.
    """

    def __init__(self, transport: Transport, *, base_url: str, tenant_id: str, get_token: TokenGetter) -> None:
        self.transport = transport
        self.base_url = base_url.rstrip("/")
        self.tenant_id = tenant_id
        self._get_token = get_token
        self._origin = origin_of(self.base_url)
        self.requests_sent = 0

    def token(self) -> AccessToken:
        """Return the token that requests are made with."""
        return self._get_token(False, None)

    def call(
        self,
        method: str,
        target: str,
        *,
        attempted: str,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
        returned_at_once: Collection[int] = (),
        deadline: float | None = None,
        patience: float = 0.0,
    ) -> Response:
        """Send a request and return its answer when the status is 2xx.

        :param target: a path below `base_url`, or an absolute URL (a next link) of the same origin.
        :param returned_at_once: statuses whose error is raised without repeating the request first.
        :param patience: see `Transport.send()`.
        :raises ForeignOrigin: when the URL or a redirect leaves the origin; nothing was sent there.
        :raises ServiceError: (or a subclass) when the service answered with an error.
        :raises TransportError: when no complete answer came.
        """
        url = self._own_url(target, attempted=attempted)
        token = self._get_token(False, None)
        response = self._send(method, url, token, attempted, params, body, headers, repeatable, returned_at_once, deadline, patience)
        if response.status == 401:
            token = self._get_token(True, claims_challenge(response))
            response = self._send(method, url, token, attempted, params, body, headers, repeatable, returned_at_once, deadline, patience)
        if response.status == 403 and token.source == "cache" and lacking_roles(response, token.roles):
            # The token may be older than the consent: one that is obtained now tells whether the permission is missing.
            token, older = self._newer(token), token
            if set(token.roles) != set(older.roles):
                response = self._send(
                    method, url, token, attempted, params, body, headers, repeatable, returned_at_once, deadline, patience
                )
        if 200 <= response.status < 300:
            return response
        if 300 <= response.status < 400:
            raise self._redirected(response)
        raise service_error(response, roles=token.roles, given=token.source == "given")

    def get(self, target: str, *, attempted: str, params: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None) -> Any:
        """Return the parsed body of a GET."""
        return self.call("GET", target, attempted=attempted, params=params, headers=headers).json()

    def _newer(self, token: AccessToken) -> AccessToken:
        """Return a token that was obtained now; the old one where none can be had, since the service's refusal is the matter."""
        try:
            return self._get_token(True, None)
        except PartnerError:
            return token

    def _send(
        self,
        method: str,
        url: str,
        token: AccessToken,
        attempted: str,
        params: Mapping[str, Any] | None,
        body: Any,
        headers: Mapping[str, str] | None,
        repeatable: bool | None,
        returned_at_once: Collection[int],
        deadline: float | None,
        patience: float,
    ) -> Response:
        self.requests_sent += 1
        return self.transport.send(
            method,
            url,
            attempted=attempted,
            tenant_id=self.tenant_id,
            headers={**(headers or {}), "Authorization": f"Bearer {token.value}"},
            params=params,
            json_body=body,
            repeatable=repeatable,
            returned_at_once=returned_at_once,
            deadline=deadline,
            patience=patience,
        )

    def check_target(self, target: Any, *, attempted: str) -> None:
        """Raise, as `call()` would, where a service's link leads to another origin or is none, though it is not followed."""
        self._own_url(target, attempted=attempted)

    def _own_url(self, target: str, *, attempted: str) -> str:
        if not isinstance(target, str):
            raise TransportError(
                f"The service's answer holds a next link that is no text but {type(target).__name__}.",
                attempted=attempted,
                tenant_id=self.tenant_id,
                state="unreachable",
                next_step="Check that the URL is the service's own and that no proxy changes its answers.",
            )
        url = target if "://" in target else f"{self.base_url}/{target.lstrip('/')}"
        if origin_of(url) != self._origin:
            raise ForeignOrigin(
                f"The service's answer points to {origin_of(url)}, which is not {self._origin}; the token was not sent there.",
                attempted=attempted,
                tenant_id=self.tenant_id,
                state="unreachable",
                next_step="Check the URL options; if the service really moved, name its new address there.",
            )
        return url

    def _redirected(self, response: Response) -> TransportError:
        return ForeignOrigin(
            f"{self._origin} redirects to {_redirection(response)}; redirects are not followed with a token.",
            attempted=response.attempted,
            tenant_id=self.tenant_id,
            state="unreachable",
            http_status=response.status,
            next_step="Check the URL options and whether a proxy or sign-in page answers in the service's place.",
        )


def _redirection(response: Response) -> str:
    """Return the origin that a redirect leads to."""
    try:
        return origin_of(urljoin(response.url, response.headers.get("location", "")))
    except ValueError:
        return "an unreadable address"


def claims_challenge(response: Response) -> str | None:
    """Return the JSON text of a claims challenge in a 401, to be replayed in the token request, or None.

    Source: the claims challenge page of the Microsoft identity platform.
    """
    match = _CLAIMS_CHALLENGE.search(response.headers.get("www-authenticate", ""))
    if not match:
        return None
    text = match.group(1)
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, ValueError):
        return None


def error_body(response: Response) -> tuple[str | None, str]:
    """Return code and message of an error answer; (None, the text) where it has no such body."""
    try:
        error = json.loads(response.text)["error"]
        return str(error["code"]), str(error.get("message", ""))
    except (ValueError, KeyError, TypeError):
        return None, response.text


def lacking_roles(response: Response, roles: tuple[str, ...]) -> tuple[str, ...]:
    """Return the roles that a call accepts, where the answer names them and none of them is among `roles`; else nothing."""
    wanted = _wanted_roles(error_body(response)[1])
    return () if set(wanted) & set(roles) else wanted


def _wanted_roles(message: str) -> tuple[str, ...]:
    match = re.search(r"API required roles: (.*?)(?:,\s*application roles:.*)?$", message)
    return tuple(role.strip(" .") for role in match.group(1).split(",") if role.strip(" .")) if match else ()


def service_error(response: Response, *, roles: tuple[str, ...] = (), given: bool = False) -> ServiceError:
    """Return the error that an answer with status 4xx or 5xx stands for.

    :param roles: the roles of the token that was sent; named in the message of a 403.
    :param given: whether the token came from the user, and may be older than the consent.
    """
    if response.status == 429:
        return throttled_error(response)
    code, message = error_body(response)
    if response.status == 404:
        return _make(
            NotFound,
            response,
            code,
            message,
            cause="The service knows no such object.",
            next_step="Check the id; a new object can take minutes to appear.",
        )
    if response.status == 409 or (response.status == 400 and re.search(r"already exists", message)):
        return _make(
            AlreadyExists,
            response,
            code,
            message,
            cause="The object is already there.",
            next_step="Nothing to do, unless another one was meant.",
        )
    if response.status == 403:
        return _forbidden(response, code, message, roles, given=given)
    if response.status == 401:
        return _unauthorized(response, code, message)
    if response.status >= 500:
        return _make(
            ServiceError,
            response,
            code,
            message,
            cause="The service had an internal fault.",
            next_step="Try again later.",
            state="unreachable",
            retryable=True,
        )
    return _make(
        ServiceError, response, code, message, cause="The service refused the request.", next_step="Correct what the service names."
    )


def _make(
    kind: type[ServiceError],
    response: Response,
    code: str | None,
    message: str,
    *,
    cause: str,
    next_step: str,
    state: str | None = None,
    retryable: bool = False,
) -> ServiceError:
    return kind(
        cause,
        attempted=response.attempted,
        tenant_id=response.tenant_id,
        state=state,
        code=code,
        http_status=response.status,
        request_id=response.request_id,
        service_message=message,
        next_step=next_step,
        retryable=retryable,
    )


def _forbidden(response: Response, code: str | None, message: str, roles: tuple[str, ...], *, given: bool) -> ServiceError:
    """Tell a missing role, a feature that is off and a missing licence from one another: the same 403 stands for all.

    A token that is older than the consent never comes here, unless it was given by the user: see `ApiClient.call()`.
    """
    wanted = lacking_roles(response, roles)
    held = ", ".join(roles) or "none"
    if wanted:
        older = " If that was done already, the token that was given is older: give a newer one." if given else ""
        return _make(
            PermissionDenied,
            response,
            code,
            message,
            cause=f"The token lacks every role that this call accepts ({', '.join(wanted)}); it carries: {held}.",
            next_step=f"Declare {wanted[0]} on the app and have the customer consent again.{older}",
            state="missing_roles" if roles else "consented_without_roles",
        )
    if code in ("DisabledFeature", "DisallowedOperation"):
        return _make(
            PermissionDenied,
            response,
            code,
            message,
            cause="The feature is switched off in this tenant.",
            next_step="Ask the customer to switch it on.",
            state="blocked",
        )
    if code == "Authorization_RequestDenied":
        return _make(
            PermissionDenied,
            response,
            code,
            message,
            cause=f"The caller may not do this; its token carries the roles: {held}.",
            next_step="Grant the permission that the documentation of this module names, or use a caller that holds it.",
            state="missing_roles",
        )
    if not roles:
        return _make(
            PermissionDenied,
            response,
            code,
            message,
            cause="The service refused, and the token carries no role of an app.",
            next_step="Have the customer consent to the permission that this module names; a user who is signed in needs the rights.",
            state="consented_without_roles",
        )
    return _make(
        PermissionDenied,
        response,
        code,
        message,
        cause=f"The service refused although the token carries the roles: {held}. The tenant may lack the licence or the product.",
        next_step="Check that Microsoft Defender is licensed and set up in this tenant.",
        state="not_licensed",
    )


def _unauthorized(response: Response, code: str | None, message: str) -> ServiceError:
    if re.search(r"not provisioned|account mode is inactive", message, re.IGNORECASE):
        return _make(
            ServiceError,
            response,
            code,
            message,
            cause="Microsoft Defender is not set up in this tenant.",
            next_step="Ask the customer to license and set up Microsoft Defender.",
            state="not_licensed",
        )
    if re.search(r"Invalid Authorization payload|audience", message, re.IGNORECASE):
        return _make(
            ServiceError,
            response,
            code,
            message,
            cause="The API does not accept this token's audience.",
            next_step="Ask for a token of the resource that this API expects.",
        )
    return _make(
        ServiceError,
        response,
        code,
        message,
        cause="The service does not accept the token.",
        next_step="Get a new token; if that fails too, check that the app is still enabled in this tenant.",
    )
