# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Written by tests/tools/update_doc_fragments.py from plugins/module_utils/_argspec.py; edit that file instead.

"""Documentation of the shared options: fleet."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of the group fleet, for modules and for plugins."""

    DOCUMENTATION = r"""
options:
  tenants:
    description:
      - Many tenants in one task, instead of O(tenant_id).
      - 'Each entry is a GUID or a domain, or a dictionary with C(tenant_id) and what differs for this tenant: C(credential)
        (a name out of O(credentials)), C(cloud), C(api), C(login_url), C(graph_url), C(defender_url), C(ca_path), C(validate_certs),
        C(proxy).'
      - A tenant that stands here twice is read once. An empty list is no fault.
    type: list
    elements: raw
  credentials:
    description:
      - Further credentials, by name, for entries of O(tenants) that need another one than the task's own.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - The name that an entry of O(tenants) refers to.
        type: str
        required: true
      client_id:
        description:
          - As the option O(client_id) of the task.
        type: str
      auth_method:
        description:
          - As the option O(auth_method) of the task.
        type: str
        choices:
          - auto
          - client_secret
          - certificate
          - client_assertion
          - federated_token
          - managed_identity
          - azure_cli
          - device_code
          - ready_token
        default: auto
      client_secret:
        description:
          - As the option O(client_secret) of the task.
        type: str
      client_certificate_path:
        description:
          - As the option O(client_certificate_path) of the task.
        type: path
      client_private_key_path:
        description:
          - As the option O(client_private_key_path) of the task.
        type: path
      client_certificate_password:
        description:
          - As the option O(client_certificate_password) of the task.
        type: str
      send_certificate_chain:
        description:
          - As the option O(send_certificate_chain) of the task.
        type: bool
        default: false
      client_assertion_path:
        description:
          - As the option O(client_assertion_path) of the task.
        type: path
      client_assertion_command:
        description:
          - As the option O(client_assertion_command) of the task.
        type: list
        elements: str
      federated_token_file:
        description:
          - As the option O(federated_token_file) of the task.
        type: path
      managed_identity_client_id:
        description:
          - As the option O(managed_identity_client_id) of the task.
        type: str
      access_token:
        description:
          - As the option O(access_token) of the task.
        type: str
      endpoint_version:
        description:
          - As the option O(endpoint_version) of the task.
        type: str
        choices:
          - v1
          - v2
        default: v2
  concurrency:
    description:
      - How many of O(tenants) are worked on at the same time.
      - A tenant that has to wait, because its service asks for it, gives its place to another one meanwhile.
    type: int
    default: 16
  max_failed:
    description:
      - 'How many of O(tenants) may fail before the task does: a count, or a percentage such as V(10%).'
      - With O(shard), both are of the tenants of that part.
      - The results of all tenants are returned in any case.
    type: str
    default: '0'
  fleet_deadline:
    description:
      - Seconds for all of O(tenants) together. A tenant that is not done by then is C(unknown).
      - Without it, only the O(deadline) of each call counts.
    type: float
  budgets:
    description:
      - How many requests the services take, so that O(tenants) are read without being refused. A tenant whose budget is used
        up waits, and gives its place to another one meanwhile.
      - 'Each budget is a list of limits: V(50/m) is 50 requests within any minute, V(1000/10s) is 1000 within any ten seconds;
        C(s), C(m), C(h) and C(d) are the units. An empty list is no limit.'
      - Requests are counted within this task alone. What other tasks, hosts of a loop, or other programs spend, the service
        tells by refusing, which is obeyed.
      - Counting needs the Python library C(pyrate-limiter), which is not needed where all budgets are empty lists.
    type: dict
    suboptions:
      defender:
        description:
          - Limits of the requests of one tenant to the Defender API, but for hunting. The default is V(50/m) and V(1500/h).
        type: list
        elements: str
      graph:
        description:
          - Limits of the requests of one tenant to the security API of Microsoft Graph, but for hunting. The default is V(150/m).
        type: list
        elements: str
      hunting:
        description:
          - Limits of the requests of one tenant for hunting, with either service. The default is V(45/m).
        type: list
        elements: str
      app:
        description:
          - Limits of the requests of one application, to the APIs of all tenants together. The default is no limit.
        type: list
        elements: str
  shard:
    description:
      - 'Take only a part of O(tenants): V(2/4) is the second of four parts.'
      - Which part a tenant belongs to depends on its GUID alone, so that the slices of a job, or several machines, share
        the work.
    type: str
requirements:
  - pyrate-limiter >= 4, where O(tenants) is given
"""

    PLUGIN = r"""
options:
  tenants:
    description:
      - Many tenants in one task, instead of O(tenant_id).
      - 'Each entry is a GUID or a domain, or a dictionary with C(tenant_id) and what differs for this tenant: C(credential)
        (a name out of O(credentials)), C(cloud), C(api), C(login_url), C(graph_url), C(defender_url), C(ca_path), C(validate_certs),
        C(proxy).'
      - A tenant that stands here twice is read once. An empty list is no fault.
    type: list
    elements: raw
  credentials:
    description:
      - Further credentials, by name, for entries of O(tenants) that need another one than the task's own.
    type: list
    elements: dict
    suboptions:
      name:
        description:
          - The name that an entry of O(tenants) refers to.
        type: str
        required: true
      client_id:
        description:
          - As the option O(client_id) of the task.
        type: str
      auth_method:
        description:
          - As the option O(auth_method) of the task.
        type: str
        choices:
          - auto
          - client_secret
          - certificate
          - client_assertion
          - federated_token
          - managed_identity
          - azure_cli
          - device_code
          - ready_token
        default: auto
      client_secret:
        description:
          - As the option O(client_secret) of the task.
        type: str
      client_certificate_path:
        description:
          - As the option O(client_certificate_path) of the task.
        type: path
      client_private_key_path:
        description:
          - As the option O(client_private_key_path) of the task.
        type: path
      client_certificate_password:
        description:
          - As the option O(client_certificate_password) of the task.
        type: str
      send_certificate_chain:
        description:
          - As the option O(send_certificate_chain) of the task.
        type: bool
        default: false
      client_assertion_path:
        description:
          - As the option O(client_assertion_path) of the task.
        type: path
      client_assertion_command:
        description:
          - As the option O(client_assertion_command) of the task.
        type: list
        elements: str
      federated_token_file:
        description:
          - As the option O(federated_token_file) of the task.
        type: path
      managed_identity_client_id:
        description:
          - As the option O(managed_identity_client_id) of the task.
        type: str
      access_token:
        description:
          - As the option O(access_token) of the task.
        type: str
      endpoint_version:
        description:
          - As the option O(endpoint_version) of the task.
        type: str
        choices:
          - v1
          - v2
        default: v2
    vars:
      - name: m365d_credentials
  concurrency:
    description:
      - How many of O(tenants) are worked on at the same time.
      - A tenant that has to wait, because its service asks for it, gives its place to another one meanwhile.
    type: int
    default: 16
    env:
      - name: M365D_CONCURRENCY
    ini:
      - section: m365d
        key: concurrency
    vars:
      - name: m365d_concurrency
  max_failed:
    description:
      - 'How many of O(tenants) may fail before the task does: a count, or a percentage such as V(10%).'
      - With O(shard), both are of the tenants of that part.
      - The results of all tenants are returned in any case.
    type: str
    default: '0'
    env:
      - name: M365D_MAX_FAILED
    ini:
      - section: m365d
        key: max_failed
    vars:
      - name: m365d_max_failed
  fleet_deadline:
    description:
      - Seconds for all of O(tenants) together. A tenant that is not done by then is C(unknown).
      - Without it, only the O(deadline) of each call counts.
    type: float
    env:
      - name: M365D_FLEET_DEADLINE
    ini:
      - section: m365d
        key: fleet_deadline
    vars:
      - name: m365d_fleet_deadline
  budgets:
    description:
      - How many requests the services take, so that O(tenants) are read without being refused. A tenant whose budget is used
        up waits, and gives its place to another one meanwhile.
      - 'Each budget is a list of limits: V(50/m) is 50 requests within any minute, V(1000/10s) is 1000 within any ten seconds;
        C(s), C(m), C(h) and C(d) are the units. An empty list is no limit.'
      - Requests are counted within this task alone. What other tasks, hosts of a loop, or other programs spend, the service
        tells by refusing, which is obeyed.
      - Counting needs the Python library C(pyrate-limiter), which is not needed where all budgets are empty lists.
    type: dict
    suboptions:
      defender:
        description:
          - Limits of the requests of one tenant to the Defender API, but for hunting. The default is V(50/m) and V(1500/h).
        type: list
        elements: str
      graph:
        description:
          - Limits of the requests of one tenant to the security API of Microsoft Graph, but for hunting. The default is V(150/m).
        type: list
        elements: str
      hunting:
        description:
          - Limits of the requests of one tenant for hunting, with either service. The default is V(45/m).
        type: list
        elements: str
      app:
        description:
          - Limits of the requests of one application, to the APIs of all tenants together. The default is no limit.
        type: list
        elements: str
    vars:
      - name: m365d_budgets
  shard:
    description:
      - 'Take only a part of O(tenants): V(2/4) is the second of four parts.'
      - Which part a tenant belongs to depends on its GUID alone, so that the slices of a job, or several machines, share
        the work.
    type: str
    env:
      - name: M365D_SHARD
    ini:
      - section: m365d
        key: shard
    vars:
      - name: m365d_shard
requirements:
  - pyrate-limiter >= 4, where O(tenants) is given
"""
