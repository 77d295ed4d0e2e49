# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The signing keys of the emulated Entra ID and their rollover."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID


def b64url(raw: bytes) -> str:
    """Unpadded base64url, the encoding of everything in a JWT."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def b64url_decode(text: str) -> bytes:
    """The bytes behind unpadded base64url. Raises ValueError (binascii.Error) on anything else."""
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _integer(value: int) -> str:
    return b64url(value.to_bytes((value.bit_length() + 7) // 8, "big"))


@dataclass(slots=True)
class SigningKey:
    """One RSA key with its self-signed certificate. `kid` is the SHA-1 thumbprint, as Entra does it."""

    private: rsa.RSAPrivateKey
    public: rsa.RSAPublicKey
    certificate: bytes
    kid: str

    @classmethod
    def generate(cls, moment: datetime, *, subject: str = "accounts.accesscontrol.windows.net", bits: int = 2048) -> SigningKey:
        """A new key whose certificate is valid for five years around `moment`."""
        private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
        builder = x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(moment - timedelta(days=30)).not_valid_after(moment + timedelta(days=1825))
        der = builder.sign(private, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
        thumbprint = b64url(hashlib.sha1(der, usedforsecurity=False).digest())
        return cls(private, private.public_key(), der, thumbprint)

    def sign(self, data: bytes) -> bytes:
        """RS256 signature of `data`."""
        return self.private.sign(data, padding.PKCS1v15(), hashes.SHA256())

    def jwk(self, *, issuer: str | None = None, alg: bool = False) -> dict[str, Any]:
        """The key as it appears in a JWKS."""
        numbers = self.public.public_numbers()
        key: dict[str, Any] = {
            "kty": "RSA",
            "use": "sig",
            "kid": self.kid,
            "x5t": self.kid,
            "n": _integer(numbers.n),
            "e": _integer(numbers.e),
            "x5c": [base64.b64encode(self.certificate).decode()],
        }
        if issuer is not None:
            key["issuer"] = issuer
        if alg:
            key["alg"] = "RS256"
        return key


class SigningKeys:
    """The published keys; the first one signs. Several are published at once, as the real service does."""

    def __init__(self, moment: datetime, *, keys: list[SigningKey] | None = None) -> None:
        self._keys = keys or [SigningKey.generate(moment), SigningKey.generate(moment)]

    @property
    def current(self) -> SigningKey:
        """The key that signs new tokens."""
        return self._keys[0]

    def published(self) -> list[SigningKey]:
        """All keys of the JWKS; the order means nothing, so the current one is not first."""
        return sorted(self._keys, key=lambda key: key.kid)

    def find(self, kid: str) -> SigningKey | None:
        """The published key with this id."""
        return next((key for key in self._keys if key.kid == kid), None)

    def rotate(self, moment: datetime, *, retire_old: bool = False, announce_only: bool = False) -> str:
        """Publish a new key and sign with it; returns its kid.

        With `retire_old` all others disappear at once (an emergency rollover); with `announce_only` the new key is published but does
        not sign yet.
        """
        fresh = SigningKey.generate(moment)
        if retire_old:
            self._keys = [fresh]
        elif announce_only:
            self._keys.append(fresh)
        else:
            self._keys = [fresh, *self._keys[:2]]
        return fresh.kid
