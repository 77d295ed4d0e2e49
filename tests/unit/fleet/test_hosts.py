# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one task for many hosts says of each host, and of all."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.action.m365d_fleet import _by_host
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import PartnerError
from ansible_collections.m365d.partner.plugins.plugin_utils._hosts import HostFleet

HOSTS = {f"host{number}": f"11111111-1111-4111-8111-{number:012d}" for number in range(1, 41)}


def fleet(*faulty: str) -> HostFleet:
    """The hosts' tenants; those of the faulty cannot be told."""
    return HostFleet(
        tenants={host: tenant for host, tenant in HOSTS.items() if host not in faulty},
        faults={host: PartnerError("No tenant is given.") for host in faulty},
    )


def read(*hosts: str, outcome: str = "ok") -> dict[str, Any]:
    """What the task read for some of the hosts."""
    tenants = [{"tenant_id": HOSTS[host], "requested": [HOSTS[host]], "outcome": outcome, "msg": "refused"} for host in hosts]
    return {"tenants": tenants, "summary": {"total": len(hosts), "seconds": 0.1}, "complete": outcome == "ok", "count": 0}


@pytest.mark.parametrize(("max_failed", "fails"), [("100%", False), ("50%", True), ("9", True), ("10", False)])
def test_a_percentage_is_one_of_the_hosts_of_this_part(max_failed: str, fails: bool) -> None:
    result = _by_host(read(*list(HOSTS)[:10], outcome="failed"), fleet(), max_failed)
    assert (result.get("failed", False), result["summary"]["failed"]) == (fails, 10)


def test_hosts_of_which_none_has_a_tenant_have_no_sums_that_look_like_zero() -> None:
    result = _by_host({**read(), "by_severity": {"high": 0}, "msg": "There are no tenants to read."}, fleet(*HOSTS), "100%")
    assert (result["count"], result["by_severity"], result["complete"]) == (None, None, False)
    assert (result["summary"]["unknown"], result["summary"]["seconds"]) == (40, 0.1)
    assert result["msg"].startswith("40 of 40 hosts have no result.")
    assert _by_host(read(), HostFleet(), "100%")["count"] == 0
