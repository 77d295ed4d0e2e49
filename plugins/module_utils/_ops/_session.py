# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""From options to a tenant, a source of tokens and clients: what every operation starts with."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .._argspec import BY_NAME
from .._core.api import ApiClient, TokenGetter
from .._core.breaker import Breaker
from .._core.budget import Budgets
from .._core.clouds import API_RESOURCES, Endpoints, resolve_endpoints
from .._core.errors import OptionError
from .._core.fleet import Places
from .._core.guids import is_guid
from .._core.identity.base import Credential
from .._core.identity.cache import TokenCache
from .._core.identity.select import credential_from_options
from .._core.identity.source import TokenSource
from .._core.identity.store import Store
from .._core.identity.token import AccessToken
from .._core.tenants import TenantInfo, check_allowed, cloud_mismatch, detect_cloud, parse_tenant, remembered, resolve_tenant
from .._core.transport import Transport, TransportSettings
from .._core.wire import proxy_variables
from ._seconds import check_seconds
from ._task import Task

if TYPE_CHECKING:
    from .._core.graph import GraphClient

AUTO_CLOUD = "auto"
# What tells one credential, and where its tokens are kept, from another.
_CREDENTIAL_OPTIONS = (
    *(option.name for option in BY_NAME["credentials"].suboptions if option.name != "name"),
    "token_cache",
    "token_cache_directory",
)


@dataclass(frozen=True)
class Session:
    """One tenant, reached with one credential.

    :param tenant: the tenant, its id a GUID.
    :param tokens: where tokens come from.
    :param budgets: what requests are counted against, None for nothing.
    """

    endpoints: Endpoints
    transport: Transport
    tokens: TokenSource
    tenant: TenantInfo
    budgets: Budgets | None = None

    def token_getter(self, resource: str) -> TokenGetter:
        """Return a function that gets this tenant's token for a resource, by name or by App ID URI."""
        uri = self.endpoints.resource_uri(resource)

        def _get(force_refresh: bool, claims: str | None) -> AccessToken:
            return self.tokens.get(self.tenant.tenant_id, uri, force_refresh=force_refresh, claims=claims)

        return _get

    def client(self, api: str = "graph", *, budget: str | None = None) -> ApiClient:
        """Return a client of the backend `graph` or `defender`; raise `OptionError` where the cloud has none.

        :param budget: which budget its requests are counted against; by default the one by the name of the backend.
        """
        return ApiClient(
            self._paced(budget or api),
            base_url=self.endpoints.base_url(api),
            tenant_id=self.tenant.tenant_id,
            get_token=self.token_getter(API_RESOURCES[api]),
        )

    def graph(self) -> GraphClient:
        """Return a client of Microsoft Graph that knows its paging and its replication."""
        from .._core.graph import GraphClient

        return GraphClient(
            self._paced("directory"),
            base_url=self.endpoints.base_url("graph"),
            tenant_id=self.tenant.tenant_id,
            get_token=self.token_getter(API_RESOURCES["graph"]),
        )

    def _paced(self, budget: str) -> Transport:
        """Return the transport whose requests are counted against a budget; one that does not exist leaves the app's."""
        if self.budgets is None:
            return self.transport
        return self.transport.paced(self.budgets.pace(budget, tenant_id=self.tenant.tenant_id, app=self.tokens.client_id))


def open_session(task: Task) -> Session:
    """Return the session that the options of `task` describe.

    No request is made, except to find the GUID of a tenant that is given by its domain, and its cloud with `cloud=auto`.

    :raises OptionError: for a tenant that is missing, malformed or not allowed, and for wrong connection options.
    :raises CredentialError: for a credential that cannot be right.
    """
    params = task.params
    tenant = requested_tenant(params)
    transport = transport_of(params, places=task.places, breaker=task.breaker)
    # With cloud=auto the endpoints are not known yet; what is wrong with the credential is found all the same.
    is_auto = params["cloud"] == AUTO_CLOUD
    endpoints = endpoints_of({**params, "cloud": "global"} if is_auto else params)
    tokens = token_source(task, endpoints=endpoints, transport=transport)
    if task.known is not None:
        info, endpoints = task.known, endpoints_of({**params, "cloud": task.known.cloud} if is_auto else params)
    else:
        info, endpoints = locate_tenant(tenant, params, transport=transport, store=tokens.cache.store)
    if is_auto:
        tokens = token_source(task, endpoints=endpoints, transport=transport)
    mismatch = cloud_mismatch(info, endpoints)
    if mismatch:
        task.warn(mismatch)
    return Session(endpoints=endpoints, transport=transport, tokens=tokens, tenant=info, budgets=task.budgets)


def locate_tenant(tenant: str, params: Mapping[str, Any], *, transport: Transport, store: Store) -> tuple[TenantInfo, Endpoints]:
    """Return the tenant with its GUID and the endpoints of its cloud.

    A request is made for a domain and for `cloud=auto`; what it finds is kept in `store` for the other workers.

    :raises AuthenticationError: with state `unknown_tenant` where nobody knows the tenant, or another cloud does.
    """
    login_url = params["login_url"]
    if params["cloud"] == AUTO_CLOUD:
        info = remembered(store, tenant, AUTO_CLOUD, login_url, find=lambda: detect_cloud(tenant, transport, login_url=login_url))
        return info, endpoints_of({**params, "cloud": info.cloud})
    endpoints = endpoints_of(params)
    if is_guid(tenant):
        return resolve_tenant(tenant, endpoints, transport), endpoints
    info = remembered(store, tenant, endpoints.cloud, endpoints.login_url, find=lambda: resolve_tenant(tenant, endpoints, transport))
    return info, endpoints


