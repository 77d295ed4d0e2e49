# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A certificate with its private key, from PEM (one file or two) or PFX.

The assertion follows the certificate credentials page of the Microsoft identity platform: PS256, `x5t#S256` (the
SHA-256 thumbprint), audience = the tenant's token endpoint, issuer = subject = the app, ten minutes of life. It is
signed here and handed to MSAL, since MSAL would read the key anew for every tenant and send the chain with every PEM.
"""

from __future__ import annotations

import base64
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .._libraries import cryptography, jwt, require_libraries
from .base import Grant, TokenRequest
from .entra import request_token
from .files import read_credential_file, unusable
from .fingerprints import fingerprint

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate as X509

_LIFETIME_SECONDS = 600
# Entra ID allows for clocks that go wrong by five minutes; the assertion begins a little in the past as tokens do.
_BACKDATED_SECONDS = 60
_SMALLEST_KEY_BITS = 2048

_OPTION = "client_certificate_path"
_KEY_OPTION = "client_private_key_path"


@dataclass(frozen=True)
class _Loaded:
    """Key and certificates, read once per process and state of the files."""

    key: RSAPrivateKey = field(repr=False)
    chain: tuple[X509, ...]
    thumbprint: bytes
    material: bytes = field(repr=False)

    @property
    def leaf(self) -> X509:
        return self.chain[0]


@dataclass(frozen=True)
class Certificate:
    """A certificate that is registered on the app.

    :param path: PEM (certificate, with or without the key) or PFX.
    :param key_path: PEM file of the private key where `path` does not hold it.
    :param password: of the key or the PFX file.
    :param send_chain: put the certificates into the assertion (`x5c`), for apps that trust by subject name and issuer.
    """

    path: str
    key_path: str | None = None
    password: str | None = field(default=None, repr=False)
    send_chain: bool = False
    now: Callable[[], float] = field(default=time.time, repr=False, compare=False)
    kind: str = "certificate"

    @property
    def fingerprint(self) -> str:
        """A one-way function of the certificate, which is public."""
        return fingerprint(self.kind, self._loaded().thumbprint)

    @property
    def material(self) -> bytes:
        """The private key."""
        return self._loaded().material

    def validate(self) -> None:
        """Read the files; find a missing or foreign key, a wrong password, and a certificate outside its time.

        :raises CredentialError: one sentence for each of them.
        """
        leaf = self._loaded().leaf
        now = datetime.fromtimestamp(self.now(), tz=timezone.utc)
        begins, ends = _validity(leaf)
        if now > ends:
            raise unusable(
                f"The certificate in '{self.path}' expired on {ends:%Y-%m-%d}.",
                "Register a new one with m365d.partner.m365d_app_credential.",
            )
        if now < begins:
            raise unusable(
                f"The certificate in '{self.path}' is not valid before {begins:%Y-%m-%d %H:%M} UTC.", "Check this machine's clock."
            )

    def acquire(self, request: TokenRequest) -> Grant:
        """Sign an assertion for the tenant's token endpoint and send it there."""
        return request_token(request, assertion=lambda: self.assertion(request))

    def assertion(self, request: TokenRequest) -> str:
        """Return a new assertion, with an id of its own."""
        loaded = self._loaded()
        headers: dict[str, Any] = {"x5t#S256": base64.urlsafe_b64encode(loaded.thumbprint).rstrip(b"=").decode()}
        if self.send_chain:
            headers["x5c"] = [base64.b64encode(_der(certificate)).decode() for certificate in loaded.chain]
        now = int(self.now())
        claims = {
            "aud": request.token_url,
            "iss": request.client_id,
            "sub": request.client_id,
            "jti": str(uuid.uuid4()),
            "iat": now,
            "nbf": now - _BACKDATED_SECONDS,
            "exp": now + _LIFETIME_SECONDS,
        }
        return jwt.encode(claims, loaded.key, algorithm="PS256", headers=headers)

    def _loaded(self) -> _Loaded:
        return _load(self.path, self.key_path, self.password, _state(self.path), _state(self.key_path))


def _state(path: str | None) -> tuple[int, int] | None:
    """Return what changes when a file does, so that a renewed certificate is noticed."""
    try:
        found = os.stat(os.path.expanduser(path)) if path else None
    except (OSError, ValueError):
        return None
    return (found.st_mtime_ns, found.st_size) if found else None


@lru_cache(maxsize=8)
def _load(path: str, key_path: str | None, password: str | None, *_states: object) -> _Loaded:
    """Read and check key and certificates."""
    require_libraries()
    content = read_credential_file(path, option=_OPTION)
    # What is no text, such as a variable of the environment in another encoding, opens nothing; it is not to stop here.
    secret = password.encode(errors="surrogatepass") if password else None
    if b"-----BEGIN" in content:
        certificates = _pem_certificates(content, path)
        key_content = read_credential_file(key_path, option=_KEY_OPTION) if key_path else content
        key = _pem_key(key_content, key_path or path, secret, separate=key_path is not None)
    else:
        key, certificates = _pfx(content, path, secret)
        if key_path:
            key = _pem_key(read_credential_file(key_path, option=_KEY_OPTION), key_path, secret, separate=True)
    return _checked(key, certificates, path=path, key_path=key_path)


