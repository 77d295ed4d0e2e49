# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets, certificates and federated credentials of a registration, and the tenant policy that may forbid them."""

from __future__ import annotations

import base64
import binascii
import calendar
import re
from datetime import datetime, timedelta
from typing import Any

import jwt
from cryptography import x509
from starlette.requests import Request
from starlette.responses import Response

from ..auth import AAD_GRAPH
from ..clock import parse_moment
from ..entra.keys import b64url
from ..errors import ApiError, bad_request
from ..identifiers import is_guid, secret_text
from ..model import Application, KeyCredential, PasswordCredential, digest
from ..state import Cloud, Tenant
from . import bodies
from .access import OWNED, WRITE_APPS, Access, enter, no_content, respond
from .lookup import find
from .policies import check_key, check_password


async def add_password(request: Request) -> Response:
    """POST /applications/{id}/addPassword: the only answer that ever holds the secret's text."""
    access = enter(request, "applications.addPassword", (*WRITE_APPS, OWNED))
    app = find(access)
    access.demand_change(app)
    wanted = (await access.json()).get("passwordCredential") or {}
    if not isinstance(wanted, dict):
        raise bad_request("Invalid value specified for property 'passwordCredential'.")
    if wanted.get("secretText"):
        raise bad_request("The property 'secretText' is read-only and cannot be set.")
    start, end = _lifetime(access.cloud, wanted)
    check_password(access.tenant, start, end)
    if "Personal" in str(app.body.get("signInAudience")) and len([one for one in app.passwords if one.removed is None]) >= 2:
        raise bad_request("The application has too many password credentials for its audience.")
    text = secret_text(access.cloud.settings.secret_length)
    name = wanted.get("displayName")
    stamp = access.cloud.replication.stamp()
    made = PasswordCredential(access.cloud.new_id(), str(name) if name else None, start, end, text[:3], digest(text), stamp)
    app.passwords.append(made)
    context = access.context_url("microsoft.graph.passwordCredential")
    return respond({"@odata.context": context} | bodies.password_credential(made, secret=text))


def _lifetime(cloud: Cloud, wanted: dict[str, Any]) -> tuple[datetime, datetime]:
    """Start and end of a secret; the default is two years from its start. Raises ApiError 400."""
    try:
        start = parse_moment(str(wanted["startDateTime"])) if wanted.get("startDateTime") else cloud.now()
        end = parse_moment(str(wanted["endDateTime"])) if wanted.get("endDateTime") else _in_two_years(start)
    except ValueError as exc:
        raise bad_request("Invalid value specified for property 'endDateTime' of resource 'PasswordCredential'.") from exc
    if end <= start:
        raise bad_request("Key credential end date must be after its start date.")
    return start, end


def _in_two_years(start: datetime) -> datetime:
    year = start.year + 2
    return start.replace(year=year, day=min(start.day, calendar.monthrange(year, start.month)[1]))


async def remove_password(request: Request) -> Response:
    """POST /applications/{id}/removePassword."""
    access = enter(request, "applications.removePassword", (*WRITE_APPS, OWNED))
    app = find(access)
    access.demand_change(app)
    key_id = str((await access.json()).get("keyId", "")).lower()
    found = next((one for one in app.passwords if one.key_id == key_id and one.removed is None), None)
    if found is None:
        raise ApiError(
            access.cloud.settings.remove_missing_password_status, "Request_BadRequest", "No password credential found with keyId."
        )
    found.removed = access.cloud.replication.stamp()
    if found.removed.settled:
        app.passwords.remove(found)
    return no_content()


async def add_key(request: Request) -> Response:
    """POST /applications/{id}/addKey with a proof of possession of an existing valid key."""
    access = enter(request, "applications.addKey")
    app = find(access)
    _demand_key_change(access, app)
    raw = await access.json()
    _check_proof(access.cloud, app, str(raw.get("proof", "")))
    made = key_from_graph(access.cloud, access.tenant, raw.get("keyCredential") or {})
    app.keys.append(made)
    return respond({"@odata.context": access.context_url("microsoft.graph.keyCredential")} | bodies.key_credential(made))


async def remove_key(request: Request) -> Response:
    """POST /applications/{id}/removeKey."""
    access = enter(request, "applications.removeKey")
    app = find(access)
    _demand_key_change(access, app)
    raw = await access.json()
    _check_proof(access.cloud, app, str(raw.get("proof", "")))
    found = next((one for one in app.keys if one.key_id == str(raw.get("keyId", "")).lower() and one.removed is None), None)
    if found is None:
        raise bad_request("No credentials found to be removed.")
    _retire(access.cloud, app, found)
    return no_content()


def _demand_key_change(access: Access, app: Application) -> None:
    """An app may roll its own keys without any permission."""
    if access.caller.client_id != app.app_id:
        access.demand_change(app)


def _retire(cloud: Cloud, app: Application, key: KeyCredential) -> None:
    key.removed = cloud.replication.stamp()
    if key.removed.settled:
        app.keys.remove(key)


