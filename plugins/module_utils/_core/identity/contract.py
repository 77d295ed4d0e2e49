# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What a token must satisfy, check by check.

The rules are those that an API follows (claims validation page of the Microsoft identity platform, RFC 8725): form,
pinned algorithm, signature by a key of the configured login host, issuer, tenant, audience, client, time, then what
the token may do. Each check has an outcome of its own; one that cannot be made is `skipped` and says why.

Tokens for Microsoft Graph have a format of their own (a `nonce` in the header) whose signature only Graph can verify;
for them the signature is `unchecked`, and what vouches for the token is the TLS connection it came over.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from .._libraries import jwt, require_libraries
from ..clouds import MICROSOFT_GRAPH
from ..errors import PartnerError
from .audience import resource_of, same_audience
from .keys import KeySource
from .strict_jwt import Malformed, Parts, take_apart

Outcome = Literal["passed", "failed", "skipped"]
Signature = Literal["verified", "unchecked", "invalid"]
TokenType = Literal["app", "delegated", "any"]

# Entra ID signs with RS256; PS256 is what it prefers elsewhere and moves to. Both need an RSA key, never a shared secret.
ALGORITHMS = ("RS256", "PS256")
# Header members by which a token would bring its own key, or change what the signature means. Entra ID sets none of them.
_OWN_KEY_MEMBERS = ("jwk", "jku", "x5u", "x5c")
_MEANING_MEMBERS = ("crit", "b64", "zip")

# In the order in which they are made.
CHECKS = (
    "format",
    "algorithm",
    "signature",
    "issuer",
    "tenant",
    "audience",
    "client",
    "not_before",
    "expiry",
    "lifetime",
    "token_type",
    "roles",
    "required_roles",
    "allowed_roles",
    "forbidden_roles",
)

_V1_ISSUERS: Mapping[str, str] = {"china": "https://sts.chinacloudapi.cn"}
_V1_ISSUER = "https://sts.windows.net"


class Check(NamedTuple):
    """One check with its outcome; values are plain, and never a secret."""

    name: str
    outcome: Outcome
    expected: Any
    actual: Any
    message: str

    def as_dict(self) -> dict[str, Any]:
        """Return the check for a result."""
        return self._asdict()


@dataclass(frozen=True)
class Verdict:
    """All checks of one token.

    :param claims: as they stand in the token; trustworthy only where `signature` is `verified`.
    :param permissions: what the token may do: roles of an app, scopes of a user.
    """

    checks: tuple[Check, ...]
    signature: Signature
    claims: Mapping[str, Any] = field(repr=False)
    permissions: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.outcome == "failed")

    def outcome(self, name: str) -> Outcome:
        """Return the outcome of a check by its name."""
        return next(check.outcome for check in self.checks if check.name == name)


