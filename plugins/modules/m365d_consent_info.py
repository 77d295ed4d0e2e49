#!/usr/bin/python
# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: m365d_consent_info
short_description: Find out how far a customer's consent has come, and the next step
version_added: 0.1.0
description:
  - Asks a tenant for tokens of the app and reads from them, or from their refusal, what the customer consented to. This needs no
    permission in
    the customer's tenant, only the partner's own credential.
  - With O(probe_api=true) the incidents API is asked for one incident as well, which finds a product that is not set up although all roles
    are granted.
  - What a tenant refuses is a finding, not a failure of the task. The task fails where nothing is learned about the tenant - the
    credential is wrong, the service cannot be reached, an option is wrong.
options:
  permissions:
    description:
      - The permissions that make the tenant ready, as in V(MicrosoftGraph/SecurityIncident.Read.All). They may belong to several APIs.
      - Without it, the tenant is ready when it granted any permission of the API that O(api) stands for.
    type: list
    elements: str
  probe_api:
    description:
      - Whether the incidents API is asked too, the one that O(api) names. It is asked only where all tokens were given.
    type: bool
    default: false
  force_refresh:
    description:
      - Whether new tokens are asked for. A token from the cache tells what was granted when it was issued.
    type: bool
    default: true
seealso:
  - module: m365d.partner.m365d_consent_url
  - module: m365d.partner.m365d_consent
  - module: m365d.partner.m365d_token
extends_documentation_fragment:
  - m365d.partner.connection
  - m365d.partner.tenant
  - m365d.partner.auth
  - m365d.partner.api
  - m365d.partner.fleet
  - m365d.partner.attributes
  - m365d.partner.attributes.actiongroup_m365d
  - m365d.partner.attributes.platform
attributes:
  check_mode:
    support: full
    details:
      - The module reads only.
  diff_mode:
    support: N/A
    details:
      - The module reads only.
  idempotent:
    support: full
    details:
      - The module reads only.
author:
  - m365d.partner contributors (@m365d)
"""

EXAMPLES = r"""
# Tenant and credential come from the inventory here (m365d_tenant_id, m365d_client_id and so on).

- name: How far is this customer
  m365d.partner.m365d_consent_info:
    permissions:
      - MicrosoftGraph/SecurityIncident.Read.All
      - MicrosoftThreatProtection/Incident.Read.All
  register: consent

- name: Say what to do next
  ansible.builtin.debug:
    msg: "{{ consent.tenant_id }} is {{ consent.consent_state }}. {{ consent.next_step }}"

- name: Write the link to those customers who can help by clicking it
  ansible.builtin.copy:
    content: "{{ consent.consent_url }}\n"
    dest: "links/{{ inventory_hostname }}.txt"
    mode: "0644"
  when: consent.consent_url is not none
  delegate_to: localhost

- name: Before going live, prove it with the API itself
  m365d.partner.m365d_consent_info:
    permissions: [MicrosoftGraph/SecurityIncident.Read.All]
    probe_api: true
  register: live
  failed_when: live.failed | default(false) or live.consent_state != 'ready'
"""

RETURN = r"""
tenants:
  description:
    - What became of each of O(tenants), in their order. An entry holds the values below that belong to one tenant, and these.
    - A tenant that is not V(ok) has no counts, lists or claims; C(error) says why.
  type: list
  elements: dict
  returned: when O(tenants) is given
  contains:
    tenant_id:
      description:
        - The id of the tenant; what was given, where it could not be resolved.
      type: str
      returned: always
    requested:
      description:
        - The names by which the tenant stands in O(tenants).
      type: list
      elements: str
      returned: always
    outcome:
      description:
        - V(ok); V(failed), when the service gave a definite answer that is a fault; V(unknown), when nothing definite is known.
      type: str
      returned: always
      sample: ok
    seconds:
      description:
        - How long it took, waits included.
      type: float
      returned: always
    attempts:
      description:
        - How often the tenant was tried; V(0) where it was not, since its credential had been refused or no time was left.
      type: int
      returned: always
    error:
      description:
        - The diagnosis - V(state), V(code), V(next_step), V(scope) and what the service said.
      type: dict
      returned: when the outcome is not V(ok)
