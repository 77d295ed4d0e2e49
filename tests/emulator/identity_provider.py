# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""External identity providers for federated credentials (a CI system, a cluster), served under `/_emulator/idp/{name}`."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from .clock import Clock
from .entra.keys import SigningKey, b64url, b64url_decode


class IdentityProvider:
    """One issuer with one RSA key."""

    def __init__(self, name: str, clock: Clock, origin: Callable[[], str]) -> None:
        self.name = name
        self._clock = clock
        self._origin = origin
        self._key = SigningKey.generate(clock.now(), subject=name)

    @property
    def issuer(self) -> str:
        """What `iss` says, and where the discovery document is."""
        return f"{self._origin()}/_emulator/idp/{self.name}"

    def configuration(self) -> dict[str, Any]:
        """The discovery document."""
        return {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/keys",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def keys(self) -> dict[str, Any]:
        """The JWKS."""
        return {"keys": [self._key.jwk(alg=True)]}

    def issue(self, *, subject: str, audience: str, lifetime: int = 600, extra: dict[str, Any] | None = None) -> str:
        """A signed assertion; `extra` overrides any claim."""
        now = int(self._clock.timestamp())
        claims: dict[str, Any] = {"iss": self.issuer, "sub": subject, "aud": audience, "iat": now, "nbf": now, "exp": now + lifetime}
        claims |= {"jti": str(uuid.uuid4())} | (extra or {})
        header = {"typ": "JWT", "alg": "RS256", "kid": self._key.kid}
        data = ".".join(b64url(json.dumps(part).encode()) for part in (header, claims))
        return f"{data}.{b64url(self._key.sign(data.encode()))}"

    def verifies(self, assertion: str) -> bool:
        """Whether this provider's key signed the assertion."""
        head, _unused, signature = assertion.rpartition(".")
        try:
            self._key.public.verify(b64url_decode(signature), head.encode(), padding.PKCS1v15(), hashes.SHA256())
        except (InvalidSignature, ValueError):
            return False
        return True


class IdentityProviders:
    """The providers by name; one is made when its name is first used."""

    def __init__(self, clock: Clock, origin: Callable[[], str]) -> None:
        self._clock = clock
        self._origin = origin
        self._known: dict[str, IdentityProvider] = {}

    def named(self, name: str) -> IdentityProvider:
        """The provider with this name."""
        if name not in self._known:
            self._known[name] = IdentityProvider(name, self._clock, self._origin)
        return self._known[name]

    def by_issuer(self, issuer: str) -> IdentityProvider | None:
        """The provider behind an `iss` claim, None for any other issuer."""
        prefix = f"{self._origin()}/_emulator/idp/"
        name = issuer.removeprefix(prefix)
        return self.named(name) if issuer.startswith(prefix) and name and "/" not in name else None