@dataclass(frozen=True)
class Contract:
    """What is demanded of a token.

    :param tenant_id: GUID of the tenant it must be for.
    :param resource: the audience it must have; other identifiers of the same API count as well.
    :param login_url: the configured login host; decides which issuer is accepted.
    :param cloud: the configured cloud, likewise.
    :param client_id: GUID of the app it must be for; empty where any app will do.
    :param required_roles: each must be in the token (roles of an app's token, scopes of a user's).
    :param allowed_roles: no other may be in the token; None allows all.
    :param forbidden_roles: none may be in the token.
    :param min_lifetime: seconds that it must still be valid.
    :param clock_skew: seconds by which a token may begin in the future. Entra ID dates `nbf` and `iat` five minutes
        back, so that a new token that fails here means a clock that is slow by those five minutes and the skew.
    :param token_type: `app` refuses a user's token, `delegated` an app's.
    """

    tenant_id: str
    resource: str
    login_url: str
    cloud: str = "global"
    client_id: str = ""
    required_roles: Collection[str] = ()
    allowed_roles: Collection[str] | None = None
    forbidden_roles: Collection[str] = ()
    min_lifetime: float = 0.0
    clock_skew: float = 60.0
    token_type: TokenType = "app"  # noqa: S105 (a kind of token)

    def check(self, token: str, keys: KeySource | None, *, now: float | None = None) -> Verdict:
        """Hold a token against the contract.

        :param keys: the issuer's keys; None leaves the signature unchecked.
        :param now: seconds since the epoch.
        """
        moment = time.time() if now is None else now
        try:
            parts = take_apart(token)
            _refuse_changed_meaning(parts.header)
        except Malformed as exc:
            return _not_a_token(str(exc))
        algorithm = _algorithm(parts)
        signature, state = self._signature(token, parts, keys, algorithm)
        held, roles = _permissions(parts.claims)
        checks = (
            Check("format", "passed", "a signed JWT", "a signed JWT", "The token is a JWT."),
            algorithm,
            signature,
            self._issuer(parts.claims),
            self._tenant(parts.claims),
            self._audience(parts.claims),
            self._client(parts.claims),
            self._not_before(parts.claims, moment),
            _expiry(parts.claims, moment),
            self._lifetime(parts.claims, moment),
            self._token_type(parts.claims),
            roles,
            self._required(held),
            self._allowed(held),
            self._forbidden(held),
        )
        return Verdict(checks, state, parts.claims, held)

    def _signature(self, token: str, parts: Parts, keys: KeySource | None, algorithm: Check) -> tuple[Check, Signature]:
        if algorithm.outcome == "failed":
            return _skipped("signature", "The algorithm is refused, so that there is no signature to verify."), "invalid"
        own = [name for name in _OWN_KEY_MEMBERS if name in parts.header]
        if own:
            message = f"The header brings its own key ({', '.join(own)}), which Entra ID never does; it is not used."
            return Check("signature", "failed", "a key of the login host", own[0], message), "invalid"
        if "nonce" in parts.header and resource_of(self.resource) == MICROSOFT_GRAPH:
            return _skipped("signature", "Tokens for Microsoft Graph have a format that only Microsoft Graph can verify."), "unchecked"
        if keys is None:
            return _skipped("signature", "The keys of the issuer were not asked for."), "unchecked"
        return _verified(token, parts, keys)

    def _issuer(self, claims: Mapping[str, Any]) -> Check:
        expected = accepted_issuers(self.tenant_id, login_url=self.login_url, cloud=self.cloud, version=_version(claims))
        return _compare("issuer", claims.get("iss"), expected, "issuer")

    def _tenant(self, claims: Mapping[str, Any]) -> Check:
        return _compare("tenant", _lower(claims.get("tid")), (self.tenant_id.lower(),), "tenant")

    def _audience(self, claims: Mapping[str, Any]) -> Check:
        audience = claims.get("aud")
        if isinstance(audience, str) and same_audience(audience, self.resource):
            return Check("audience", "passed", self.resource, audience, "The token is for the resource that was asked for.")
        return Check(
            "audience", "failed", self.resource, _plain(audience), "The token is for another resource, whose API alone accepts it."
        )

    def _client(self, claims: Mapping[str, Any]) -> Check:
        if not self.client_id:
            return _skipped("client", "Any app will do.")
        claim = "azp" if _version(claims) == "2.0" else "appid"
        return _compare("client", _lower(claims.get(claim)), (self.client_id.lower(),), "app")

    def _not_before(self, claims: Mapping[str, Any], now: float) -> Check:
        starts = [_number(claims.get(name)) for name in ("nbf", "iat") if name in claims]
        if not starts or None in starts:
            return Check("not_before", "failed", "a time", None, "The token does not say from when it is valid.")
        start = max(value for value in starts if value is not None)
        if start > now + self.clock_skew:
            message = f"The token is valid only in {start - now:.0f} s; this machine's clock may be wrong."
            return Check("not_before", "failed", round(now), start, message)
        return Check("not_before", "passed", round(now), start, "The token is valid already.")

    def _lifetime(self, claims: Mapping[str, Any], now: float) -> Check:
        if self.min_lifetime <= 0:
            return _skipped("lifetime", "No lifetime is demanded.")
        end = _number(claims.get("exp"))
        left = round(end - now) if end is not None else None
        if left is None or left < self.min_lifetime:
            return Check("lifetime", "failed", self.min_lifetime, left, "The token ends too soon.")
        return Check("lifetime", "passed", self.min_lifetime, left, "The token lives long enough.")

    def _token_type(self, claims: Mapping[str, Any]) -> Check:
        found = token_type_of(claims)
        if found is None:
            return Check("token_type", "failed", self.token_type, None, "The token does not say whether it acts for an app or for a user.")
        if self.token_type in ("any", found):
            return Check("token_type", "passed", self.token_type, found, f"The token is of type {found}.")
        return Check("token_type", "failed", self.token_type, found, f"The token is of type {found}, not {self.token_type}.")

    def _required(self, held: tuple[str, ...]) -> Check:
        if not self.required_roles:
            return _skipped("required_roles", "No roles are demanded.")
        missing = sorted(set(self.required_roles) - set(held))
        if missing:
            return Check("required_roles", "failed", sorted(self.required_roles), sorted(held), f"The token lacks {', '.join(missing)}.")
        return Check(
            "required_roles", "passed", sorted(self.required_roles), sorted(held), "The token carries all roles that are demanded."
        )

    def _allowed(self, held: tuple[str, ...]) -> Check:
        if self.allowed_roles is None:
            return _skipped("allowed_roles", "All roles are allowed.")
        beyond = sorted(set(held) - set(self.allowed_roles))
        if beyond:
            message = f"The token carries more than is allowed: {', '.join(beyond)}."
            return Check("allowed_roles", "failed", sorted(self.allowed_roles), sorted(held), message)
        return Check("allowed_roles", "passed", sorted(self.allowed_roles), sorted(held), "The token carries no other roles.")

    def _forbidden(self, held: tuple[str, ...]) -> Check:
        if not self.forbidden_roles:
            return _skipped("forbidden_roles", "No roles are forbidden.")
        # The services do not tell roles apart by case, and a prohibition must not be got around by it.
        forbidden = {role.lower() for role in self.forbidden_roles}
        found = sorted(role for role in held if role.lower() in forbidden)
        if found:
            message = f"The token carries what is forbidden: {', '.join(found)}."
            return Check("forbidden_roles", "failed", sorted(self.forbidden_roles), sorted(held), message)
        return Check("forbidden_roles", "passed", sorted(self.forbidden_roles), sorted(held), "The token carries no forbidden role.")


