# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: incident_rows
short_description: Collect the rows of all tenants, the most urgent first
version_added: 0.1.0
description:
  - Takes the variables of the hosts of a play and returns their C(incident_report_row).
  - A host that has none, because it failed earlier in the run, gets a row that says unknown. So no tenant is missing from a report.
options:
  _input:
    description:
      - The variables of the hosts.
    type: list
    elements: dictionary
    required: true
author:
  - m365d.partner contributors (@m365d)
"""

EXAMPLES = r"""
- name: Count the tenants whose incidents are not known
  ansible.builtin.debug:
    msg: "{{ rows | rejectattr('incidents_by_severity') | list | length }}"
  vars:
    rows: "{{ ansible_play_hosts_all | map('extract', hostvars) | m365d.partner.incident_rows }}"
"""

RETURN = r"""
_value:
  description: The rows as the filter P(m365d.partner.incident_row#filter) makes them, sorted by urgency.
  type: list
  elements: dictionary
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.m365d.partner.plugins.filter.incident_row import incident_row

_NOT_READ = {
    "consent_state": "unknown",
    "reason": "This tenant was not read: its host failed earlier in the run.",
    "next_step": "See the error of this host and run the report again.",
}


def _row(host: Mapping[str, Any]) -> Mapping[str, Any]:
    row = host.get("incident_report_row")
    if row:
        return row
    name = host.get("m365d_tenant_name") or host.get("inventory_hostname")
    return incident_row({**_NOT_READ, "tenant_id": host.get("m365d_tenant_id")}, None, name=name)


def incident_rows(hosts: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return a row for each host, the most urgent first.

    :param hosts: the variables of the hosts of a play.
    """
    return sorted((_row(host) for host in hosts), key=lambda row: (row["urgency"], str(row["tenant_name"]).casefold()))


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Any]:
        return {"incident_rows": incident_rows}
