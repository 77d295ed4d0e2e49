# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The practical limit: what a hand-written asyncio script needs for the same requests.

    practical_limit.py INVENTORY

One token and one list of incidents per tenant, 16 at a time over kept-alive connections; answers are parsed and counted.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from pathlib import Path
from typing import Any

import aiohttp
import yaml

_AT_ONCE = 16


async def _read(session: aiohttp.ClientSession, shared: dict[str, Any], tenant: str, places: asyncio.Semaphore) -> int:
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
        url = f"{shared['m365d_graph_url']}/v1.0/security/incidents?$top=50&$count=true"
        async with session.get(url, headers={"Authorization": f"Bearer {token}"}) as answer:
            answer.raise_for_status()
            return len((await answer.json())["value"])


async def _main(inventory: Path) -> None:
    customers = yaml.load(inventory.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)["customers"]
    trust = ssl.create_default_context(cafile=customers["vars"]["m365d_ca_path"])
    places = asyncio.Semaphore(_AT_ONCE)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_AT_ONCE, ssl=trust)) as session:
        tenants = [host["m365d_tenant_id"] for host in customers["hosts"].values()]
        counts = await asyncio.gather(*(_read(session, customers["vars"], tenant, places) for tenant in tenants))
    print(f"{len(counts)} tenants, {sum(counts)} incidents")


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
