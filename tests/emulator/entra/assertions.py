# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Client assertions: JWTs signed with a registered certificate, or issued by a federated identity provider.

Rules: entra-docs certificate-credentials (RS256 or PS256; `x5t` or `x5t#S256`; iss = sub = client id; aud = token endpoint) and
workload-identity-federation (exact, case-sensitive issuer, subject and audience; RS256).
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timezone
from typing import Any

import jwt
from cryptography import x509

from ..context import RequestContext
from ..model import Application, FederatedCredential, KeyCredential
from ..state import Cloud, Tenant
from .errors import EntraError
from .keys import b64url, b64url_decode
from .tokens import InvalidToken, issuers, read_token

_SKEW = 300
_LATEST = 253402300800
"""The end of the year 9999; also keeps out infinity and NaN."""


def check_assertion(context: RequestContext, tenant: Tenant, app: Application, assertion: str) -> str:
    """Verify a client assertion; returns the credential kind for the log. Raises EntraError."""
    header, claims = _peek(assertion)
    issuer = claims.get("iss")
    if not issuer or not claims.get("aud"):
        raise EntraError(90014, parameter="aud" if issuer else "iss")
    federated = str(issuer).startswith("https://") and str(issuer) != app.app_id
    if federated:
        _check_federated(context.cloud, app, assertion, claims)
        return "federated"
    _check_certificate(context, tenant, app, assertion, header, claims)
    return "certificate"


