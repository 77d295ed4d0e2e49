# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The keys that Entra ID signs tokens with, from the configured login host and from nowhere else.

What a token says about keys (`jku`, `x5u`, `jwk`, `x5c`, `iss`) is written by whoever made the token, so none of it is
followed. Rollover follows the access tokens page: several keys at once, order without meaning, a new key may sign at
any time. So keys are kept for half a day, and an unknown key id makes them be fetched again at once, but at most once
in five minutes, lest a stream of forged tokens becomes a stream of requests.

The key sets of `common` are used: they hold the keys of all tenants, so that one request serves a whole fleet.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from .._libraries import cryptography, jwt, require_libraries
from ..errors import PartnerError, TransportError
from ..transport import Transport
from .store import Store

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

_KEPT_SECONDS = 12 * 3600.0
_USABLE_SECONDS = 24 * 3600.0
_REFETCH_SECONDS = 300.0
_SMALLEST_KEY_BITS = 2048
_LOCK_SECONDS = 30.0


class KeySource(Protocol):
    """Finds the keys of an issuer."""

    def find(self, kid: str, *, version: str) -> tuple[RSAPublicKey, str | None] | None:
        """Return the key with this id and the issuer template it is bound to, or None where the issuer has no such key.

        :param version: version of the token, `1.0` or `2.0`.
        :raises PartnerError: when the keys cannot be had.
        """


class IssuerKeys:
    """The keys of one login host, shared by the processes of a run through `store`."""

    def __init__(self, login_url: str, transport: Transport, store: Store, *, now: Callable[[], float] = time.time) -> None:
        self._login_url = login_url
        self._transport = transport
        self._store = store
        self._now = now

    def find(self, kid: str, *, version: str) -> tuple[RSAPublicKey, str | None] | None:
        """See `KeySource`."""
        require_libraries()
        url = f"{self._login_url}/common/discovery/{'v2.0/' if version == '2.0' else ''}keys"
        name = f"keys-{hashlib.sha256(url.encode()).hexdigest()[:40]}.json"
        record = self._store.read(name, None)
        found = _key(record, kid)
        if found is None or not self._is_recent(record):
            record = self._renew(name, url, kid)
            found = _key(record, kid)
        return _public_key(found) if found else None

    def _is_recent(self, record: Mapping[str, Any] | None, *, seconds: float = _KEPT_SECONDS) -> bool:
        return record is not None and 0 <= self._now() - float(record.get("fetched_at", 0)) < seconds

    def _renew(self, name: str, url: str, kid: str) -> dict[str, Any]:
        """Return the keys after fetching them, unless somebody else just did or the unknown id comes too soon after another."""
        with self._store.locked(name, wait=_LOCK_SECONDS):
            record = self._store.read(name, None)
            recent = self._is_recent(record)
            if record is not None and recent and _key(record, kid):
                return record
            searched = float((record or {}).get("searched_at", 0))
            if record is not None and recent and 0 <= self._now() - searched < _REFETCH_SECONDS:
                return record
            try:
                keys = self._fetch(url)
            except PartnerError:
                if record is not None and self._is_recent(record, seconds=_USABLE_SECONDS) and _key(record, kid):
                    return record
                raise
            now = self._now()
            # Only a search for an unknown id counts against the limit: the first fetch must not forbid it.
            fresh = {"keys": keys, "fetched_at": now, "searched_at": now if recent else searched}
            self._store.write(name, fresh, None)
            return fresh

    def _fetch(self, url: str) -> list[dict[str, Any]]:
        attempted = "fetching the keys that sign tokens"
        response = self._transport.send("GET", url, attempted=attempted)
        body = response.json() if response.status == 200 else None
        keys = body.get("keys") if isinstance(body, Mapping) else None
        if not isinstance(keys, list):
            raise TransportError(
                f"{self._login_url} did not answer with a set of keys.",
                attempted=attempted,
                state="unreachable",
                http_status=response.status,
                request_id=response.request_id,
                next_step="Check login_url and that no proxy or sign-in page answers in its place.",
                retryable=response.status >= 500,
            )
        return [key for key in keys if isinstance(key, dict)]


def _key(record: Mapping[str, Any] | None, kid: str) -> dict[str, Any] | None:
    keys = (record or {}).get("keys")
    return next((key for key in keys if key.get("kid") == kid), None) if isinstance(keys, list) else None


def _public_key(key: Mapping[str, Any]) -> tuple[RSAPublicKey, str | None] | None:
    """Return an RSA signing key; None for a key of another sort. Nothing but modulus and exponent is taken from it."""
    if key.get("kty") != "RSA" or key.get("use", "sig") != "sig":
        return None
    try:
        public = jwt.algorithms.RSAAlgorithm.from_jwk(json.dumps({"kty": "RSA", "n": key["n"], "e": key["e"]}))
    except (KeyError, TypeError, ValueError, jwt.exceptions.InvalidKeyError):
        return None
    if not isinstance(public, cryptography.hazmat.primitives.asymmetric.rsa.RSAPublicKey) or public.key_size < _SMALLEST_KEY_BITS:
        return None
    issuer = key.get("issuer")
    return public, str(issuer) if issuer else None
