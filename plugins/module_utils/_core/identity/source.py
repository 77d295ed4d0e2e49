# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Where a token comes from: the cache, else the credential. One source serves many tenants and many threads."""

from __future__ import annotations

import contextlib
import random
import re
import time
from collections.abc import Callable, Iterator

from ..clouds import Endpoints
from ..errors import AuthenticationError, ContractViolation, CredentialError, PartnerError
from ..guids import checked_guid
from ..transport import Transport
from .audience import same_audience
from .base import Credential, EndpointVersion, Grant, TokenRequest
from .cache import CachedToken, CacheKey, TokenCache
from .diagnosis import is_transient
from .token import AccessToken, peek_claims

READY_TOKEN = "ready_token"  # noqa: S105 (the name of a method)
# Those that bring the app's id with the token.
_WITHOUT_CLIENT_ID = frozenset({READY_TOKEN, "azure_cli"})
_TRANSIENT_ATTEMPTS = 4
# How long (seconds) one that waits for somebody else's token keeps its place in a fleet, and for how long it then gives it away: the
# one that gets the token may need a place to go on.
_KEEPS_PLACE = 1.0
_GIVES_WAY = 0.25
_BLANK = re.compile(r"\s")


class TokenSource:
    """Gets tokens of one credential, for any tenant and resource.

    :param credential: already validated.
    :param client_id: GUID of the app; may be empty for a ready token and for Azure CLI.
    :param now, sleep: the passing of time, exchangeable for tests.
    :raises OptionError: when the client id is missing or malformed.
    """

    def __init__(
        self,
        credential: Credential,
        client_id: str,
        endpoints: Endpoints,
        transport: Transport,
        cache: TokenCache,
        endpoint_version: EndpointVersion = "v2",
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        optional = credential.kind in _WITHOUT_CLIENT_ID
        self.client_id = "" if optional and not client_id else checked_guid(client_id, option="client_id")
        self.credential = credential
        self.endpoints = endpoints
        self.transport = transport
        self.cache = cache
        self.endpoint_version: EndpointVersion = endpoint_version
        self._now = now
        self._sleep = sleep

    def get(
        self,
        tenant_id: str,
        resource_uri: str,
        *,
        force_refresh: bool = False,
        claims: str | None = None,
        min_lifetime: float = 0.0,
        checked: bool = True,
    ) -> AccessToken:
        """Return a token for a resource in a tenant.

        :param tenant_id: GUID of the tenant.
        :param resource_uri: App ID URI or GUID of the resource.
        :param force_refresh: take none that was obtained before this call.
        :param claims: JSON text of a claims challenge that the token has to answer; implies a new token.
        :param min_lifetime: seconds that a token from the cache must still have.
        :param checked: refuse a token whose claims name another tenant (or, for a ready token, another resource);
            False for a caller that holds the token against a contract and reports the finding itself.
        :raises CredentialError: when every tenant would fail alike.
        :raises AuthenticationError: when the tenant refuses.
        :raises TransportError: when no usable answer came.
        :raises ContractViolation: when the token is for another tenant or resource.
        """
        request = TokenRequest(
            tenant_id=tenant_id,
            client_id=self.client_id,
            resource=resource_uri,
            endpoints=self.endpoints,
            transport=self.transport,
            endpoint_version=self.endpoint_version,
            claims=claims,
        )
        if self.credential.kind == READY_TOKEN:
            token = self._given(request, checked=checked)
        else:
            token = self._kept_or_new(request, force_refresh=force_refresh or claims is not None, min_lifetime=min_lifetime)
        if checked:
            self._check(token)
        return token

    def purge(self, tenant_id: str | None = None) -> int:
        """Forget the tokens of a tenant (after its grants changed), or all; return how many there were."""
        return self.cache.purge(tenant_id)

    def refused_for(self, tenant_id: str, resource_uri: str) -> float:
        """Return for how many seconds the credential itself has been refused again and again, for this tenant or another."""
        return self.cache.refused_for(self._key(tenant_id, resource_uri))

    def _key(self, tenant_id: str, resource_uri: str) -> CacheKey:
        return CacheKey(
            authority=self.endpoints.login_url,
            client_id=self.client_id,
            tenant_id=tenant_id,
            resource=resource_uri,
            credential=f"{self.credential.kind}:{self.credential.fingerprint}",
        )

    def _kept_or_new(self, request: TokenRequest, *, force_refresh: bool, min_lifetime: float) -> AccessToken:
        key = self._key(request.tenant_id, request.resource)
        asked_at = self._now()
        if not force_refresh:
            kept = self._fresh(key, min_lifetime=min_lifetime)
            if kept:
                return self._token(request, kept, source="cache")
        with self._turn(key):
            # Somebody else may have got it while this one waited for the lock. What was obtained after this call
            # began is new enough for one that wants a new token, unless that has to answer a challenge.
            kept = self._fresh(key, min_lifetime=min_lifetime)
            if kept and not request.claims and (not force_refresh or kept.obtained_at > asked_at):
                return self._token(request, kept, source="cache")
            new = self._acquire(request, key, believe_refusal=not force_refresh)
            self.cache.put(key, new)
        return self._token(request, new, source="network")

    @contextlib.contextmanager
    def _turn(self, key: CacheKey) -> Iterator[None]:
        """Hold the lock of a key. Whoever does not get it in a call's time goes on without: better a request too many than no token."""
        left = self.transport.settings.deadline
        while True:
            begun = time.monotonic()
            with self.cache.locked(key, wait=min(left, _KEEPS_PLACE)) as got:
                waited = time.monotonic() - begun
                left -= _KEEPS_PLACE
                # One that is refused at once is on a file system without locks.
                if got or left <= 0 or waited < _KEEPS_PLACE / 2:
                    yield
                    return
            self._sleep(_GIVES_WAY)

    def _fresh(self, key: CacheKey, *, min_lifetime: float) -> CachedToken | None:
        kept = self.cache.get(key)
        return kept if kept and kept.is_fresh(self._now(), min_lifetime=min_lifetime) else None

    def _acquire(self, request: TokenRequest, key: CacheKey, *, believe_refusal: bool) -> CachedToken:
        refusal = self.cache.refusal(key) if believe_refusal else None
        if refusal:
            raise refusal
        try:
            grant = self._patiently(request)
        except (AuthenticationError, CredentialError) as error:
            # Said by the service, not found offline: nothing may stand on a token that is older than the refusal.
            if error.code and error.state != "unreachable":
                self.cache.forget(key)
            # What is found offline costs no request to find again, and what a tenant says about one user's account says
            # nothing about the next tenant.
            if error.code and error.scope == "credential" and isinstance(error, CredentialError):
                self.cache.note_refusal(key, error)
            raise
        obtained_at = self._now()
        return CachedToken(grant.value, obtained_at=obtained_at, expires_at=obtained_at + grant.expires_in)

    def _patiently(self, request: TokenRequest) -> Grant:
        """Ask again after the few errors that the service itself calls passing, although it gives them status 400."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return self.credential.acquire(request)
            except PartnerError as error:
                exhausted = attempt == _TRANSIENT_ATTEMPTS or (error.http_status or 500) >= 500  # those the transport repeated
                if exhausted or not is_transient(error):
                    raise
            self._sleep(random.uniform(0.5, 1.0) * 2.0 ** (attempt - 1))  # noqa: S311 (jitter, not a secret)

    def _token(self, request: TokenRequest, kept: CachedToken, *, source: str) -> AccessToken:
        claims = {} if self.client_id else peek_claims(kept.value)
        return AccessToken(
            value=kept.value,
            tenant_id=request.tenant_id,
            resource=request.resource,
            client_id=self.client_id or str(claims.get("appid") or claims.get("azp") or ""),
            expires_at=kept.expires_at,
            auth_method=self.credential.kind,
            source=source,
        )

    def _given(self, request: TokenRequest, *, checked: bool) -> AccessToken:
        grant = self.credential.acquire(request)
        now = self._now()
        token = self._token(request, CachedToken(grant.value, obtained_at=now, expires_at=now + grant.expires_in), source="given")
        if not checked:
            return token
        if not token.claims or _BLANK.search(token.value):
            raise _unusable(token, "access_token is not a readable token.", "Give the token itself, without the word Bearer.")
        if not token.claims.get("tid"):
            raise _unusable(token, "access_token does not say which tenant it is for.", "Give a token that Entra ID issued.")
        if grant.expires_in <= 0:
            raise _unusable(token, "access_token has expired.", "Get a new one, or give a credential instead, which renews it.")
        if not same_audience(str(token.claims.get("aud", "")), request.resource):
            raise _unusable(
                token,
                f"access_token is for {token.claims.get('aud')}, but a token for {request.resource} is needed.",
                "Give a token for that resource, or a credential instead, which can get one for any.",
            )
        return token

    def _check(self, token: AccessToken) -> None:
        """A token for another tenant is a breach in the making, so the last look is before it leaves this class."""
        found = token.claims.get("tid")
        if found is not None and str(found).lower() != token.tenant_id.lower():
            raise ContractViolation(
                f"The token is for the tenant {found}.",
                attempted=f"getting a token for {token.resource}",
                tenant_id=token.tenant_id,
                state="credential_error",
                next_step="Check tenant_id, and which tenant the credential is signed in to.",
            )


def _unusable(token: AccessToken, message: str, next_step: str) -> CredentialError:
    return CredentialError(message, tenant_id=token.tenant_id, state="credential_error", next_step=next_step, scope="tenant")
