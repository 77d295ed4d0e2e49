# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Which tenant is meant: from what a user writes to a GUID, and to the cloud that the tenant lives in.

A domain is resolved through the tenant's OpenID discovery document, which needs no authentication: its `issuer`
holds the GUID. There is no default tenant and no shared authority: a token for whoever comes first is of no use here.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import quote

from .clouds import CLOUDS, Endpoints, resolve_endpoints
from .errors import AuthenticationError, OptionError, PartnerError, TransportError
from .guids import PLACEHOLDER, is_guid
from .identity.diagnosis import diagnose_answer
from .identity.store import Store
from .transport import Response, Transport, origin_of

SHARED_AUTHORITIES = frozenset({"common", "organizations", "consumers"})
CONSUMERS_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"

_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.(?!-)(?=[a-z0-9-]*[a-z])[a-z0-9-]{{2,63}}(?<!-)", re.IGNORECASE)


@dataclass(frozen=True)
class TenantInfo:
    """What the discovery document says about a tenant.

    :param tenant_id: GUID, lower case.
    :param domain: the domain it was asked by, or None.
    :param issuer: issuer of its v2 tokens.
    :param region_scope: `NA`, `EU`, `AS`, `OC`, `USGov`, …; None where the document does not say.
    :param region_sub_scope: `GCC`, `DODCON` (GCC High), `DOD`; None for ordinary tenants.
    :param cloud_instance_name: the login service's own name, such as `microsoftonline.com`.
    :param msgraph_host: host of Microsoft Graph for this tenant.
    :param cloud: the name of its cloud in this collection.
    """

    tenant_id: str
    domain: str | None
    issuer: str
    region_scope: str | None
    region_sub_scope: str | None
    cloud_instance_name: str | None
    msgraph_host: str | None
    cloud: str


def parse_tenant(text: str, *, option: str = "tenant_id") -> str:
    """Return a tenant as a lower-case GUID or domain name.

    :raises OptionError: for an empty, malformed or shared (`common`, `organizations`, `consumers`) tenant.
    """
    tenant = text.strip().lower()
    if not tenant:
        raise OptionError(
            f"{option} is empty; there is no default tenant.",
            next_step=f"Give {option} as the tenant's GUID or one of its verified domains.",
        )
    if tenant in SHARED_AUTHORITIES or tenant == CONSUMERS_TENANT:
        raise OptionError(
            f"{option} is '{text.strip()}', which names no tenant but a group of them; a token for an app needs one tenant.",
            tenant_id=tenant,
            state="unknown_tenant",
            next_step=f"Give {option} as the customer's GUID or one of its verified domains.",
        )
    if is_guid(tenant) and tenant != PLACEHOLDER:
        return tenant
    if _DOMAIN.fullmatch(tenant) and len(tenant) <= 253:
        return tenant
    raise OptionError(
        f"{option} is '{text.strip()}', which is neither a GUID nor a domain name{_hint(tenant)}.",
        tenant_id=text.strip(),
        state="unknown_tenant",
        next_step=f"Give {option} like 11111111-1111-4111-8111-000000000001 or contoso.com.",
    )


def _hint(tenant: str) -> str:
    digits = re.sub(r"[^0-9a-f]", "", tenant)
    if tenant == PLACEHOLDER:
        return " of any tenant (it is all zeros)"
    if re.fullmatch(r"[{(]?[0-9a-f-]{20,44}[)}]?", tenant):
        return f" (a GUID has 32 hexadecimal digits in groups of 8-4-4-4-12; this has {len(digits)})"
    if "://" in tenant or "/" in tenant:
        return " (it looks like a URL; give the tenant alone)"
    if "@" in tenant:
        return " (it looks like a user name; give the part after the @)"
    return ""


def check_allowed(tenant: str, allowed: Iterable[str] | None) -> None:
    """Refuse a tenant that is not listed; to be called before any request is made.

    :param tenant: GUID or domain as returned by `parse_tenant`.
    :param allowed: GUIDs or domains; None allows all, an empty list none: a list that came out empty by mistake must not open the door.
    :raises OptionError: when the list does not name the tenant, or is itself malformed.
    """
    if allowed is None:
        return
    if tenant not in {parse_tenant(str(name), option="allowed_tenants") for name in allowed}:
        raise OptionError(
            f"The tenant {tenant} is not among allowed_tenants; no request was made.",
            tenant_id=tenant,
            next_step="Add it to allowed_tenants if it is meant, by the same name (GUID or domain) as in tenant_id.",
        )


