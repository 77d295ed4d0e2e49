# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Links into the portal that open in the right tenant.

Source: the page on multitenant management in Microsoft Defender; `tid` names the tenant, without it the portal opens the
reader's own one.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit, urlunsplit

_HAS_TENANT = re.compile(r"^[^#]*[?&]tid=[^&#]")


def portal_link(given: str | None, *, portal_url: str, kind: str, object_id: str | None, tenant_id: str) -> str | None:
    """Return the link that the service gave, with the tenant in it; one made from the id where it gave none.

    :param kind: `incidents` or `alerts`.
    :returns: None where there is neither a link nor an id.
    """
    if given:
        return with_tenant(given, tenant_id)
    if not object_id:
        return None
    return f"{portal_url.rstrip('/')}/{kind}/{quote(object_id, safe='')}?tid={quote(tenant_id, safe='')}"


def with_tenant(url: str, tenant_id: str) -> str:
    """Return `url` with `tid` in its query; one that is there already stays, and so does what is no URL."""
    if _HAS_TENANT.search(url):
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    query = "&".join(part for part in (parts.query, f"tid={quote(tenant_id, safe='')}") if part)
    return urlunsplit(parts._replace(query=query))
