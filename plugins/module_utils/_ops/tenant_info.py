# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Finds out which tenant a domain or a GUID is, where it lives and, with a credential, how it is called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from .._argspec import CREDENTIAL_OPTIONS, shared_options
from .._core.clouds import CLOUDS
from .._core.errors import NotFound, OptionError, PartnerError, ServiceError
from .._core.tenant_names import CLOUDS_WITH_NAMES, TenantNames, read_names
from .._core.tenants import TenantInfo, find_tenant, parse_tenant
from .._core.transport import Transport
from ._fleet import with_fleet
from ._session import AUTO_CLOUD, open_session, requested_tenant, transport_of
from ._task import Operation, Outcome, Task

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "names": {"type": "str", "choices": ["auto", "required", "never"], "default": "auto"},
    "home_tenant_id": {"type": "str"},
}
_NO_NAMES = TenantNames(None, None, None)


def run(task: Task) -> Outcome:
    """Run the operation `m365d_tenant_info`."""
    params = task.params
    tenant = requested_tenant(params)
    _check_names(params)
    info = task.known or _locate(tenant, params, transport_of(params, places=task.places, breaker=task.breaker))
    names, fault = _names(task, info)
    return Outcome(
        {
            "tenant_id": info.tenant_id,
            "domain": info.domain,
            "cloud": info.cloud,
            "cloud_instance_name": info.cloud_instance_name,
            "region_scope": info.region_scope,
            "region_sub_scope": info.region_sub_scope,
            "issuer": info.issuer,
            "msgraph_host": info.msgraph_host,
            "hosts": _hosts(info.cloud),
            **asdict(names),
            "names_error": fault.as_dict() if fault else None,
        }
    )


def _locate(tenant: str, params: Mapping[str, Any], transport: Transport) -> TenantInfo:
    """Return the tenant, whichever cloud it lives in."""
    cloud = None if params["cloud"] == AUTO_CLOUD else params["cloud"]
    return find_tenant(tenant, transport, cloud=cloud, login_url=params["login_url"])


def _hosts(cloud: str) -> dict[str, str | None]:
    """Return where the services of a cloud answer, as the connection options of the same names."""
    endpoints = CLOUDS[cloud]
    return {name: getattr(endpoints, name) for name in ("login_url", "graph_url", "defender_url", "portal_url")}


def _has_credential(params: Mapping[str, Any]) -> bool:
    return params["auth_method"] != "auto" or any(params[option.name] is not None for option in CREDENTIAL_OPTIONS)


def _check_names(params: Mapping[str, Any]) -> None:
    """Raise `OptionError` for options about names that cannot be met."""
    if params["home_tenant_id"] is not None:
        parse_tenant(params["home_tenant_id"], option="home_tenant_id")
    if params["names"] == "required" and not _has_credential(params):
        raise OptionError("names=required needs a credential, and none is given.", next_step="Give a credential, or leave out names.")


def _names(task: Task, info: TenantInfo) -> tuple[TenantNames, PartnerError | None]:
    """Return the tenant's names, and why there are none where they were asked for.

    A fault of the credential is raised, since every other tenant would meet it too.
    """
    params = task.params
    if params["names"] == "never" or not _has_credential(params):
        return _NO_NAMES, None
    try:
        return _ask_for_names(task, info), None
    except PartnerError as error:
        if params["names"] == "required" or error.scope != "tenant":
            raise
        return _NO_NAMES, error


def _ask_for_names(task: Task, info: TenantInfo) -> TenantNames:
    if info.cloud not in CLOUDS_WITH_NAMES:
        raise ServiceError(
            f"Microsoft Graph gives names in the global cloud only, and this tenant lives in {info.cloud}.", tenant_id=info.tenant_id
        )
    params = task.params
    asking = {"tenant_id": params["home_tenant_id"] or info.tenant_id, "allowed_tenants": None}
    cloud = info.cloud if params["cloud"] == AUTO_CLOUD else params["cloud"]
    session = open_session(replace(task, params={**params, **asking, "cloud": cloud}, known=None))
    names = read_names(session.graph(), info.tenant_id)
    if names is None:
        raise NotFound("Microsoft Graph does not find this tenant.", tenant_id=info.tenant_id)
    return names


_SPEC: dict[str, dict[str, Any]] = {**shared_options("connection", "tenant", "auth", "api"), **ARGUMENT_SPEC}
# Whoever asks where a tenant lives does not know its cloud.
_SPEC["cloud"] = {**_SPEC["cloud"], "default": AUTO_CLOUD}

OPERATION = with_fleet(Operation(run=run, argument_spec=_SPEC), locate=_locate)
