# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the HTTP library costs: the same requests as the fleet task's, by urllib3 in as many threads, and nothing else.

    library_limit.py INVENTORY DEST

No Ansible, no token cache, no check, no schema: what comes is parsed and written to a file, a line for each incident.
"""

from __future__ import annotations

import json
import ssl
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
import yaml

_AT_ONCE = 16


def _read(pool: urllib3.PoolManager, shared: dict[str, Any], tenant: str) -> list[dict[str, Any]]:
    form = {
        "grant_type": "client_credentials",
        "client_id": shared["m365d_client_id"],
        "client_secret": shared["m365d_client_secret"],
        "scope": "https://graph.microsoft.com/.default",
    }
    answer = pool.request(
        "POST",
        f"{shared['m365d_login_url']}/{tenant}/oauth2/v2.0/token",
        body=urlencode(form),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    headers = {
        "Authorization": f"Bearer {json.loads(answer.data)['access_token']}",
        "Prefer": "include-unknown-enum-members",
        "client-request-id": str(uuid.uuid4()),
    }
    url = f"{shared['m365d_graph_url']}/v1.0/security/incidents?$top=50&$orderby=lastUpdateDateTime%20desc&$count=true"
    incidents: list[dict[str, Any]] = json.loads(pool.request("GET", url, headers=headers).data)["value"]
    return incidents


def main(inventory: Path, path: Path) -> None:
    """Read the incidents of all tenants of an inventory into a file."""
    shared = yaml.load(inventory.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)["all"]["hosts"]["localhost"]
    pool = urllib3.PoolManager(
        maxsize=_AT_ONCE, block=True, retries=False, ssl_context=ssl.create_default_context(cafile=shared["m365d_ca_path"])
    )
    lock = threading.Lock()
    with path.open("w", encoding="utf-8") as dest, ThreadPoolExecutor(_AT_ONCE) as executor:

        def _one(tenant: str) -> int:
            incidents = _read(pool, shared, tenant)
            lines = [f"{json.dumps({'tenant_id': tenant, **incident}, ensure_ascii=False)}\n" for incident in incidents]
            with lock:
                dest.writelines(lines)
            return len(incidents)

        counts = list(executor.map(_one, shared["tenants_to_read"]))
    print(f"{len(counts)} tenants, {sum(counts)} incidents")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
