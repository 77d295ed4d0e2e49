# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: m365d_incidents
short_description: Read the security incidents of tenants
version_added: 0.1.0
description:
  - Reads the incidents of each tenant, as M(m365d.partner.m365d_incidents) does, for use within a template or a loop.
  - The module says more (what may be missing, which filters the service knew, how many requests it took), can go on where it ended, and
    writes files. Prefer it for many incidents.
options:
  _terms:
    description:
      - The tenants, by GUID or by a domain that is verified in them. A term may be a list of them, and an entry a dictionary as in the
        option O(tenants).
      - Without any, O(tenants) or the tenant of the variable C(m365d_tenant_id) is meant. A list that is empty means no tenant.
      - Several are asked at the same time, as with O(tenants) of the module. One that fails fails the lookup, unless O(max_failed) allows
        it; then there is V(null) in its place, and with O(result=all) the diagnosis.
    type: list
    elements: raw
  form:
    description:
      - V(list) returns something for each term, in their order.
      - V(dict) returns one dictionary, by the tenants as they are named in the terms.
    type: str
    choices: [list, dict]
    default: list
  result:
    description:
      - What to return for each tenant.
      - V(incidents) are its incidents, a list. Where not all that was asked for could be read, the lookup fails rather than return some of
        them, unless it was O(limit) that left the others out.
      - V(all) is what the module M(m365d.partner.m365d_incidents) returns.
    type: str
    choices: [incidents, all]
    default: incidents
  status:
    description:
      - Incidents with one of these states.
      - V(awaitingAction) exists with O(api=graph) only.
    type: list
    elements: str
    choices: [active, resolved, inProgress, redirected, awaitingAction]
  severity:
    description:
      - Incidents with one of these severities.
    type: list
    elements: str
    choices: [unknown, informational, low, medium, high]
  classification:
    description:
      - Incidents with one of these classifications.
    type: list
    elements: str
    choices: [unknown, falsePositive, truePositive, informationalExpectedActivity]
  determination:
    description:
      - Incidents with one of these determinations.
      - What the Defender XDR API calls C(Clean), C(CompromisedUser), C(InsufficientData), C(NoEnoughDataToValidate) and C(NotAvailable) is
        V(notMalicious), V(compromisedAccount), V(notEnoughDataToValidate) and V(unknown) here.
    type: list
    elements: str
    choices:
      - unknown
      - apt
      - malware
      - securityPersonnel
      - securityTesting
      - unwantedSoftware
      - other
      - multiStagedAttack
      - compromisedAccount
      - phishing
      - maliciousUserActivity
      - notMalicious
      - notEnoughDataToValidate
      - confirmedActivity
      - lineOfBusinessApplication
  assigned_to:
    description:
      - Incidents that are assigned to this user, as the service writes it (mostly the user principal name).
    type: str
  unassigned:
    description:
      - Whether to return only incidents that are assigned to nobody.
      - Excludes O(assigned_to).
    type: bool
    default: false
  tags:
    description:
      - Incidents with one of these tags, set by people or by the service, in any case.
    type: list
    elements: str
  service_sources:
    description:
      - Incidents with an alert of one of these products, for example V(microsoftDefenderForEndpoint) or V(microsoftDefenderForOffice365).
      - The names that the Defender XDR API uses, such as V(MicrosoftDefenderATP) and V(OfficeATP), are understood too.
      - The alerts are read for it, whether or not O(include_alerts) returns them.
    type: list
    elements: str
  created_since:
    description:
      - Incidents that were created at this time or later.
      - An ISO 8601 date or time (UTC where it has no offset), or how long ago, as a number with C(s), C(m), C(h), C(d) or C(w), for example
        V(2026-01-31T12:00:00Z) or V(24h).
    type: str
  created_until:
    description:
      - Incidents that were created at this time or earlier, written like O(created_since).
      - Where O(created_since) is given, this defaults to the time at which the task begins.
    type: str
  updated_since:
    description:
      - Incidents that were last updated at this time or later, written like O(created_since).
    type: str
  updated_until:
    description:
      - Incidents that were last updated at this time or earlier, written like O(created_since).
      - Where O(updated_since) is given, this defaults to the time at which the task begins, so that consecutive windows fit together.
    type: str
  filter:
    description:
      - A C($filter) in the service's own terms, in addition to the other filters. It is passed on as it is.
      - It differs between O(api=graph), for example V(severity eq 'high'), and O(api=defender), for example
        V(lastUpdateTime ge 2026-01-01T00:00:00Z).
      - Never make it from text that you do not control. The other filters quote their values, this one cannot.
    type: str
  incident_ids:
    description:
      - Read the incidents with these ids, in this order, instead of listing them. The other filters apply to what was read.
      - Ids that the tenant does not know are returned in C(not_found).
      - Excludes O(filter) and O(limit).
    type: list
    elements: str
  follow_redirects:
    description:
      - Whether the incident that a merged one leads to is read too, to the end of the chain.
      - The merged incident then names it in C(redirected_to), and it names all that lead to it in C(redirected_from).
    type: bool
    default: false
  include_alerts:
    description:
      - Whether each incident holds its alerts, with their evidence.
      - Where the service cannot deliver a page with alerts, smaller pages are asked for, and then the alerts of each incident.
    type: bool
    default: false
  order_by:
    description:
      - The order of the incidents, by the time of their last update or of their creation, newest or oldest first.
      - With O(limit), also which incidents are returned.
    type: str
    choices: [updated_desc, updated_asc, created_desc, created_asc]
    default: updated_desc
  limit:
    description:
      - The most incidents to return.
      - Where there are more, C(complete) is V(false).
    type: int
  raw:
    description:
      - Whether each incident also holds, as C(raw), the object as the service sent it.
    type: bool
    default: false