def accepted_issuers(tenant_id: str, *, login_url: str, cloud: str, version: str) -> tuple[str, ...]:
    """Return the issuers of a tenant's tokens: v1 tokens name a host of their own, v2 tokens the login host.

    Source: the OpenID discovery documents of both versions.
    """
    tenant = tenant_id.lower()
    if version == "2.0":
        return (f"{login_url}/{tenant}/v2.0",)
    return (f"{_V1_ISSUERS.get(cloud, _V1_ISSUER)}/{tenant}/",)


def token_type_of(claims: Mapping[str, Any]) -> Literal["app", "delegated"] | None:
    """Return whether a token acts for an app or for a user, or None where its claims contradict each other.

    `idtyp` says so where the API asked for that claim; else an app's token has no `scp`, and its subject is its own
    service principal (access token claims reference).
    """
    kind, has_scopes = claims.get("idtyp"), "scp" in claims
    if kind == "app":
        return None if has_scopes else "app"
    if has_scopes:
        return "delegated"
    if kind is None and claims.get("oid") is not None and claims.get("oid") == claims.get("sub"):
        return "app"
    return None


def _refuse_changed_meaning(header: Mapping[str, Any]) -> None:
    found = [name for name in _MEANING_MEMBERS if name in header]
    if found:
        raise Malformed(f"its header demands an extension ({found[0]}) that Entra ID does not use")


def _not_a_token(reason: str) -> Verdict:
    first = Check("format", "failed", "a signed JWT", None, f"This is not a token of Entra ID: {reason}.")
    rest = tuple(_skipped(name, "There is no token to check.") for name in CHECKS[1:])
    return Verdict((first, *rest), "invalid", {})


