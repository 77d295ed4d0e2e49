# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: m365d_fleet_result
short_description: A host's own part of what m365d_fleet returned
version_added: 0.1.0
description:
  - Returns what M(m365d.partner.m365d_fleet) found out about the tenant of this host.
  - It takes that part out of the registered variable and looks at nothing else of it, so that a thousand hosts do not template a thousand
    results each.
  - A host that is not among them has the outcome V(unknown), as one that could not be read.
options:
  _terms:
    description:
      - The name of the registered variable.
      - By default C(m365d_fleet).
    type: list
    elements: str
  host:
    description:
      - Another host than this one.
    type: str
  fail:
    description:
      - Whether to fail where the tenant was not read, with the reason.
    type: bool
    default: false
seealso:
  - module: m365d.partner.m365d_fleet
author:
  - m365d.partner contributors (@m365d)
"""

EXAMPLES = r"""
- name: Give each host its own result
  ansible.builtin.set_fact:
    m365d_fleet_result: "{{ lookup('m365d.partner.m365d_fleet_result') }}"
"""

RETURN = r"""
_raw:
  description: The result of the host, one for each name of a variable. C(outcome) is V(ok), V(failed) or V(unknown).
  type: list
  elements: dict
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.m365d.partner.plugins.plugin_utils._options import plain


class LookupModule(LookupBase):  # type: ignore[misc]
    """Takes one host's part out of the result of a fleet."""

    def run(self, terms: Sequence[Any], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        """Return the host's part of each registered variable.

        :raises AnsibleLookupError: where a variable is not what `m365d_fleet` returned.
        """
        self.set_options(var_options=variables, direct=kwargs)
        host = self.get_option("host") or (variables or {}).get("inventory_hostname")
        parts = [_part(str(name), str(host), variables or {}) for name in terms or ["m365d_fleet"]]
        lacking = [part for part in parts if part["outcome"] != "ok"] if self.get_option("fail") else []
        if lacking:
            raise AnsibleLookupError(str(lacking[0].get("msg") or "The tenant was not read."))
        return parts


def _part(name: str, host: str, variables: Mapping[str, Any]) -> Any:
    registered = variables.get(name)
    hosts = registered.get("hosts") if isinstance(registered, Mapping) else None
    if not isinstance(hosts, Mapping):
        raise AnsibleLookupError(f"The variable {name} does not hold what m365d_fleet returned. Next step: register its result as {name}.")
    if host in hosts:
        return plain(hosts[host])
    return {
        "outcome": "unknown",
        "tenant_id": None,
        "msg": f"The host {host} was not among those that {name} was read for.",
        "consent_state": None,
    }
