# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A user who signs in at another device: for the first bootstrap, when there is no app with a credential yet.

The app must allow public client flows. The user reads a code off the terminal and enters it at the address shown; the
token acts for that user.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from .._libraries import msal, require_libraries
from .base import Grant, TokenRequest
from .diagnosis import diagnose
from .entra import EntraHttp, grant_from, scope_of
from .files import unusable
from .fingerprints import fingerprint


@dataclass(frozen=True)
class DeviceCode:
    """A sign-in by device code.

    :param notify: shows the user where to enter which code, at once; None where nobody could see it in time.
    """

    notify: Callable[[str], None] | None = field(default=None, repr=False, compare=False)
    kind: str = "device_code"

    @property
    def fingerprint(self) -> str:
        """The same for all sign-ins: the cache keeps the token of the last one."""
        return fingerprint(self.kind)

    @property
    def material(self) -> None:
        """None: the user's secret never comes here."""
        return

    def validate(self) -> None:
        """Check that the code can be shown to somebody."""
        if self.notify is None:
            raise unusable(
                "auth_method=device_code needs somebody to read the code, and here its message would be shown only after the end.",
                "Run the task on the controller (connection local, no become, no async).",
            )

    def acquire(self, request: TokenRequest) -> Grant:
        """Show a code, then wait until the user has signed in or the code has expired (about 15 minutes)."""
        require_libraries()
        self.validate()
        authority = f"{request.endpoints.login_url}/{request.tenant_id}"
        http = EntraHttp(request)
        application = msal.PublicClientApplication(request.client_id, authority=authority, http_client=http, instance_discovery=False)
        # The delegated permissions that the app declares for the resource.
        flow = application.initiate_device_flow([scope_of(request.resource)], claims_challenge=request.claims)
        if "user_code" not in flow:
            raise self._refused(flow, request, http)
        if self.notify is None:
            raise AssertionError("validate() lets none pass that cannot notify")
        self.notify(f"Sign in for tenant {request.tenant_id}: {flow.get('message') or _message(flow)}")
        answer = application.acquire_token_by_device_flow(flow, claims_challenge=request.claims)
        if "error" in answer:
            raise self._refused(answer, request, http)
        return grant_from(request, answer, http.response)

    def _refused(self, body: dict[str, object], request: TokenRequest, http: EntraHttp) -> Exception:
        status = http.response.status if http.response else None
        return diagnose(body, attempted=request.attempted, tenant_id=request.tenant_id, http_status=status)


def _message(flow: dict[str, object]) -> str:
    return f"open {flow.get('verification_uri')} and enter the code {flow.get('user_code')}."
