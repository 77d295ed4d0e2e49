#!/usr/bin/python
# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: m365d_tenant_info
short_description: Find out which tenant a domain is, where it lives and how it is called
version_added: 0.1.0
description:
  - Finds the id, the national cloud and the region of a tenant, given by a domain or by its GUID. The login services of Entra ID publish
    these, so that this needs no credential and no consent, and the tenant does not learn of it.
  - With a credential, Microsoft Graph is asked for the tenant's display name and default domain too. That needs the permission
    C(MicrosoftGraph/CrossTenantInformation.ReadBasic.All) in O(home_tenant_id), not in the tenant that is asked about.
  - A tenant that no login service knows fails the task, with RV(consent_state=unknown_tenant).
options:
  cloud:
    description:
      - The national cloud whose login service is asked. RV(cloud) is what it answers, which may be another one.
      - V(auto) asks the login services of the global, the United States government's and the Chinese cloud, in this order, until one knows
        the tenant. Where O(login_url) is given, it alone is asked.
    type: str
    choices: [global, gcc, gcc_high, dod, china, auto]
    default: auto
  names:
    description:
      - Whether Microsoft Graph is asked for the names of the tenant.
      - V(auto) asks where a credential is given; RV(names_error) says why there are none. Only a credential that is wrong fails the task.
      - V(required) fails where there are none.
    type: str
    choices: [auto, required, never]
    default: auto
  home_tenant_id:
    description:
      - The tenant in whose name the app asks for names, mostly the partner's own.
      - By default the tenant that is asked about; there, the app rarely has the permission.
    type: str
notes:
  - O(api) changes nothing here. It is known so that the defaults of the action group may hold it.
  - The country of a tenant is not the place of its data. RV(region_scope) is where its directory lives, which decides neither.
seealso:
  - module: m365d.partner.m365d_consent_info
  - name: Microsoft Graph, find tenant information by tenant id
    description: Where the names come from.
    link: https://learn.microsoft.com/graph/api/tenantrelationship-findtenantinformationbytenantid
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
- name: Which tenant is it; no credential is needed
  m365d.partner.m365d_tenant_info:
    tenant_id: fabrikam.onmicrosoft.com
  register: fabrikam
  delegate_to: localhost

- name: Say what to write into the inventory
  ansible.builtin.debug:
    msg: "m365d_tenant_id: {{ fabrikam.tenant_id }}, m365d_cloud: {{ fabrikam.cloud }}"

- name: The ids of many domains, and those that nobody knows
  m365d.partner.m365d_tenant_info:
    tenants: [fabrikam.onmicrosoft.com, northwindtraders.com, a-misspelt-domain.com]
    max_failed: 100%
  register: found
  delegate_to: localhost

- name: Show both
  ansible.builtin.debug:
    msg:
      known: "{{ found.tenants | selectattr('outcome', 'eq', 'ok') | items2dict(key_name='domain', value_name='tenant_id') }}"
      unknown: "{{ found.tenants | rejectattr('outcome', 'eq', 'ok') | map(attribute='tenant_id') }}"

- name: With their names, asked in the name of the partner's own tenant
  m365d.partner.m365d_tenant_info:
    tenants: "{{ groups['customers'] | map('extract', hostvars, 'm365d_tenant_id') }}"
    home_tenant_id: contoso.onmicrosoft.com
    client_id: 22222222-2222-4222-8222-000000000001
    client_secret: "{{ vaulted_client_secret }}"
  delegate_to: localhost
  run_once: true
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
  returned: success
  sample: 11111111-1111-4111-8111-000000000002
domain:
  description:
    - The domain that was asked for, V(null) where it was the GUID.
  type: str
  returned: success
  sample: fabrikam.onmicrosoft.com
cloud:
  description:
    - The national cloud that the tenant lives in, as in O(cloud).
  type: str
  returned: success
  sample: global
cloud_instance_name:
  description:
    - The login service's own name of that cloud.
  type: str
  returned: success
  sample: microsoftonline.com
region_scope:
  description:
    - The region of the directory, such as V(EU), V(NA), V(AS), V(OC) or V(USGov). V(null) where nothing is said.
  type: str
  returned: success
  sample: EU
region_sub_scope:
  description:
    - V(GCC), V(DODCON) (GCC High) or V(DOD) for a tenant of the United States government, V(null) for others.
  type: str
  returned: success
  sample: null
issuer:
  description:
    - The issuer of the tenant's tokens (version 2).
  type: str
  returned: success
  sample: https://login.microsoftonline.com/11111111-1111-4111-8111-000000000002/v2.0
msgraph_host:
  description:
    - The host of Microsoft Graph for the tenant, as the login service names it.
  type: str
  returned: success
  sample: graph.microsoft.com
hosts:
  description:
    - Where the services answer in the tenant's cloud. The first three are options of the other modules, and follow from their O(cloud).
  type: dict
  returned: success
  contains:
    login_url:
      description: Entra ID.
      type: str
      sample: https://login.microsoftonline.com
    graph_url:
      description: Microsoft Graph.
      type: str
      sample: https://graph.microsoft.com
    defender_url:
      description: The Defender API, V(null) where the cloud has none.
      type: str
      sample: https://api.security.microsoft.com
    portal_url:
      description: The portal for people.
      type: str
      sample: https://security.microsoft.com
display_name:
  description:
    - How the tenant calls itself. V(null) where names were not asked for or not found.
  type: str
  returned: success
  sample: Fabrikam
default_domain:
  description:
    - The tenant's default domain. V(null) where names were not asked for or not found.
  type: str
  returned: success
  sample: fabrikam.com
federation_brand_name:
  description:
    - The brand of a tenant that signs in by federation, mostly V(null).
  type: str
  returned: success
  sample: null
names_error:
  description:
    - Why there are no names although they were asked for, with the keys of RV(error). V(null) otherwise.
  type: dict
  returned: success
  sample: null
consent_state:
  description:
    - V(unknown_tenant) where no login service that was asked knows the tenant, V(unreachable) where none answered.
  type: str
  returned: failure
  sample: unknown_tenant
error:
  description:
    - The diagnosis. The keys are those of the same value of M(m365d.partner.m365d_token).
  type: dict
  returned: failure
  sample:
    code: AADSTS90002
    scope: tenant
    state: unknown_tenant
"""

from ansible_collections.m365d.partner.plugins.module_utils._module import run_module
from ansible_collections.m365d.partner.plugins.module_utils._ops.tenant_info import OPERATION


def main() -> None:
    """Run the module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