def requested_tenant(params: Mapping[str, Any]) -> str:
    """Return the tenant that the options name, as GUID or domain, after checking that it is allowed.

    :raises OptionError: where it is missing, names no particular tenant, or is not among `allowed_tenants`.
    """
    text = params.get("tenant_id")
    if not text:
        raise OptionError(
            "No tenant is given.",
            next_step="Set tenant_id on the task, or m365d_tenant_id for the host; there is no default tenant.",
        )
    tenant = parse_tenant(str(text))
    check_allowed(tenant, params.get("allowed_tenants"))
    return tenant


def endpoints_of(params: Mapping[str, Any]) -> Endpoints:
    """Return the endpoints that the connection options name.

    :raises OptionError: also for `cloud=auto`, where no tenant was asked for its cloud yet.
    """
    if params["cloud"] == AUTO_CLOUD:
        raise OptionError("cloud=auto asks the tenant which cloud it lives in, and no request is made here.", next_step="Name the cloud.")
    return _endpoints(params["cloud"], params["login_url"], params["graph_url"], params["defender_url"])


@lru_cache(maxsize=64)
def _endpoints(cloud: str, login_url: str | None, graph_url: str | None, defender_url: str | None) -> Endpoints:
    """Return the endpoints; the tenants of a fleet have the same, and to check a URL takes longer than to find it checked."""
    return resolve_endpoints(cloud, login_url=login_url, graph_url=graph_url, defender_url=defender_url)


def transport_of(params: Mapping[str, Any], *, places: Places | None = None, breaker: Breaker | None = None) -> Transport:
    """Return the transport for the connection options: the same connections for the same settings within a process.

    :param places: the fleet's places, whose `sleep()` and end apply to the waits of this transport.
    :param breaker: the circuit of the tenant, within a fleet.
    :raises OptionError: for a time that is not positive or endless, and for an unreadable `ca_path`.
    """
    check_seconds(params, "timeout", "deadline")
    settings = TransportSettings(
        ca_path=params["ca_path"],
        validate_certs=params["validate_certs"],
        proxy=params["proxy"],
        timeout=params["timeout"],
        deadline=params["deadline"],
        **({"connections": params["concurrency"]} if places else {}),
    )
    transport = _transport(settings, os.getpid(), proxy_variables())
    return transport.sharing_connections(sleep=places.sleep, ends_at=places.ends_at, breaker=breaker) if places else transport


@lru_cache(maxsize=32)
def _transport(settings: TransportSettings, _process: int, _proxies: tuple[str | None, ...]) -> Transport:
    """Return the transport of this process: its connections must not be shared with a fork, nor with another proxy's."""
    return Transport(settings)


def token_source(task: Task, *, endpoints: Endpoints, transport: Transport) -> TokenSource:
    """Return the source of tokens that the authentication options describe; no request is made.

    :raises OptionError, CredentialError: for a credential that is missing, ambiguous or malformed.
    """
    params = task.params
    credential, cache = _credential_and_cache(task)
    return TokenSource(
        credential=credential,
        client_id=params.get("client_id") or "",
        endpoints=endpoints,
        transport=transport,
        cache=cache,
        endpoint_version=params["endpoint_version"],
        sleep=task.places.sleep if task.places else time.sleep,
    )


def _credential_and_cache(task: Task) -> tuple[Credential, TokenCache]:
    """Return the credential that the options describe and the cache of its tokens; the tenants of a fleet share them."""
    if task.shared is None:
        return _new_credential_and_cache(task)
    key = tuple(repr(task.params.get(name)) for name in _CREDENTIAL_OPTIONS)
    found: tuple[Credential, TokenCache] | None = task.shared.get(key)
    return found or task.shared.setdefault(key, _new_credential_and_cache(task))


def _new_credential_and_cache(task: Task) -> tuple[Credential, TokenCache]:
    credential = credential_from_options(task.params, notify=task.announce)
    credential.validate()
    return credential, TokenCache(directory=cache_directory(task.params, task.run_directory), material=credential.material)


def cache_directory(params: Mapping[str, Any], run_directory: str | None) -> str | None:
    """Return the directory that tokens are kept in, or None where they stay in memory.

    :raises OptionError: where the options contradict each other.
    """
    directory: str | None = params.get("token_cache_directory")
    mode = params.get("token_cache") or ("directory" if directory else "run")
    if mode == "directory":
        if not directory:
            raise OptionError("token_cache=directory needs a directory.", next_step="Name it in token_cache_directory.")
        return directory
    if directory:
        raise OptionError(
            f"token_cache={mode} does not use token_cache_directory.", next_step="Leave one of them out, or set token_cache=directory."
        )
    return run_directory if mode == "run" else None
