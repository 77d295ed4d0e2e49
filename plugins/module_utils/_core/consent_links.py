# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Consent links: what an administrator of a customer opens to let the app in.

Sources: the partner access page of Microsoft 365 Defender (the v1 authorize link, kept parameter by parameter), the v1
and v2 admin consent pages of the Microsoft identity platform. Nothing here makes a request.

Who comes back to the redirect URI proves nothing by its parameters: `admin_consent=True` may stand beside an error, and
`tenant` can be forged. Check `state`, then get a token for the tenant and look at its claims.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlencode

from .clouds import Endpoints
from .errors import OptionError
from .guids import checked_guid, is_guid
from .permission_tables import RESOURCES
from .permissions import Permission, table_catalog, unknown_permission

Form = Literal["v1_authorize", "v1_authorize_admin", "v1_admin_consent", "v2_admin_consent"]
FORMS: tuple[Form, ...] = ("v1_authorize", "v1_authorize_admin", "v1_admin_consent", "v2_admin_consent")

_DOMAIN = re.compile(r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]", re.IGNORECASE)
_NOBODYS_TENANTS = ("common", "organizations", "consumers")
# Where no tenant is pinned; the v2 page does not exist for "common".
_ANY_TENANT: dict[Form, str] = {
    "v1_authorize": "common",
    "v1_authorize_admin": "common",
    "v1_admin_consent": "common",
    "v2_admin_consent": "organizations",
}
_NONCE_BYTES = 24


@dataclass(frozen=True)
class ConsentLink:
    """A link for one tenant.

    :param tenant: GUID or domain that the link is pinned to, or None where any organisation's administrator may use it.
    :param state: what must come back unchanged to the redirect URI, or None where nothing comes back to the partner.
    :param resource: the one resource whose permissions it asks for, or None where it asks for all that the app declares.
    """

    form: Form
    url: str
    tenant: str | None
    state: str | None
    resource: str | None


def check_tenant(text: str) -> str:
    """Return the tenant that a link is pinned to.

    :raises OptionError: for a name that stands for no particular tenant, and for what is neither GUID nor domain.
    """
    tenant = text.strip()
    name = tenant.lower()
    if name in _NOBODYS_TENANTS:
        raise OptionError(
            f"'{tenant}' stands for no particular tenant.",
            tenant_id=tenant,
            next_step="Give the customer's tenant id, or leave it out: the link is then for an administrator of any organisation.",
        )
    if is_guid(tenant):
        return name
    if _DOMAIN.fullmatch(tenant):
        return tenant
    if re.fullmatch(r"[0-9a-f{}-]{20,}", name):
        return checked_guid(tenant, option="tenant_id")
    raise OptionError(
        f"'{text}' is neither a tenant id (GUID) nor a domain.",
        tenant_id=tenant,
        next_step="Ask the customer for the tenant id that the overview page of Entra ID shows.",
    )


def new_state() -> str:
    """Return a state that nobody can guess."""
    return secrets.token_urlsafe(32)


def signed_state(secret: str, *, client_id: str, tenant: str | None) -> str:
    """Return a state that needs no memory: a nonce and a signature over nonce, app and tenant (HMAC-SHA-256, RFC 2104).

    Whoever receives it back checks it with `state_matches()`. It is not single-use by itself.
    """
    nonce = secrets.token_urlsafe(_NONCE_BYTES)
    return f"{nonce}.{_signature(secret, nonce, client_id, tenant)}"


def state_matches(state: str, secret: str, *, client_id: str, tenant: str | None) -> bool:
    """Whether `signed_state()` made `state` for that app and tenant with that secret."""
    nonce, _dot, signature = state.partition(".")
    return hmac.compare_digest(signature.encode(), _signature(secret, nonce, client_id, tenant).encode())


def _signature(secret: str, nonce: str, client_id: str, tenant: str | None) -> str:
    text = "\n".join((nonce, client_id.lower(), (tenant or "").lower()))
    digest = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def choose_form(*, redirect_uri: str | None, resources: Sequence[str]) -> Form:
    """Return the form that fits: v2 for one resource and a redirect URI of one's own, else v1, which asks for all at once."""
    if not redirect_uri:
        return "v1_authorize"
    return "v2_admin_consent" if len(resources) == 1 else "v1_admin_consent"


def resources_of(permissions: Sequence[Permission]) -> list[str]:
    """Return the resources of permissions, each once, in order.

    :raises OptionError: for a permission that its resource is known not to offer. The table of Microsoft Graph is not
        complete, so that Graph's are taken as they are.
    """
    for permission in permissions:
        if permission.id is None and permission.resource in RESOURCES and permission.resource != "MicrosoftGraph":
            offered = table_catalog(permission.resource_app_id).of(permission.kind)
            raise unknown_permission(permission.name, [f"{permission.resource}/{value}" for value in offered])
    return list(dict.fromkeys(permission.resource for permission in permissions))


def build_link(
    form: Form,
    endpoints: Endpoints,
    *,
    client_id: str,
    tenant: str | None = None,
    redirect_uri: str | None = None,
    resource: str | None = None,
    state: str | None = None,
) -> ConsentLink:
    """Return the link of a form; parameters come in the order in which Microsoft's pages show them.

    :param resource: name or App ID URI; needed by and meant for `v2_admin_consent` only.
    :raises OptionError: where the v2 form lacks its redirect URI or its resource.
    """
    where = tenant or _ANY_TENANT[form]
    pinned = None if where in _NOBODYS_TENANTS else where
    answer = _answer_parameters(redirect_uri, state)
    if form == "v2_admin_consent":
        if not redirect_uri:
            raise OptionError(
                "The form v2_admin_consent needs redirect_uri.",
                next_step="Give one of the app's redirect URIs, exactly as registered, or take form=v1_authorize.",
            )
        if not resource:
            raise OptionError(
                "The form v2_admin_consent asks for one resource, and none is named.",
                next_step="Give resource (such as MicrosoftThreatProtection) or permissions.",
            )
        scope = f"{endpoints.resource_uri(resource).rstrip('/')}/.default"
        path, parameters = f"{where}/v2.0/adminconsent", [("client_id", client_id), ("scope", scope), *answer]
    elif form == "v1_admin_consent":
        path, parameters = f"{where}/adminconsent", [("client_id", client_id), *answer]
    else:
        prompt = "admin_consent" if form == "v1_authorize_admin" else "consent"
        seed = [("prompt", prompt), ("client_id", client_id), ("response_type", "code"), ("sso_reload", "true")]
        path, parameters = f"{where}/oauth2/authorize", [*seed, *answer]
    url = f"{endpoints.login_url}/{path}?{urlencode(parameters, quote_via=quote, safe='')}"
    return ConsentLink(form=form, url=url, tenant=pinned, state=state, resource=resource if form == "v2_admin_consent" else None)


def _answer_parameters(redirect_uri: str | None, state: str | None) -> list[tuple[str, str]]:
    parameters = []
    if redirect_uri:
        parameters.append(("redirect_uri", redirect_uri))
    if state:
        parameters.append(("state", state))
    return parameters
