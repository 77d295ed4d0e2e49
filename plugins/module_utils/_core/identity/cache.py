# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Tokens that were obtained already, kept per login host, app, tenant, resource and credential.

A hit takes no lock. A miss is filled under the lock of its key, so that fifty workers that want the same token make
one request; other keys are not held up. See `store.py` for how records lie on the disk.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ..errors import CredentialError, PartnerError
from .store import FileStore, MemoryStore, Store

# A token is renewed this long before it ends, or in the last tenth of a shorter life.
REFRESH_MARGIN_SECONDS = 300.0
# How long a refusal of the credential is believed before it is tried again, so that a thousand hosts with the same
# wrong secret make a request every few seconds and not a thousand, and a secret that was just made is soon accepted.
REFUSAL_SECONDS = 10.0
# A refusal that comes within this time after another continues it; whoever waits for a credential asks more often.
_CONTINUES_SECONDS = 60.0

_IN_MEMORY = MemoryStore()


@dataclass(frozen=True)
class CacheKey:
    """What a token depends on.

    :param authority: URL of the login host.
    :param credential: kind and fingerprint of the credential.
    """

    authority: str
    client_id: str
    tenant_id: str
    resource: str
    credential: str

    @functools.cached_property
    def name(self) -> str:
        """Name of the record; begins with the tenant's part, by which `TokenCache.purge()` finds it."""
        parts = [self.authority, self.client_id, self.tenant_id, self.resource, self.credential]
        return f"{_tenant_part(self.tenant_id)}{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]}.token"

    @functools.cached_property
    def refusal_name(self) -> str:
        """Name of the record that says that the credential was refused; the same for all tenants.

        It may have been refused for what was asked for, which says nothing about another resource.
        """
        parts = [self.authority, self.client_id, self.resource, self.credential]
        return f"refused-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:40]}.note"


@dataclass(frozen=True)
class CachedToken:
    """A token in the cache; times are seconds since the epoch."""

    value: str = field(repr=False)
    obtained_at: float
    expires_at: float

    def is_fresh(self, now: float, *, min_lifetime: float = 0.0) -> bool:
        """Whether it is worth handing out: not near its end, and good for `min_lifetime` more seconds."""
        margin = min(REFRESH_MARGIN_SECONDS, (self.expires_at - self.obtained_at) / 10)
        return self.obtained_at <= now + REFRESH_MARGIN_SECONDS and self.expires_at - now > max(margin, min_lifetime)


class TokenCache:
    """The tokens of one credential.

    :param directory: where they are kept; None keeps them in this process.
    :param material: what they are encrypted with; None where the credential has nothing.
    :raises OptionError: when the directory cannot be used.
    """

    def __init__(self, directory: str | None = None, material: bytes | None = None, *, now: Callable[[], float] = time.time) -> None:
        self.store: Store = FileStore(directory) if directory else _IN_MEMORY
        self._material = material
        self._now = now

    def get(self, key: CacheKey) -> CachedToken | None:
        """Return the token of a key, fresh or not, or None."""
        record = self.store.read(key.name, self._material)
        try:
            return CachedToken(str(record["value"]), float(record["obtained_at"]), float(record["expires_at"])) if record else None
        except (KeyError, TypeError, ValueError):
            return None

    def put(self, key: CacheKey, token: CachedToken) -> None:
        """Keep a token."""
        record = {"value": token.value, "obtained_at": token.obtained_at, "expires_at": token.expires_at}
        self.store.write(key.name, record, self._material)

    def forget(self, key: CacheKey) -> None:
        """Drop the token of a key, if there is one: the tenant has refused since it was obtained."""
        if self.get(key):
            self.store.remove(key.name)

    def locked(self, key: CacheKey, *, wait: float) -> contextlib.AbstractContextManager[bool]:
        """Hold the lock of a key while its token is obtained. Yield False where `wait` seconds did not suffice."""
        return self.store.locked(key.name, wait=wait)

    def purge(self, tenant_id: str | None = None) -> int:
        """Forget the tokens of a tenant (after a grant changed: they carry the old roles), or all; return how many there were."""
        return self.store.remove(_tenant_part(tenant_id) if tenant_id else "t-")

    def refusal(self, key: CacheKey) -> CredentialError | None:
        """Return the error by which this credential was refused a moment ago for any tenant, or None."""
        record = self.store.read(key.refusal_name, self._material)
        if not record or not 0 <= self._now() - float(record.get("at", 0)) < REFUSAL_SECONDS:
            return None
        known = ("attempted", "state", "code", "next_step", "http_status", "request_id", "service_message")
        return CredentialError(
            str(record.get("message")),
            tenant_id=key.tenant_id,
            retryable=bool(record.get("retryable")),
            **{name: record.get(name) for name in known},
        )

    def refused_for(self, key: CacheKey) -> float:
        """Return for how many seconds this credential has been refused again and again, for any tenant; 0 where it is not."""
        record, now = self.store.read(key.refusal_name, self._material), self._now()
        if not record or not 0 <= now - float(record.get("at", 0)) < _CONTINUES_SECONDS:
            return 0.0
        return now - float(record.get("since", now))

    def note_refusal(self, key: CacheKey, error: PartnerError) -> None:
        """Remember that the credential itself was refused, and since when it has been."""
        now = self._now()
        since = now - self.refused_for(key)
        self.store.write(key.refusal_name, {**error.as_dict(), "retryable": error.retryable, "at": now, "since": since}, self._material)


def _tenant_part(tenant_id: str) -> str:
    return f"t-{hashlib.sha256(tenant_id.lower().encode()).hexdigest()[:16]}-"
