# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Links into the portal that open in the right tenant.

Source: the page on multitenant management in Microsoft Defender; `tid` names the tenant, without it the portal opens the
reader's own one.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit


def portal_link(given: str | None, *, portal_url: str, kind: str, object_id: str | None, tenant_id: str) -> str | None:
    """Return the link that the service gave, with the tenant in it; one made from the id where it gave none.

    :param kind: `incidents` or `alerts`.
    :returns: None where there is neither a link nor an id.
    """
    if given:
        return with_tenant(given, tenant_id)
    if not object_id:
        return None
    return with_tenant(f"{portal_url.rstrip('/')}/{kind}/{quote(object_id, safe='')}", tenant_id)


def with_tenant(url: str, tenant_id: str) -> str:
    """Return `url` with `tid` in its query; one that is there already stays, and so does what is no URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    if any(name == "tid" for name, _value in parse_qsl(parts.query, keep_blank_values=False)):
        return url
    query = "&".join(part for part in (parts.query, urlencode({"tid": tenant_id})) if part)
    return urlunsplit(parts._replace(query=query))