def _algorithm(parts: Parts) -> Check:
    found = parts.header.get("alg")
    if found in ALGORITHMS:
        return Check("algorithm", "passed", list(ALGORITHMS), found, "The signature's algorithm is one that Entra ID uses.")
    return Check("algorithm", "failed", list(ALGORITHMS), _plain(found), "The signature's algorithm is not one that Entra ID uses.")


def _verified(token: str, parts: Parts, keys: KeySource) -> tuple[Check, Signature]:
    require_libraries()
    expected = "a key of the login host"
    kid = parts.header.get("kid")
    if not isinstance(kid, str) or not kid:
        return Check("signature", "failed", expected, None, "The header does not say which key signed the token."), "invalid"
    try:
        found = keys.find(kid, version=_version(parts.claims))
    except PartnerError as error:
        return Check("signature", "failed", expected, None, f"The keys could not be had: {error.message}"), "unchecked"
    if found is None:
        return Check("signature", "failed", expected, kid[:80], "The login host has no such key."), "invalid"
    public, issuer = found
    if issuer and issuer.replace("{tenantid}", str(parts.claims.get("tid"))) != parts.claims.get("iss"):
        return Check("signature", "failed", issuer, _plain(parts.claims.get("iss")), "The key belongs to another issuer."), "invalid"
    try:
        jwt.PyJWS().decode(token, key=public, algorithms=[parts.header["alg"]])
    except jwt.exceptions.PyJWTError:
        return Check("signature", "failed", expected, kid[:80], "The signature does not match the token's content and key."), "invalid"
    return Check("signature", "passed", expected, kid[:80], "The signature was made with a key of the login host."), "verified"


def _permissions(claims: Mapping[str, Any]) -> tuple[tuple[str, ...], Check]:
    """Return what the token may do: scopes where it acts for a user (whose own roles are another matter), else roles."""
    if "scp" in claims:
        scopes = claims["scp"]
        if not isinstance(scopes, str):
            return (), Check("roles", "failed", "a text of scopes", type(scopes).__name__, "The claim scp is not a text.")
        held = tuple(dict.fromkeys(scopes.split()))
        return held, Check("roles", "passed", "a text of scopes", list(held), "The scopes are well formed.")
    roles = claims.get("roles", [])
    if not isinstance(roles, list) or not all(isinstance(role, str) and role for role in roles):
        return (), Check("roles", "failed", "a list of texts", type(roles).__name__, "The claim roles is not a list of texts.")
    held = tuple(dict.fromkeys(roles))
    return held, Check("roles", "passed", "a list of texts", list(held), "The roles are well formed." if held else "There are no roles.")


def _expiry(claims: Mapping[str, Any], now: float) -> Check:
    """No skew is granted at the end: a token that is about to end is of no use, whichever clock is right."""
    end = _number(claims.get("exp"))
    if end is None:
        return Check("expiry", "failed", "a time", None, "The token does not say when it ends.")
    if end <= now:
        return Check("expiry", "failed", round(now), end, f"The token expired {now - end:.0f} s ago.")
    return Check("expiry", "passed", round(now), end, f"The token is valid for another {end - now:.0f} s.")


def _compare(name: str, actual: Any, expected: tuple[str, ...], word: str) -> Check:
    if isinstance(actual, str) and actual in expected:
        return Check(name, "passed", expected[0], actual, f"The {word} is the one expected.")
    return Check(name, "failed", expected[0], _plain(actual), f"The {word} is not the one expected.")


def _skipped(name: str, why: str) -> Check:
    return Check(name, "skipped", None, None, why)


def _version(claims: Mapping[str, Any]) -> str:
    return "2.0" if claims.get("ver") == "2.0" else "1.0"


def _number(value: Any) -> float | None:
    """Return a time in seconds; None for what is no number (a truth value is none) or lies beyond any calendar."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > 1e11:
        return None
    return float(value)


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _plain(value: Any) -> str | None:
    """Return a claim for a message, shortened: it may be anything."""
    return None if value is None else str(value)[:200]
