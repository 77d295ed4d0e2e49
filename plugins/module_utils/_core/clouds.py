# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The national clouds: which hosts serve them and which audience their APIs expect.

Hosts: the national cloud pages of Entra ID, Microsoft Graph and Defender XDR. The audience of an API is kept apart
from its host, since a geographic or government host does not change the audience of the token.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from .errors import OptionError

MICROSOFT_GRAPH = "MicrosoftGraph"
MICROSOFT_THREAT_PROTECTION = "MicrosoftThreatProtection"
WINDOWS_DEFENDER_ATP = "WindowsDefenderATP"

# Which resource a backend's token is for.
API_RESOURCES: Mapping[str, str] = {"graph": MICROSOFT_GRAPH, "defender": MICROSOFT_THREAT_PROTECTION}


@dataclass(frozen=True)
class Endpoints:
    """Where one cloud is reached. URLs have no trailing slash; `defender_url` is None where no Defender API is documented."""

    cloud: str
    login_url: str
    graph_url: str
    defender_url: str | None
    portal_url: str
    resources: Mapping[str, str]

    def resource_uri(self, name: str) -> str:
        """Return the App ID URI of a resource given by name; any other URI or GUID is returned as it is."""
        return self.resources.get(name, name)

    def base_url(self, api: str) -> str:
        """Return the base URL of the backend `graph` or `defender`; raise `OptionError` where the cloud has none."""
        if api == "graph":
            return self.graph_url
        if self.defender_url is None:
            raise OptionError(
                f"The cloud {self.cloud} has no documented Defender API.",
                next_step="Use api=graph, or give defender_url if you know the host.",
            )
        return self.defender_url


def _resources(graph: str) -> Mapping[str, str]:
    return {
        MICROSOFT_GRAPH: graph,
        MICROSOFT_THREAT_PROTECTION: "https://api.security.microsoft.com",
        WINDOWS_DEFENDER_ATP: "https://api.securitycenter.microsoft.com",
    }


CLOUDS: Mapping[str, Endpoints] = {
    endpoints.cloud: endpoints
    for endpoints in (
        Endpoints(
            cloud="global",
            login_url="https://login.microsoftonline.com",
            graph_url="https://graph.microsoft.com",
            defender_url="https://api.security.microsoft.com",
            portal_url="https://security.microsoft.com",
            resources=_resources("https://graph.microsoft.com"),
        ),
        Endpoints(
            cloud="gcc",
            login_url="https://login.microsoftonline.com",
            graph_url="https://graph.microsoft.com",
            defender_url="https://api-gcc.security.microsoft.us",
            portal_url="https://security.microsoft.com",
            resources=_resources("https://graph.microsoft.com"),
        ),
        Endpoints(
            cloud="gcc_high",
            login_url="https://login.microsoftonline.us",
            graph_url="https://graph.microsoft.us",
            defender_url="https://api-gov.security.microsoft.us",
            portal_url="https://security.microsoft.us",
            resources=_resources("https://graph.microsoft.us"),
        ),
        Endpoints(
            cloud="dod",
            login_url="https://login.microsoftonline.us",
            graph_url="https://dod-graph.microsoft.us",
            defender_url="https://api-gov.security.microsoft.us",
            portal_url="https://security.apps.mil",
            resources=_resources("https://dod-graph.microsoft.us"),
        ),
        Endpoints(
            cloud="china",
            login_url="https://login.partner.microsoftonline.cn",
            graph_url="https://microsoftgraph.chinacloudapi.cn",
            defender_url=None,
            portal_url="https://portal.azure.cn",
            resources=_resources("https://microsoftgraph.chinacloudapi.cn"),
        ),
    )
}


def _without_user(url: str) -> str:
    """Return a URL as it may be shown: without a user and a password."""
    return re.sub(r"(?<=//).*@", "", url)


def _is_plain_https(url: str) -> bool:
    try:
        parts = urlsplit(url)
        readable = parts.port != 0 and not re.search(r"[\s\\]", url)
    except ValueError:
        return False
    return readable and parts.scheme == "https" and bool(parts.hostname) and "@" not in url and not parts.query and not parts.fragment


def _checked_url(option: str, url: str) -> str:
    if not _is_plain_https(url):
        raise OptionError(
            f"{option} must be an https URL without user, query or fragment; got '{_without_user(url)}'.",
            next_step=f"Give {option} as https://host[:port].",
        )
    return url.rstrip("/")


def resolve_endpoints(
    cloud: str,
    *,
    login_url: str | None = None,
    graph_url: str | None = None,
    defender_url: str | None = None,
    resources: Mapping[str, str] | None = None,
) -> Endpoints:
    """Return the cloud's endpoints with the given overrides.

    :raises OptionError: for an unknown cloud or a URL that is not https.
    """
    try:
        base = CLOUDS[cloud]
    except KeyError:
        raise OptionError(f"Unknown cloud '{cloud}'.", next_step=f"Choose one of {', '.join(CLOUDS)}.") from None
    return Endpoints(
        cloud=cloud,
        login_url=_checked_url("login_url", login_url) if login_url else base.login_url,
        graph_url=_checked_url("graph_url", graph_url) if graph_url else base.graph_url,
        defender_url=_checked_url("defender_url", defender_url) if defender_url else base.defender_url,
        portal_url=base.portal_url,
        resources={**base.resources, **(resources or {})},
    )
