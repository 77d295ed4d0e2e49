# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: m365d_token
short_description: Get tokens for tenants that prove what they may do
version_added: 0.1.0
description:
  - Gets an access token for each tenant and holds it against a contract, as M(m365d.partner.m365d_token) does.
  - Use it to hand a token to something that this collection does not do itself, and set C(no_log) on the task that uses it.
  - A token that does not satisfy the contract is not handed out.
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
      - V(token) is the token itself.
      - V(claims) are the claims of the token as a dictionary. The token is not among them.
      - V(all) is what the module M(m365d.partner.m365d_token) returns, without the token.
    type: str
    choices: [token, claims, all]
    default: token
  resource:
    description:
      - The API that the token is for, by name (V(MicrosoftGraph), V(MicrosoftThreatProtection), V(WindowsDefenderATP)), as any other
        App ID URI, or as the client id of the API. It is no scope, so that it does not end in C(/.default).
      - Without it, O(api) decides.
    type: str
  required_roles:
    description:
      - Roles that must be in the token.
    type: list
    elements: str
  allowed_roles:
    description:
      - Roles that may be in the token. Any other breaks the contract.
    type: list
    elements: str
  forbidden_roles:
    description:
      - Roles that must not be in the token.
    type: list
    elements: str
  token_type:
    description:
      - Whether the token must act for an app (V(app)) or for a user (V(delegated)).
      - Without it, the kind of credential decides.
    type: str
    choices: [app, delegated, any]
  min_lifetime:
    description:
      - Seconds that the token must still be valid.
    type: float
    default: 0
  clock_skew:
    description:
      - Seconds by which a token may begin in the future.
    type: float
    default: 60
  fail_on:
    description:
      - V(violation) fails when a tenant refuses the token and when a check fails.
      - V(never) returns both as a finding. It needs O(result=all), since there is no token to return then.
    type: str
    choices: [violation, never]
    default: violation
  wait_for_roles:
    description:
      - Seconds to wait, after a consent or a grant, until the token carries O(required_roles).
    type: float
    default: 0
    aliases: [until_roles]
  force_refresh:
    description:
      - Whether to ask for a new token although there is a good one in the cache.
    type: bool
    default: false
notes:
  - The keyword C(environment) does not reach lookups, since they run in the process of Ansible itself.
  - With several terms use C(query), or O(form=dict). C(lookup) joins several texts into one.
  - Tokens are secrets. Set C(no_log) on each task that uses one, and keep them out of facts, also with O(form=dict).
seealso:
  - module: m365d.partner.m365d_token
  - plugin: m365d.partner.m365d_granted
    plugin_type: test
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
- name: Call an API that this collection does not know, as the tenant that this host stands for
  ansible.builtin.uri:
    url: https://graph.microsoft.com/v1.0/security/secureScores?$top=1
    headers:
      Authorization: "Bearer {{ lookup('m365d.partner.m365d_token', required_roles=['SecurityEvents.Read.All']) }}"
  delegate_to: localhost
  no_log: true

- name: Say which roles the app has in two tenants
  ansible.builtin.debug:
    msg: "{{ looks | map(attribute='roles') }}"
  vars:
    looks: "{{ query('m365d.partner.m365d_token', 'fabrikam.example', 'northwind.example', result='all', fail_on='never') }}"

- name: Call an API in many tenants, and leave out those that gave no token
  ansible.builtin.uri:
    url: https://graph.microsoft.com/v1.0/security/secureScores?$top=1
    headers:
      Authorization: "Bearer {{ item.value }}"
  loop: "{{ tokens | dict2items | selectattr('value') }}"
  loop_control:
    label: "{{ item.key }}"
  vars:
    tokens: "{{ lookup('m365d.partner.m365d_token', groups['customers'] | map('extract', hostvars, 'm365d_tenant_id') | list,
                       form='dict', max_failed='10%') }}"
  delegate_to: localhost
  run_once: true
  no_log: true
"""

RETURN = r"""
_raw:
  description:
    - The token, the claims or the result for each tenant, in the order of the terms, or one dictionary of them with O(form=dict).
    - With O(shard), the tenants of this part.
  type: list
  elements: raw
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible_collections.m365d.partner.plugins.module_utils._ops.token import OPERATION
from ansible_collections.m365d.partner.plugins.plugin_utils._lookup import OperationLookup


class LookupModule(OperationLookup):
    """Gets tokens with the operation of the module `m365d_token`."""

    operation = OPERATION

    def adapted(self, options: dict[str, Any], what: str) -> dict[str, Any]:
        """Ask for the token itself only where it is to be returned."""
        if what != "all" and options["fail_on"] == "never":
            raise AnsibleLookupError(f"fail_on=never needs result=all: where a tenant refuses, there is no {what} to return.")
        return {**options, "return_token": what == "token"}

    def selected(self, result: Mapping[str, Any], what: str) -> Any:
        """Return the token, its claims, or all but the token."""
        return result if what == "all" else result["access_token" if what == "token" else "claims"]
