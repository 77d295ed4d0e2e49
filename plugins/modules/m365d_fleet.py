#!/usr/bin/python
# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is documentation alone: the module is an action plugin and runs on the controller, where the variables of all hosts are known.

from __future__ import annotations

DOCUMENTATION = r"""
module: m365d_fleet
short_description: Read the tenants of many hosts in one task, each with its own variables
version_added: 0.1.0
description:
  - Runs a module that reads once for the tenants of many hosts, at the same time, and returns for each host what the module would have
    returned there. For a thousand hosts this takes seconds where a task on each host takes Ansible itself twenty.
  - What a task on the host would take from its variables is taken from them - C(m365d_tenant_id), C(m365d_cloud), C(m365d_api), the other
    options of the connection, C(m365d_allowed_tenants), and its credential. A host may name one of the credentials of O(options) with the
    variable C(m365d_credential) instead.
  - A host whose tenant was not read has the outcome V(unknown) or V(failed) and no counts. The reasons are in its C(error).
  - Hand the results to the hosts with the lookup P(m365d.partner.m365d_fleet_result#lookup), as the playbook C(m365d.partner.fleet) does.
options:
  module:
    description:
      - The module to run.
    type: str
    choices: [m365d_alerts, m365d_consent_info, m365d_hunting, m365d_incidents, m365d_tenant_info, m365d_token]
    required: true
  options:
    description:
      - The options of the module, those for many tenants (C(concurrency), C(fleet_deadline), C(shard), C(credentials)) included.
      - They come before the variables of the hosts. Tenants cannot be among them.
      - C(max_failed) counts hosts, and is V(100%) by default, since each host has an outcome of its own.
    type: dict
    default: {}
  hosts:
    description:
      - The names of the hosts.
      - By default, those that the task runs for (C(ansible_play_batch)), so that C(--limit) and C(serial) are followed.
    type: list
    elements: str
notes:
  - Set C(run_once) on the task. It then returns to all hosts of the play.
  - Where the variables of each host look up its secret elsewhere, that is done for one host after the other. A credential in O(options)
    with a name, and C(m365d_credential) for the hosts, is looked up once.
  - Hosts that stand for the same tenant share one reading. They must not differ in their options.
seealso:
  - plugin: m365d.partner.m365d_fleet_result
    plugin_type: lookup
  - module: m365d.partner.m365d_incidents
extends_documentation_fragment:
  - m365d.partner.attributes
  - m365d.partner.attributes.platform
attributes:
  check_mode:
    support: full
    details:
      - The modules read only.
  diff_mode:
    support: N/A
    details:
      - The modules read only.
  idempotent:
    support: full
    details:
      - The modules read only.
author:
  - m365d.partner contributors (@m365d)
"""

EXAMPLES = r"""
- name: Read what is open at all customers, in one task
  m365d.partner.m365d_fleet:
    module: m365d_incidents
    options:
      status: [active]
      concurrency: 32
  run_once: true
  register: m365d_fleet

- name: Give each customer's host its own result
  ansible.builtin.set_fact:
    m365d_fleet_result: "{{ lookup('m365d.partner.m365d_fleet_result') }}"

- name: Work with it
  ansible.builtin.debug:
    msg: >-
      {{ inventory_hostname }}:
      {{ m365d_fleet_result.count ~ ' open incidents' if m365d_fleet_result.outcome == 'ok'
         else m365d_fleet_result.outcome ~ ', ' ~ m365d_fleet_result.msg }}

- name: Customers of two partners with an app each, named by m365d_credential of the hosts
  m365d.partner.m365d_fleet:
    module: m365d_consent_info
    options:
      credentials:
        - name: contoso
          client_id: 22222222-2222-4222-8222-000000000001
          client_secret: "{{ vaulted_contoso_secret }}"
        - name: fabrikam
          client_id: 22222222-2222-4222-8222-000000000002
          client_secret: "{{ vaulted_fabrikam_secret }}"
  run_once: true
  register: m365d_fleet
"""

RETURN = r"""
hosts:
  description:
    - The result of each host. An entry holds what the module returns for one tenant, and C(outcome), C(seconds), C(attempts), C(requested)
      and C(error) as in the value C(tenants) of the module. Where C(outcome) is not V(ok), C(msg) is the reason in one text.
    - With C(shard), the hosts of this part.
  type: dict
  returned: success
summary:
  description:
    - How many hosts are V(ok), V(failed) and V(unknown), their V(total), and the V(seconds) of the whole task.
  type: dict
  returned: success
  sample:
    total: 3
    ok: 2
    failed: 1
    unknown: 0
    seconds: 0.8
complete:
  description:
    - Whether all tenants were read, and all of what was asked for.
  type: bool
  returned: success
count:
  description:
    - The sum of what the module counts, over the tenants that were read.
    - The other counts of the module, such as C(by_severity), are there too.
  type: int
  returned: where the module counts
msg:
  description:
    - How many hosts have no result, and the reason of the first.
  type: str
  returned: when a host has no result
shard:
  description:
    - Which part this is, for P(m365d.partner.merge_shards#filter) to find that all parts are there.
  type: dict
  returned: with C(shard)
"""