summary:
  description:
    - How many of O(tenants) are V(ok), V(failed) and V(unknown), their V(total), and the V(seconds) of the whole task.
  type: dict
  returned: when O(tenants) is given
  sample:
    total: 3
    ok: 2
    failed: 1
    unknown: 0
    seconds: 0.8
shard:
  description:
    - Which part this is, for P(m365d.partner.merge_shards#filter) to find that all parts are there.
  type: dict
  returned: when O(shard) is given
complete:
  description:
    - Whether every one of O(tenants) is V(ok).
  type: bool
  returned: when O(tenants) is given
tenant_id:
  description:
    - The id of the tenant.
  type: str
  returned: always
  sample: 11111111-1111-4111-8111-000000000002
client_id:
  description:
    - The client id of the app.
  type: str
  returned: success
  sample: 22222222-2222-4222-8222-000000000001
consent_state:
  description:
    - The state of the tenant over all probes, the one that explains most.
    - One of V(ready), V(missing_roles), V(consented_without_roles), V(not_licensed), V(not_consented), V(disabled), V(blocked),
      V(unknown_tenant), V(credential_error) and V(unreachable). The module M(m365d.partner.m365d_token) explains them.
  type: str
  returned: when it is known
  sample: missing_roles
roles:
  description:
    - All permissions that the tokens carry, with their API.
  type: list
  elements: str
  returned: success
  sample: [MicrosoftGraph/SecurityIncident.Read.All]
missing_roles:
  description:
    - Those of O(permissions) that no token carries.
  type: list
  elements: str
  returned: success
  sample: [MicrosoftThreatProtection/Incident.Read.All]
next_step:
  description:
    - What to do next. Empty where nothing is to be done.
  type: str
  returned: success
  sample: Send the customer the consent link (m365d.partner.m365d_consent_url) and have an administrator accept.
consent_url:
  description:
    - The link by which the customer consents, where that is what helps. V(null) otherwise.
    - It asks for all permissions that the app declares, and it is bound to this tenant.
  type: str
  returned: success
  sample: >-
    https://login.microsoftonline.com/11111111-1111-4111-8111-000000000002/oauth2/authorize?prompt=consent&client_id=...
evidence:
  description:
    - What each probe found, in the order in which they were made.
  type: list
  elements: dict
  returned: success
  contains:
    probe:
      description:
        - What was asked - V(tenant) for finding a tenant by its domain, V(token), or V(api).
      type: str
      sample: token
    resource:
      description:
        - The API that it was about.
      type: str
      sample: MicrosoftGraph
    consent_state:
      description:
        - The state that this probe shows.
      type: str
      sample: ready
    roles:
      description:
        - The roles in the token, for V(token) where one was given.
      type: list
      elements: str
      sample: [SecurityIncident.Read.All]
    signature:
      description:
        - Whether the signature of the token was V(verified), V(unchecked) or V(invalid).
      type: str
      sample: unchecked
    source:
      description:
        - Where the token comes from.
      type: str
      sample: network
    failed_checks:
      description:
        - The names of the checks that the token failed, see M(m365d.partner.m365d_token).
      type: list
      elements: str
      sample: []
    error:
      description:
        - Why it was refused, as in RV(error), or V(null).
      type: dict
error:
  description:
    - The refusal that stands for RV(consent_state), or V(null). The keys are those of the same value of M(m365d.partner.m365d_token).
  type: dict
  returned: always
  sample:
    code: AADSTS700016
    scope: tenant
    state: not_consented
"""

from ansible_collections.m365d.partner.plugins.module_utils._module import run_module
from ansible_collections.m365d.partner.plugins.module_utils._ops.consent_info import OPERATION


def main() -> None:
    """Run the module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