notes:
  - The keyword C(environment) does not reach lookups, since they run in the process of Ansible itself.
  - Titles, descriptions and evidence hold text that attackers can choose. Do not evaluate it.
seealso:
  - module: m365d.partner.m365d_incidents
extends_documentation_fragment:
  - m365d.partner.connection.plugin
  - m365d.partner.tenant.plugin
  - m365d.partner.auth.plugin
  - m365d.partner.api.plugin
  - m365d.partner.fleet.plugin
author:
  - m365d.partner contributors (@m365d)
"""

EXAMPLES = r"""
- name: Work on each open incident of the tenant that this host stands for
  ansible.builtin.debug:
    msg: "{{ item.id }}: {{ item.display_name }}"
  loop: "{{ lookup('m365d.partner.m365d_incidents', status=['active'], severity=['high']) }}"
  loop_control:
    label: "{{ item.id }}"

- name: How many are open in each of some tenants, unknown where one cannot be read
  ansible.builtin.debug:
    msg: "{{ item.key }}: {{ 'unknown' if item.value is none else item.value | length }}"
  loop: "{{ lookup('m365d.partner.m365d_incidents', tenants, status=['active'], form='dict', max_failed='100%') | dict2items }}"
  loop_control:
    label: "{{ item.key }}"
  vars:
    tenants: [fabrikam.example, northwind.example]
"""

RETURN = r"""
_raw:
  description:
    - The incidents or the result of each tenant, in the order of the terms, or one dictionary of them with O(form=dict).
    - With O(shard), the tenants of this part.
  type: list
  elements: raw
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible_collections.m365d.partner.plugins.module_utils._ops.incidents import OPERATION
from ansible_collections.m365d.partner.plugins.plugin_utils._lookup import OperationLookup


class LookupModule(OperationLookup):
    """Reads incidents with the operation of the module `m365d_incidents`."""

    operation = OPERATION

    def adapted(self, options: dict[str, Any], what: str) -> dict[str, Any]:
        """Take the options as they are."""
        return options

    def selected(self, result: Mapping[str, Any], what: str) -> Any:
        """Return the incidents, or all.

        :raises AnsibleLookupError: where the incidents are not all, which a bare list cannot say.
        """
        if what == "all":
            return result
        if not result["complete"] and not self.get_option("limit"):
            raise AnsibleLookupError(
                f"Tenant {result['tenant_id']}: these are not all incidents: {result['partial_reason']}. Next step: ask with result='all'."
            )
        return result["incidents"]
