# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: permission_rows
short_description: Collect the verdicts on all tenants
version_added: 0.1.0
description:
  - Takes the variables of the hosts of a play and returns their C(permission_audit_result).
  - A host that has none, because it failed earlier in the run, gets a verdict that says unknown. So no tenant is missing from an audit.
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
- name: Count the tenants of which nothing is known
  ansible.builtin.debug:
    msg: "{{ rows | selectattr('verdict', 'equalto', 'unknown') | list | length }}"
  vars:
    rows: "{{ ansible_play_hosts_all | map('extract', hostvars) | m365d.partner.permission_rows }}"
"""

RETURN = r"""
_value:
  description: The verdicts as the filter P(m365d.partner.permission_verdict#filter) makes them, in the order of the hosts.
  type: list
  elements: dictionary
"""

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.m365d.partner.plugins.filter.permission_verdict import permission_verdict

_NOT_READ = {
    "consent_state": "unknown",
    "reason": "its host failed earlier in the run",
    "next_step": "See the error of this host and run the audit again.",
}


def _row(host: Mapping[str, Any]) -> Mapping[str, Any]:
    result: Mapping[str, Any] | None = host.get("permission_audit_result")
    if result:
        return result
    name = host.get("m365d_tenant_name") or host.get("inventory_hostname")
    return {**permission_verdict({**_NOT_READ, "tenant_id": host.get("m365d_tenant_id")}), "tenant_name": name}


def permission_rows(hosts: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return a verdict for each host.

    :param hosts: the variables of the hosts of a play.
    """
    return [_row(host) for host in hosts]


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Any]:
        return {"permission_rows": permission_rows}
