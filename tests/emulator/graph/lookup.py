# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the address of a request to the registration it names."""

from __future__ import annotations

from starlette.requests import Request

from ..errors import bad_request, not_found
from ..model import Application
from .access import Access


def parse_key(request: Request) -> tuple[str, str]:
    """(`id` | `appId` | `uniqueName` | `name`, value) of the object in the path, whichever way it is addressed."""
    if "object_id" in request.path_params:
        return "id", str(request.path_params["object_id"])
    name, separator, value = str(request.path_params["key"]).partition("=")
    value = value if separator else name
    return (name if separator else "id"), value.strip("'").replace("''", "'")


def find(access: Access, *, primary: bool = False) -> Application:
    """The registration the path names. Raises ApiError 404 when it is not there, not there yet, or addressed by the wrong id."""
    name, value = parse_key(access.request)
    directory = access.tenant.directory
    if name == "id":
        app = directory.applications.get(value.lower())
    elif name == "appId":
        app = directory.application(value.lower())
    elif name == "uniqueName":
        app = next((one for one in directory.live_applications() if one.body.get("uniqueName") == value), None)
    else:
        raise bad_request(f"The key '{name}' is not a key of 'application'.", code="BadRequest")
    if primary and app is not None and app.deleted_at is None:
        return app
    seen = directory.seen_application(app)
    if seen is None:
        raise not_found(value)
    return seen