def _pem_certificates(content: bytes, path: str) -> list[X509]:
    if b"-----BEGIN CERTIFICATE-----" not in content:
        raise unusable(f"'{path}' contains no certificate.", f"Put the certificate into {_OPTION}, before or after the key.")
    try:
        return cryptography.x509.load_pem_x509_certificates(content)
    except ValueError as exc:
        raise unusable(f"The certificate in '{path}' is damaged.", f"Export it again, and check {_OPTION}.") from exc


def _pem_key(content: bytes, path: str, password: bytes | None, *, separate: bool) -> Any:
    if b"PRIVATE KEY-----" not in content:
        hint = f"Check {_KEY_OPTION}." if separate else f"Name the key's own file in {_KEY_OPTION}, or add the key to {_OPTION}."
        raise unusable(f"'{path}' contains no private key.", hint)
    encrypted = b"ENCRYPTED" in content
    if encrypted and not password:
        raise unusable(f"The private key in '{path}' is encrypted, and no password is given.", "Give client_certificate_password.")
    try:
        return cryptography.hazmat.primitives.serialization.load_pem_private_key(content, password if encrypted else None)
    except (ValueError, TypeError, cryptography.exceptions.UnsupportedAlgorithm) as exc:
        if encrypted:
            raise unusable(f"The password does not open the private key in '{path}'.", "Check client_certificate_password.") from exc
        raise unusable(f"The private key in '{path}' is damaged.", "Export it again.") from exc


def _pfx(content: bytes, path: str, password: bytes | None) -> tuple[Any, list[X509]]:
    try:
        key, leaf, others = cryptography.hazmat.primitives.serialization.pkcs12.load_key_and_certificates(content, password)
    except ValueError as exc:
        raise _not_pfx(content, path, password) from exc
    if leaf is None:
        raise unusable(f"The PFX file '{path}' contains no certificate that belongs to its key.", "Export key and certificate together.")
    return key, [leaf, *others]


def _not_pfx(content: bytes, path: str, password: bytes | None) -> Exception:
    """Tell a password that does not fit from a file of another kind: a PFX file is an ASN.1 sequence with version 3 (RFC 7292)."""
    if not (content[:1] == b"\x30" and b"\x02\x01\x03" in content[:16]):
        return unusable(f"'{path}' is neither a PEM nor a PFX file.", f"Check {_OPTION}; a DER certificate has to be converted to PEM.")
    if password:
        return unusable(f"The password does not open the PFX file '{path}'.", "Check client_certificate_password.")
    return unusable(f"The PFX file '{path}' is encrypted, and no password is given.", "Give client_certificate_password.")


def _checked(key: Any, certificates: list[X509], *, path: str, key_path: str | None) -> _Loaded:
    """Return key and chain, the certificate of the key first."""
    serialization = cryptography.hazmat.primitives.serialization
    if key is None:
        raise unusable(f"'{path}' contains no private key.", f"Name the key's own file in {_KEY_OPTION}, or export both together.")
    if not isinstance(key, cryptography.hazmat.primitives.asymmetric.rsa.RSAPrivateKey) or key.key_size < _SMALLEST_KEY_BITS:
        raise unusable(
            f"The private key in '{key_path or path}' is not an RSA key of at least {_SMALLEST_KEY_BITS} bits, as Entra ID demands.",
            "Create a new RSA key and register its certificate.",
        )
    public = _public_bytes(key.public_key())
    leaf = next((certificate for certificate in certificates if _public_bytes(certificate.public_key()) == public), None)
    if leaf is None:
        raise unusable(
            f"The private key in '{key_path or path}' does not belong to the certificate in '{path}'.",
            f"Check {_OPTION} and {_KEY_OPTION}: they must come from the same key pair.",
        )
    return _Loaded(
        key=key,
        chain=(leaf, *(certificate for certificate in certificates if certificate is not leaf)),
        thumbprint=leaf.fingerprint(cryptography.hazmat.primitives.hashes.SHA256()),
        material=key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


def _public_bytes(key: Any) -> bytes:
    serialization = cryptography.hazmat.primitives.serialization
    encoded: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return encoded


def _der(certificate: X509) -> bytes:
    return certificate.public_bytes(cryptography.hazmat.primitives.serialization.Encoding.DER)


def _validity(certificate: X509) -> tuple[datetime, datetime]:
    """Return begin and end; older versions of cryptography tell them without a time zone, in UTC."""
    if hasattr(certificate, "not_valid_after_utc"):
        return certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return certificate.not_valid_before.replace(tzinfo=timezone.utc), certificate.not_valid_after.replace(tzinfo=timezone.utc)