def resolve_tenant(text: str, endpoints: Endpoints, transport: Transport) -> TenantInfo:
    """Return the tenant with its GUID. A GUID is taken as it is, without a request; the rest is known for a domain only.

    :raises OptionError: when the text names no tenant.
    :raises AuthenticationError: see `discover_tenant()`.
    """
    tenant = parse_tenant(text)
    if not is_guid(tenant):
        return discover_tenant(tenant, endpoints, transport)
    return TenantInfo(
        tenant_id=tenant,
        domain=None,
        issuer=f"{endpoints.login_url}/{tenant}/v2.0",
        region_scope=None,
        region_sub_scope=None,
        cloud_instance_name=None,
        msgraph_host=None,
        cloud=endpoints.cloud,
    )


def discover_tenant(text: str, endpoints: Endpoints, transport: Transport) -> TenantInfo:
    """Return what the login service publishes about a tenant, asked for by GUID or domain.

    :raises OptionError: when the text names no tenant.
    :raises AuthenticationError: with state `unknown_tenant` when the login host does not know it, or when it says
        that the tenant lives in another cloud than the one configured.
    :raises TransportError: when no usable answer came.
    """
    info = _discover(text, endpoints, transport)
    if CLOUDS[info.cloud].login_url != CLOUDS[endpoints.cloud].login_url:
        raise AuthenticationError(
            f"The tenant lives in the cloud {info.cloud}, but this request is for the cloud {endpoints.cloud}; "
            "apps, secrets and tokens do not cross clouds.",
            attempted=_ATTEMPTED,
            tenant_id=info.tenant_id,
            state="unknown_tenant",
            next_step=f"Use cloud={info.cloud} with an app that is registered there.",
        )
    return info


def detect_cloud(text: str, transport: Transport, *, login_url: str | None = None) -> TenantInfo:
    """Return the tenant with its cloud, asking one login host after the other until one knows it.

    :param login_url: the only host to ask, where it is given.
    :raises AuthenticationError: with state `unknown_tenant` when no host knows it.
    """
    refusal: AuthenticationError | None = None
    for cloud in ("global", "gcc_high", "china"):
        try:
            return _discover(text, resolve_endpoints(cloud, login_url=login_url), transport)
        except AuthenticationError as error:
            if error.state != "unknown_tenant":
                raise
            refusal = refusal or error
        if login_url:
            break
    if refusal is None:
        raise AssertionError("the loop ends by return, by raise or with a refusal")
    if not login_url:
        refusal.next_step = "Check the spelling: the login services of all clouds were asked, and none knows this tenant."
    raise refusal


def find_tenant(text: str, transport: Transport, *, cloud: str | None = None, login_url: str | None = None) -> TenantInfo:
    """Return what the login services publish about a tenant, wherever it lives.

    Unlike `discover_tenant()` this takes a tenant of another cloud than the one that was asked for an answer, not for a fault: nothing
    is asked of the tenant itself.

    :param cloud: the cloud whose login service is asked, None for one after the other until one knows the tenant.
    :param login_url: the only login service to ask, where it is given.
    :raises AuthenticationError: with state `unknown_tenant` where none of them knows it.
    """
    if cloud is None:
        info = detect_cloud(text, transport, login_url=login_url)
    else:
        info = _discover(text, resolve_endpoints(cloud, login_url=login_url), transport)
    if login_url or info.cloud != "gcc_high" or info.region_sub_scope:
        return info
    # The commercial service names the government's host alone for some tenants; that host knows in which of its clouds they live.
    try:
        return replace(_discover(info.tenant_id, resolve_endpoints(info.cloud), transport), domain=info.domain)
    except PartnerError:
        return info


def remembered(
    store: Store, text: str, *context: str | None, find: Callable[[], TenantInfo], now: Callable[[], float] = time.time
) -> TenantInfo:
    """Return what `find` finds out about a tenant, asked once in half a day by all processes that share the store.

    :param text: the tenant, as `parse_tenant()` returns it.
    :param context: what else the finding depends on, such as the login host.
    """
    name = f"tenant-{hashlib.sha256(json.dumps([text, *context]).encode()).hexdigest()[:40]}.json"
    known = _recalled(store, name, now())
    if known:
        return known
    with store.locked(name, wait=_LOCK_SECONDS):
        known = _recalled(store, name, now())
        if known:
            return known
        found = find()
        store.write(name, {"info": asdict(found), "found_at": now()}, None)
        return found


def _recalled(store: Store, name: str, now: float) -> TenantInfo | None:
    record = store.read(name, None)
    try:
        if record and 0 <= now - float(record["found_at"]) < _REMEMBERED_SECONDS:
            return TenantInfo(**record["info"])
    except (KeyError, TypeError, ValueError):
        return None
    return None