def _check_proof(cloud: Cloud, app: Application, proof: str) -> None:
    """The proof: RS256, x5t of a valid key, aud of Azure AD Graph, iss = object id, at most ten minutes long. Raises ApiError."""
    malformed = ApiError(401, "Authentication_MissingOrMalformed", "Access Token missing or malformed.")
    if not proof or "=" in proof:
        raise malformed
    try:
        header = jwt.get_unverified_header(proof)
        thumbprint = header.get("x5t")
        key = next((one for one in app.keys if one.removed is None and b64url(one.sha1) == thumbprint), None)
        if key is None or not key.start <= cloud.now() < key.end:
            raise ApiError(401, "Authentication_Unauthorized", "The proof was not signed with a valid key of the application.")
        public = x509.load_der_x509_certificate(key.der).public_key()
        options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "require": ["aud", "iss", "nbf", "exp"]}
        claims = jwt.decode(proof, public, algorithms=["RS256"], audience=AAD_GRAPH, issuer=app.id, options=options)  # type: ignore[arg-type]
    except jwt.InvalidTokenError as exc:
        raise malformed from exc
    now = cloud.clock.timestamp()
    if not claims["nbf"] - 300 <= now <= claims["exp"] or claims["exp"] - claims["nbf"] > 600:
        raise ApiError(401, "Authentication_ExpiredToken", "Your access token has expired. Please renew it before submitting the request.")


def key_from_graph(cloud: Cloud, tenant: Tenant, raw: Any) -> KeyCredential:
    """A key credential from its Graph form. Raises ApiError 400."""
    if (
        not isinstance(raw, dict)
        or raw.get("type") not in ("AsymmetricX509Cert", "X509CertAndPassword")
        or raw.get("usage") not in ("Verify", "Sign")
    ):
        raise bad_request("Invalid value specified for property 'keyCredentials' of resource 'Application'.")
    try:
        der = base64.b64decode(str(raw.get("key") or ""), validate=True)
        certificate = x509.load_der_x509_certificate(der)
    except (binascii.Error, ValueError) as exc:
        raise bad_request("Invalid value specified for property 'key' of resource 'KeyCredential'.") from exc
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    try:
        start = parse_moment(str(raw["startDateTime"])) if raw.get("startDateTime") else first
        end = parse_moment(str(raw["endDateTime"])) if raw.get("endDateTime") else last
    except ValueError as exc:
        raise bad_request("Invalid value specified for property 'endDateTime' of resource 'KeyCredential'.") from exc
    if end > last + timedelta(seconds=1) or end < cloud.now():
        raise bad_request("Key credential end date is invalid.", code="KeyCredentialsInvalidEndDate")
    if start < first - timedelta(seconds=1):
        raise bad_request("Key credential start date is invalid.", code="KeyCredentialsInvalidStartDate")
    check_key(tenant, start, end)
    name = str(raw.get("displayName") or certificate.subject.rfc4514_string())
    key_id = str(raw["keyId"]).lower() if is_guid(raw.get("keyId")) else cloud.new_id()
    made = KeyCredential(key_id, name, start, end, der, "", str(raw["type"]), str(raw["usage"]), cloud.replication.stamp())
    made.custom_key_identifier = str(raw.get("customKeyIdentifier") or made.sha1.hex().upper())
    return made


def replace_keys(cloud: Cloud, tenant: Tenant, app: Application, wanted: list[Any]) -> None:
    """PATCH of `keyCredentials`: the list replaces what is there; an entry with a known keyId and no key keeps the old one."""
    current = {one.key_id: one for one in app.keys if one.removed is None}
    keep: list[KeyCredential] = []
    fresh: list[KeyCredential] = []
    for raw in wanted:
        if not isinstance(raw, dict):
            raise bad_request("Invalid value specified for property 'keyCredentials' of resource 'Application'.")
        known = current.get(str(raw.get("keyId", "")).lower())
        same = known is not None and (not raw.get("key") or base64.b64encode(known.der).decode() == raw.get("key"))
        if known is not None and same:
            keep.append(known)
        else:
            fresh.append(key_from_graph(cloud, tenant, raw))
    for one in current.values():
        if one not in keep:
            _retire(cloud, app, one)
    app.keys += fresh


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,119}")


def check_federated(app: Application, raw: dict[str, Any], *, own_id: str | None = None) -> None:
    """Limits of a federated credential. Raises ApiError 400 or 409."""
    if not _NAME.fullmatch(str(raw.get("name", ""))):
        raise bad_request("Invalid value specified for property 'name' of resource 'FederatedIdentityCredential'.")
    for name in ("issuer", "subject"):
        value = raw.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= 600:
            raise bad_request(f"Invalid value specified for property '{name}' of resource 'FederatedIdentityCredential'.")
    audiences = raw.get("audiences")
    if not isinstance(audiences, list) or len(audiences) != 1 or not isinstance(audiences[0], str) or len(audiences[0]) > 600:
        raise bad_request("Property audiences must have exactly one value.")
    others = [one for one in app.federated if one.id != own_id]
    if any(one.name == raw["name"] for one in others):
        raise ApiError(
            409, "Request_MultipleObjectsWithSameKeyValue", f"FederatedIdentityCredential with name {raw['name']} already exists."
        )
    if any((one.issuer, one.subject) == (raw["issuer"], raw["subject"]) for one in others):
        raise bad_request("FederatedIdentityCredential with the same issuer and subject already exists on this application.")
    if own_id is None and len(app.federated) >= 20:
        raise ApiError(403, "Directory_QuotaExceeded", "The application has reached the limit of 20 federated identity credentials.")
