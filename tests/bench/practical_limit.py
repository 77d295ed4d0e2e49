# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The practical limit: what a hand-written asyncio script needs for the same requests.

    practical_limit.py INVENTORY DEST

One token and one list of incidents per tenant, 16 at a time over kept-alive connections; what comes is parsed and written to
a file, a line for each incident.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import uuid
from pathlib import Path
from typing import Any, TextIO

import aiohttp
import yaml

_AT_ONCE = 16


async def _read(session: aiohttp.ClientSession, shared: dict[str, Any], tenant: str, places: asyncio.Semaphore, dest: TextIO) -> int:
    form = {
        "grant_type": "client_credentials",
        "client_id": shared["m365d_client_id"],
        "client_secret": shared["m365d_client_secret"],
        "scope": "https://graph.microsoft.com/.default",
    }
    async with places:
        async with session.post(f"{shared['m365d_login_url']}/{tenant}/oauth2/v2.0/token", data=form) as answer:
            answer.raise_for_status()
            token = (await answer.json())["access_token"]
        url = f"{shared['m365d_graph_url']}/v1.0/security/incidents?$top=50&$orderby=lastUpdateDateTime%20desc&$count=true"
        headers = {
            "Authorization": f"Bearer {token}",
            "Prefer": "include-unknown-enum-members",
            "client-request-id": str(uuid.uuid4()),
        }
        async with session.get(url, headers=headers) as answer:
            answer.raise_for_status()
            incidents = (await answer.json())["value"]
    dest.writelines(f"{json.dumps({'tenant_id': tenant, **incident}, ensure_ascii=False)}\n" for incident in incidents)
    return len(incidents)


async def _main(inventory: Path, path: Path) -> None:
    shared = yaml.load(inventory.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)["all"]["hosts"]["localhost"]
    trust = ssl.create_default_context(cafile=shared["m365d_ca_path"])
    places = asyncio.Semaphore(_AT_ONCE)
    connector = aiohttp.TCPConnector(limit=_AT_ONCE, ssl=trust)
    with path.open("w", encoding="utf-8") as dest:
        async with aiohttp.ClientSession(connector=connector) as session:
            counts = await asyncio.gather(*(_read(session, shared, tenant, places, dest) for tenant in shared["tenants_to_read"]))
    print(f"{len(counts)} tenants, {sum(counts)} incidents")


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), Path(sys.argv[2])))
