# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The practical limit of a loop over hosts: the same two requests by the standard library alone, in Ansible's worker.

No cache, no check, no retry, no schema; the TLS context is made before workers fork.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
from typing import Any
from urllib.parse import urlencode, urlsplit

from ansible.plugins.action import ActionBase

_TRUST = ssl.create_default_context(cafile=os.environ["M365D_CA_PATH"])


class ActionModule(ActionBase):
    """Reads the incidents of one tenant."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what the service answered."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        form = {
            "grant_type": "client_credentials",
            "client_id": str(variables["m365d_client_id"]),
            "client_secret": str(variables["m365d_client_secret"]),
            "scope": "https://graph.microsoft.com/.default",
        }
        # The emulator is one host; with the services themselves there would be a second connection.
        connection = http.client.HTTPSConnection(urlsplit(str(variables["m365d_login_url"])).netloc, context=_TRUST)
        path = f"/{variables['m365d_tenant_id']}/oauth2/v2.0/token"
        connection.request("POST", path, urlencode(form), {"Content-Type": "application/x-www-form-urlencoded"})
        token = json.loads(connection.getresponse().read())["access_token"]
        path = "/v1.0/security/incidents?$top=50&$orderby=lastUpdateDateTime%20desc&$count=true"
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}", "Prefer": "include-unknown-enum-members"})
        result["incidents"] = json.loads(connection.getresponse().read())["value"]
        return result
