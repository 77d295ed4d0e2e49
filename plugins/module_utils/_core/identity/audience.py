# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Which audiences stand for the same API, and which roles an audience can carry at all.

A v1 token repeats the identifier that was asked for, a v2 token holds the API's application id (access token claims
reference of the Microsoft identity platform). The Defender APIs have several identifiers each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from ..clouds import CLOUDS, MICROSOFT_GRAPH, MICROSOFT_THREAT_PROTECTION, WINDOWS_DEFENDER_ATP
from ..errors import OptionError
from ..permission_tables import RESOURCES, SHARED_VALUES

_IDENTIFIERS: Mapping[str, tuple[str, ...]] = {
    MICROSOFT_GRAPH: tuple(sorted({endpoints.graph_url for endpoints in CLOUDS.values()})),
    MICROSOFT_THREAT_PROTECTION: ("https://api.security.microsoft.com", "https://security.microsoft.com/mtp"),
    WINDOWS_DEFENDER_ATP: (
        "https://api.securitycenter.microsoft.com",
        "https://api.securitycenter.windows.com",
        "https://securitycenter.onmicrosoft.com/windowsatpservice",
    ),
}

_SCOPE_OF_ALL = "/.default"
# An App ID URI (api://… and https://… mostly), an application id, or one with a host, as older APIs of Microsoft are named.
_IDENTIFIER = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/]\S*|urn:\S+|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?:/\S+)?", re.IGNORECASE)


def check_resource(resource: str) -> None:
    """Check that a resource is one that a token can be asked for: a known name, an App ID URI or an application id.

    :raises OptionError: for anything else; the message suggests the nearest name. Also for a scope, to which v2 requests would add
        their own ending.
    """
    if resource in RESOURCES:
        return
    plain = resource.rstrip("/")
    if plain.lower().endswith(_SCOPE_OF_ALL):
        raise OptionError(
            f"resource is '{resource}', which is a scope and no resource.", next_step=f"Give it as {plain[: -len(_SCOPE_OF_ALL)]}."
        )
    if _IDENTIFIER.fullmatch(resource):
        return
    import difflib  # for the message alone

    near = difflib.get_close_matches(resource, RESOURCES, n=1, cutoff=0.5)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise OptionError(
        f"Unknown resource '{resource}'.",
        next_step=f"{hint}Known resources: {', '.join(sorted(RESOURCES))}. "
        "Any other is given by its App ID URI (such as https://graph.microsoft.com) or application id.",
    )


def resource_of(audience: str) -> str | None:
    """Return the name of the API that an audience, URI or application id, stands for; None where it is not a known one."""
    plain = _plain(audience)
    for name, identifiers in _IDENTIFIERS.items():
        if plain == RESOURCES[name].app_id or plain in {_plain(identifier) for identifier in identifiers}:
            return name
    return None


def same_audience(audience: str, resource: str) -> bool:
    """Whether a token for `audience` is one for `resource`: the same identifier, the API's application id, or an alias.

    Microsoft Graph's identifiers are no aliases of each other: each belongs to another cloud.
    """
    if _plain(audience) == _plain(resource):
        return True
    name = resource_of(resource)
    if name is None:
        return False
    if name == MICROSOFT_GRAPH:
        return RESOURCES[name].app_id in (_plain(audience), _plain(resource)) and resource_of(audience) == name
    return resource_of(audience) == name


def impossible_roles(resource: str, roles: Iterable[str]) -> str | None:
    """Return a warning when an audience can never carry a role that is wanted, since another API defines it; else None."""
    name = resource_of(resource)
    if name is None:
        return None
    for role in roles:
        homes = [api.name for api in RESOURCES.values() if role in api.roles or role in api.scopes]
        if homes and name not in homes and role.lower() not in SHARED_VALUES:
            return (
                f"A token for {resource} ({name}) can never carry the role {role}: that role belongs to {' and '.join(homes)}. "
                f"Ask for resource={homes[0]} instead."
            )
    return None


def _plain(identifier: str) -> str:
    return identifier.strip().rstrip("/").lower()
