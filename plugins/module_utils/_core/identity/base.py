# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What every kind of credential offers, and what it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from ..clouds import Endpoints
from ..transport import Transport

EndpointVersion = Literal["v1", "v2"]


@dataclass(frozen=True)
class TokenRequest:
    """One token that is wanted.

    :param tenant_id: GUID of the tenant.
    :param client_id: GUID of the app.
    :param resource: App ID URI (or GUID) of the resource.
    :param endpoints: the cloud; `login_url` is the only host that a credential is sent to.
    :param transport: how to reach it.
    :param endpoint_version: which token endpoint to use; it does not decide the format of the token.
    :param claims: JSON text of a claims challenge to answer, or None.
    """

    tenant_id: str
    client_id: str
    resource: str
    endpoints: Endpoints
    transport: Transport = field(repr=False)
    endpoint_version: EndpointVersion = "v2"
    claims: str | None = None

    @property
    def attempted(self) -> str:
        """What is being done, for messages."""
        return f"getting a token for {self.resource}"

    @property
    def token_url(self) -> str:
        """The tenant's token endpoint; also the audience of a client assertion (certificate credentials page)."""
        version = "/v2.0" if self.endpoint_version == "v2" else ""
        return f"{self.endpoints.login_url}/{self.tenant_id}/oauth2{version}/token"


class Grant(NamedTuple):
    """A token and its remaining life in seconds."""

    value: str
    expires_in: float

    def __repr__(self) -> str:
        return f"Grant(value=********, expires_in={self.expires_in:.0f})"


class Credential(Protocol):
    """A way to get tokens. Objects of this kind are used by several threads at once."""

    @property
    def kind(self) -> str:
        """The name in `auth_method`."""

    @property
    def fingerprint(self) -> str:
        """Tells this credential from others of its kind; stable, and of no use to who wants to guess it."""

    @property
    def material(self) -> bytes | None:
        """What a cached token is encrypted with, so that a copied cache is useless without the credential; None where there is none."""

    def validate(self) -> None:
        """Find what is wrong without asking the network; raise `OptionError` or `CredentialError`."""

    def acquire(self, request: TokenRequest) -> Grant:
        """Get a token from its source.

        :raises CredentialError: when every tenant would fail alike.
        :raises AuthenticationError: when the tenant refuses.
        :raises TransportError: when no usable answer came.
        """
