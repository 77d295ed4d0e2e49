# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The managed identity of this Azure machine, trusted by a federated credential of the app.

A managed identity lives in one tenant, so it cannot enter a customer's itself. Its token for the exchange audience
serves as the app's assertion instead (workload identity federation). MSAL knows where each kind of Azure machine
hands out tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._libraries import msal, requests, require_libraries
from ..errors import excerpt
from ..guids import is_guid
from .base import Grant, TokenRequest
from .entra import request_token
from .files import unusable
from .fingerprints import fingerprint

# Workload identity federation, "audience"; one for each login service.
_EXCHANGE_AUDIENCES: Mapping[str, str] = {
    "gcc_high": "api://AzureADTokenExchangeUSGov",
    "dod": "api://AzureADTokenExchangeUSGov",
    "china": "api://AzureADTokenExchangeChina",
}
_EXCHANGE_AUDIENCE = "api://AzureADTokenExchange"
_TIMEOUT_SECONDS = 10.0


def _local_http() -> Any:
    """Return an HTTP client for the machine's own metadata service: no proxy, no redirect, no patience."""
    require_libraries()

    class _LocalHttp(requests.Session):
        def request(self, method: Any, url: Any, **options: Any) -> Any:  # type: ignore[override]
            return super().request(method, url, **{"timeout": _TIMEOUT_SECONDS, **options, "allow_redirects": False})

    session = _LocalHttp()
    session.trust_env = False
    return session


@dataclass(frozen=True)
class ManagedIdentity:
    """A managed identity.

    :param client_id: of a user-assigned identity; None for the system-assigned one.
    :param http: makes the client for the metadata service, exchangeable for tests.
    """

    client_id: str | None = None
    http: Callable[[], Any] = field(default=_local_http, repr=False, compare=False)
    kind: str = "managed_identity"

    @property
    def fingerprint(self) -> str:
        """Names the identity."""
        return fingerprint(self.kind, (self.client_id or "system").encode())

    @property
    def material(self) -> None:
        """None: the identity is the machine's, there is no secret."""
        return

    def validate(self) -> None:
        """Check the form of the client id."""
        if self.client_id and not is_guid(self.client_id):
            raise unusable(
                f"managed_identity_client_id is not a GUID: '{self.client_id}'.",
                "Give the client id of the user-assigned identity, or leave it out for the system-assigned one.",
            )

    def acquire(self, request: TokenRequest) -> Grant:
        """Get the identity's token and exchange it for the app's at the tenant's token endpoint."""
        return request_token(request, assertion=lambda: self._token(request.endpoints.cloud))

    def _token(self, cloud: str) -> str:
        require_libraries()
        identity = msal.UserAssignedManagedIdentity(client_id=self.client_id) if self.client_id else msal.SystemAssignedManagedIdentity()
        http = self.http()
        try:
            client = msal.ManagedIdentityClient(identity, http_client=http)
            answer = client.acquire_token_for_client(resource=_EXCHANGE_AUDIENCES.get(cloud, _EXCHANGE_AUDIENCE))
        except (requests.RequestException, msal.ManagedIdentityError, AttributeError, KeyError, TypeError, ValueError) as exc:
            raise unusable(
                f"This machine's managed identity gave no token: {excerpt(str(exc), limit=160)}.",
                "Run on an Azure machine that has this identity, or choose another auth_method.",
            ) from exc
        finally:
            http.close()
        token = answer.get("access_token")
        if not isinstance(token, str) or not token:
            said = excerpt(str(answer.get("error_description") or answer.get("error") or "no reason given"), limit=160)
            raise unusable(
                f"This machine's managed identity gave no token: {said}.", "Check that the identity is assigned to this machine."
            )
        return token