def _peek(assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
    parts = assertion.split(".")
    if len(parts) != 3:
        raise EntraError(50027)
    try:
        header, claims = json.loads(b64url_decode(parts[0])), json.loads(b64url_decode(parts[1]))
    except ValueError as exc:
        raise EntraError(50027) from exc
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise EntraError(50027)
    return header, claims


def _check_certificate(
    context: RequestContext, tenant: Tenant, app: Application, assertion: str, header: dict[str, Any], claims: dict[str, Any]
) -> None:
    settings = context.cloud.settings
    thumbprint = header.get("x5t#S256") or header.get("x5t") or header.get("kid")
    if not thumbprint:
        raise EntraError(5002723)
    algorithm = str(header.get("alg"))
    if algorithm not in settings.assertion_algorithms:
        raise EntraError(5002738, algorithm=algorithm, supported=",".join(settings.assertion_algorithms))
    issuer, subject = str(claims["iss"]), str(claims.get("sub", ""))
    if issuer.lower() != app.app_id or subject.lower() != app.app_id:
        raise EntraError(700021)
    credential = _registered(context.cloud, app, header)
    if credential is None:
        reason = f"The key was not found., Thumbprint of key used by client: '{_hex(str(thumbprint))}'"
        raise EntraError(700027, reason=reason)
    _check_signature(assertion, algorithm, credential)
    now = context.cloud.now()
    if now >= credential.end or now < credential.start:
        raise EntraError(
            700027, reason=f"The key used is expired., Found key 'Start={credential.start:%m/%d/%Y}, End={credential.end:%m/%d/%Y}'"
        )
    _check_lifetime(context.cloud, claims)
    _check_audience(context.cloud, tenant, context, claims)


def _registered(cloud: Cloud, app: Application, header: dict[str, Any]) -> KeyCredential | None:
    """The key credential the header names; one that has not replicated yet is not found. MSAL pads its thumbprints, which is accepted."""
    arrived = cloud.replication.arrived
    given = {name: str(header[name]).rstrip("=") for name in ("x5t", "x5t#S256", "kid") if header.get(name)}
    for key in app.keys:
        if key.removed is not None and arrived(key.removed, "login"):
            continue
        sha1, sha256 = b64url(key.sha1), b64url(key.sha256)
        named = given.get("x5t") == sha1 or given.get("x5t#S256") == sha256
        if not {"x5t", "x5t#S256"} & set(given):
            named = given.get("kid") in (sha1, key.sha1.hex().upper(), key.sha1.hex())
        if named:
            return key if arrived(key.created, "login") else None
    return None


def _check_signature(assertion: str, algorithm: str, credential: KeyCredential) -> None:
    try:
        public = x509.load_der_x509_certificate(credential.der).public_key()
        jwt.decode(assertion, public, algorithms=[algorithm], options=_NOT_NOW)  # type: ignore[arg-type]
    except (jwt.InvalidTokenError, ValueError, TypeError) as exc:
        thumbprint = credential.sha1.hex().upper()
        text = "The provided signature value did not match the expected signature value., Thumbprint of key used by client:"
        reason = f"{text} '{thumbprint}'"
        raise EntraError(700027, reason=reason) from exc


_NOT_NOW: dict[str, Any] = {
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
}
"""PyJWT checks the signature alone; times and names are checked against the emulated clock."""


def _check_lifetime(cloud: Cloud, claims: dict[str, Any]) -> None:
    now = cloud.clock.timestamp()
    start, end = claims.get("nbf", claims.get("iat", now)), claims.get("exp")
    if not isinstance(end, int | float) or not isinstance(start, int | float) or not (abs(end) < _LATEST and abs(start) < _LATEST):
        raise EntraError(50027)
    if now > end + _SKEW or now < start - _SKEW:
        raise EntraError(700024, now=f"{cloud.now():%Y-%m-%dT%H:%M:%SZ}", start=_moment(start), end=_moment(end))


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _check_audience(cloud: Cloud, tenant: Tenant, context: RequestContext, claims: dict[str, Any]) -> None:
    """The token endpoint v1 or v2 under any name of the tenant; by choice also the issuer."""
    hosts = [cloud.origin, "https://login.microsoftonline.com", "https://login.windows.net"]
    names = [tenant.tenant_id, tenant.domain, *tenant.domains]
    accepted = {f"{host}/{name}{path}" for host in hosts for name in names for path in ("/oauth2/token", "/oauth2/v2.0/token")}
    if cloud.settings.assertion_issuer_audience:
        accepted |= set(issuers(cloud, tenant.tenant_id))
        accepted |= {f"https://login.microsoftonline.com/{tenant.tenant_id}/v2.0"}
    audience = claims["aud"]
    given = {str(one) for one in audience} if isinstance(audience, list) else {str(audience)}
    if not given & accepted:
        raise EntraError(50012, reason="Client assertion audience claim does not match the token endpoint.")


def _check_federated(cloud: Cloud, app: Application, assertion: str, claims: dict[str, Any]) -> None:
    issuer, subject, audience = str(claims["iss"]), str(claims.get("sub", "")), claims["aud"]
    audiences = [str(one) for one in audience] if isinstance(audience, list) else [str(audience)]
    status = cloud.settings.federated_error_status
    error = "invalid_client" if status == 401 else "invalid_request"
    names = {"issuer": issuer, "subject": subject, "audience": ",".join(map(str, audiences))}
    arrived = [one for one in app.federated if cloud.replication.arrived(one.created, "login")]
    code = _mismatch(arrived, issuer, subject, audiences)
    if code is not None:
        raise EntraError(code, error=error, status=status, values=names)
    _check_provider_signature(cloud, assertion, issuer)
    _check_lifetime(cloud, claims)


def _mismatch(credentials: list[FederatedCredential], issuer: str, subject: str, audiences: list[str]) -> int | None:
    """The code of the first thing that does not match exactly, None when one credential matches in all three."""
    if not credentials:
        return 70021
    same_issuer = [one for one in credentials if one.issuer == issuer]
    if not same_issuer:
        return 700211
    same_subject = [one for one in same_issuer if one.subject == subject]
    if not same_subject:
        return 700213
    return None if any(set(one.audiences) & set(audiences) for one in same_subject) else 700212


def _check_provider_signature(cloud: Cloud, assertion: str, issuer: str) -> None:
    """Signature by the issuer's own keys; the emulator reaches its own providers and its own Entra, nothing else."""
    tenant_issuers = [issuers(cloud, tenant_id) for tenant_id in cloud.tenants if tenant_id in issuer]
    if any(issuer in pair for pair in tenant_issuers):
        try:
            claims = read_token(cloud, assertion)
        except InvalidToken as exc:
            raise EntraError(50012, reason="The signature of the assertion is not valid.") from exc
        if "scp" in claims:
            raise EntraError(700229)
        return
    provider = cloud.providers.by_issuer(issuer)
    if provider is None or not provider.verifies(assertion):
        raise EntraError(700027 if provider else 50012, reason="The keys of the issuer do not verify the assertion.")


def _hex(thumbprint: str) -> str:
    try:
        return b64url_decode(thumbprint).hex().upper()
    except ValueError:
        return hashlib.sha256(thumbprint.encode()).hexdigest()[:40].upper()