def cloud_mismatch(info: TenantInfo, endpoints: Endpoints) -> str | None:
    """Return a warning when the tenant's cloud shares the login host but not the API host of the one configured, else None."""
    if info.cloud == endpoints.cloud:
        return None
    expected = CLOUDS[info.cloud].defender_url
    return (
        f"The tenant {info.tenant_id} lives in the cloud {info.cloud}, but cloud is {endpoints.cloud}; "
        f"its Defender API answers at {expected}. Use cloud={info.cloud}, or cloud=auto."
    )


_ATTEMPTED = "resolving the tenant"
# Who may issue a tenant's v2 tokens, whatever host its discovery document was asked of: the login hosts of the national clouds.
_ISSUER_ORIGINS = frozenset(
    origin_of(url) for url in (*(cloud.login_url for cloud in CLOUDS.values()), "https://login.chinacloudapi.cn", "https://sts.windows.net")
)
# The discovery document may be kept this long (OpenID Connect discovery of the Microsoft identity platform).
_REMEMBERED_SECONDS = 12 * 3600.0
_LOCK_SECONDS = 60.0


def _discover(text: str, endpoints: Endpoints, transport: Transport) -> TenantInfo:
    tenant = parse_tenant(text)
    response = transport.send(
        "GET",
        f"{endpoints.login_url}/{quote(tenant, safe='')}/v2.0/.well-known/openid-configuration",
        attempted=_ATTEMPTED,
        tenant_id=tenant,
    )
    if response.status != 200:
        raise _refused(response, endpoints)
    document = response.json()
    issuer = str(document.get("issuer", "")) if isinstance(document, Mapping) else ""
    found = _GUID.search(issuer)
    if not found:
        raise TransportError(
            f"{endpoints.login_url} answered something that is not a discovery document of one tenant.",
            attempted=_ATTEMPTED,
            tenant_id=tenant,
            state="unreachable",
            http_status=response.status,
            next_step="Check login_url and that no proxy or sign-in page answers in its place.",
        )
    if origin_of(issuer) not in {origin_of(endpoints.login_url), *_ISSUER_ORIGINS}:
        raise TransportError(
            f"{endpoints.login_url} answered with the discovery document of another issuer, {origin_of(issuer)}.",
            attempted=_ATTEMPTED,
            tenant_id=tenant,
            state="unreachable",
            next_step="Check login_url and what answers there.",
        )
    tenant_id = found.group().lower()
    if is_guid(tenant) and tenant != tenant_id:
        raise TransportError(
            f"{endpoints.login_url} answered for another tenant ({tenant_id}).",
            attempted=_ATTEMPTED,
            tenant_id=tenant,
            state="unreachable",
            next_step="Check login_url and what answers there.",
        )
    return TenantInfo(
        tenant_id=tenant_id,
        domain=None if is_guid(tenant) else tenant,
        issuer=issuer,
        region_scope=_text(document, "tenant_region_scope"),
        region_sub_scope=_text(document, "tenant_region_sub_scope"),
        cloud_instance_name=_text(document, "cloud_instance_name"),
        msgraph_host=_text(document, "msgraph_host"),
        cloud=_cloud_of(document, asked=endpoints.cloud),
    )


def _text(document: Mapping[str, Any], name: str) -> str | None:
    value = document.get(name)
    return str(value) if value else None


def _cloud_of(document: Mapping[str, Any], *, asked: str) -> str:
    """Return the cloud that a discovery document tells of; `asked` where it tells nothing."""
    sub_scope = (_text(document, "tenant_region_sub_scope") or "").upper()
    named = {"GCC": "gcc", "DODCON": "gcc_high", "DOD": "dod"}.get(sub_scope)
    if named:
        return named
    instance = (_text(document, "cloud_instance_name") or "").lower()
    if instance.endswith("microsoftonline.us") or (_text(document, "tenant_region_scope") or "").upper() in ("USGOV", "USG"):
        return "dod" if asked == "dod" else "gcc_high"
    if instance.endswith((".cn", "microsoftonline.cn")):
        return "china"
    if instance.endswith("microsoftonline.com"):
        return "global"
    return asked


def _refused(response: Response, endpoints: Endpoints) -> PartnerError:
    """Return the error for a discovery document that was not given; other clouds are worth a try before giving up."""
    error = diagnose_answer(response)
    if error.state == "unknown_tenant":
        error.next_step = (
            f"Check the spelling; the login host asked was {endpoints.login_url} (cloud {endpoints.cloud}). "
            "If the tenant lives in another national cloud, choose that cloud, or cloud=auto."
        )
    return error
