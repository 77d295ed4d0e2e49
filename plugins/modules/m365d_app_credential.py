#!/usr/bin/python
# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: m365d_app_credential
short_description: Add or remove a client secret of an app
version_added: 0.1.0
description:
  - Sees to it that an app has a client secret of a given name that does not end soon, or that it has none.
  - Microsoft returns the value of a secret once, when it is added. So does this module, in RV(secret_text). Such a result is registered,
    but Ansible does not show it, at any verbosity. Store the value at once, in a vault for example.
  - A secret cannot be changed. Where the one of that name is about to end, another of the same name is added, and the old one works until
    its end, so that nothing breaks while the new value is handed out.
  - The value of a secret that exists cannot be returned again. Such a task changes nothing, and RV(secret_available) is V(false).
  - After a secret was added, no fault makes the task fail and lose its value. What could not be checked is a warning.
  - Needs the Microsoft Graph permission C(Application.ReadWrite.OwnedBy) for apps that the caller owns, else C(Application.ReadWrite.All).
  - What is written lies in Microsoft Graph. O(api) is accepted, so that the defaults of the action group can hold it, but not used.
options:
  state:
    description:
      - V(present) adds a secret where there is none of that name that lasts.
      - V(absent) removes all secrets of that name, or the one with that key id.
    type: str
    choices: [present, absent]
    default: present
  app_id:
    description:
      - The application (client) id of the app that the secret belongs to. Not to be confused with O(client_id), which is the caller.
      - One of O(app_id) and O(app_object_id) is needed.
    type: str
  app_object_id:
    description:
      - The object id of the app, instead of O(app_id).
    type: str
  type:
    description:
      - The kind of credential.
    type: str
    choices: [secret]
    default: secret
  name:
    description:
      - The name (description) of the secret, by which it is found within the app. Needed with O(state=present).
      - Mutually exclusive with O(key_id).
    type: str
  key_id:
    description:
      - With O(state=absent), the key id of the secret to remove.
    type: str
  lifetime_days:
    description:
      - How many days a new secret works. V(180) where neither this nor O(end_date_time) is given.
      - A policy of the tenant may allow less. The task fails then and says so.
    type: int
  end_date_time:
    description:
      - The moment at which a new secret ends, in ISO 8601, instead of O(lifetime_days). UTC where it names no zone.
      - It does not matter for a secret that exists.
    type: str
  renew_before_days:
    description:
      - A secret that ends within this many days is not good enough, and another is added.
      - V(0) adds one only when the old one has ended.
    type: int
    default: 0
  remove_expired:
    description:
      - Whether to remove secrets of that name that have ended.
    type: bool
    default: false
  verify:
    description:
      - Whether to wait until the token service accepts the new secret, which takes up to minutes. A token for Microsoft Graph is asked for
        in the home tenant and thrown away.
    type: bool
    default: true
  replication_timeout:
    description:
      - Seconds to wait for the directory to show what was written, and to know new objects that a write refers to.
      - Entra ID needs seconds as a rule, and minutes now and then.
      - When the time is over, a write that the directory still refuses fails, and a read that still shows the old state is warned about.
    type: float
    default: 300.0
extends_documentation_fragment:
  - m365d.partner.connection
  - m365d.partner.tenant
  - m365d.partner.auth
  - m365d.partner.api
  - m365d.partner.attributes
  - m365d.partner.attributes.actiongroup_m365d
  - m365d.partner.attributes.platform
  - m365d.partner.attributes.writer
author:
  - m365d.partner contributors (@m365d)
seealso:
  - module: m365d.partner.m365d_app
  - module: m365d.partner.m365d_token
  - name: Add a password to an app
    description: What Microsoft Graph says about secrets.
    link: https://learn.microsoft.com/graph/api/application-addpassword
"""

EXAMPLES = r"""
---
- name: Have a secret, and another one a month before it ends
  m365d.partner.m365d_app_credential:
    tenant_id: contoso.example
    app_id: "{{ app.app_id }}"
    name: ansible
    lifetime_days: 180
    renew_before_days: 30
  register: credential

# The directory must exist, on the controller, beside the inventory. Ansible loads *.yml files in it as variables of the group customers.
# The value is encrypted with the vault password of this run.
- name: Store a new value where the next run finds it
  ansible.builtin.copy:
    content: |
      m365d_client_secret: !vault |
        {{ lookup('m365d.partner.m365d_vault_encrypt', credential.secret_text) | indent(2) }}
    dest: "{{ inventory_dir }}/group_vars/customers/m365d_client_secret.yml"
    mode: "0600"
  when: credential.secret_available
  delegate_to: localhost
  no_log: true

- name: Have a secret that ends with the contract, and clear away those that have ended
  m365d.partner.m365d_app_credential:
    tenant_id: contoso.example
    app_id: 33333333-3333-4333-8333-000000000001
    name: ansible
    end_date_time: '2027-06-30T00:00:00Z'
    remove_expired: true
  register: credential

- name: Remove the secrets of a name
  m365d.partner.m365d_app_credential:
    tenant_id: contoso.example
    app_id: 33333333-3333-4333-8333-000000000001
    name: ansible
    state: absent

- name: Remove one secret that has leaked
  m365d.partner.m365d_app_credential:
    tenant_id: contoso.example
    app_id: 33333333-3333-4333-8333-000000000001
    key_id: 99999999-9999-4999-8999-000000000001
    state: absent
"""

RETURN = r"""
tenant_id:
  description:
    - The tenant, as a GUID.
  returned: always
  type: str
  sample: 11111111-1111-4111-8111-000000000001
app_id:
  description:
    - The application (client) id of the app.
  returned: success
  type: str
  sample: 33333333-3333-4333-8333-000000000001
object_id:
  description:
    - The object id of the app.
  returned: success
  type: str
  sample: 44444444-4444-4444-8444-000000000001
name:
  description:
    - The name of the secret.
  returned: when state is present
  type: str
  sample: ansible
key_id:
  description:
    - The key id of the secret. V(null) in check mode for a secret that would be added.
  returned: when state is present
  type: str
  sample: 99999999-9999-4999-8999-000000000001
start_date_time:
  description:
    - When the secret starts to work.
  returned: when state is present
  type: str
  sample: '2026-11-01T00:00:00Z'
end_date_time:
  description:
    - When the secret ends.
  returned: when state is present
  type: str
  sample: '2027-04-30T00:00:00Z'
hint:
  description:
    - The first three characters of the secret, by which people tell secrets apart.
  returned: when state is present
  type: str
  sample: x8Q
secret_available:
  description:
    - Whether RV(secret_text) is returned, that is whether a secret was added just now.
    - V(false) for a secret that was there before. Its value was returned when it was added and cannot be returned again. Where it is lost,
      remove the secret with O(state=absent) and have another added.
  returned: success
  type: bool
secret_text:
  description:
    - The value of the secret, returned this once. A result with it is never shown.
  returned: when a secret was added
  type: str
verified:
  description:
    - Whether the token service was seen to accept the new secret.
  returned: when a secret was added
  type: bool
removed:
  description:
    - The key ids of the secrets that were removed, or in check mode would be.
  returned: when state is absent
  type: list
  elements: str
  sample: [99999999-9999-4999-8999-000000000001]
error:
  description:
    - The diagnosis of a foreseeable fault.
  returned: failure
  type: dict
  contains:
    message:
      description:
        - The cause in one sentence.
      type: str
    next_step:
      description:
        - What to do about it.
      type: str
    attempted:
      description:
        - What was being done.
      type: str
    tenant_id:
      description:
        - The tenant it was done for.
      type: str
    code:
      description:
        - The service's own code, for example V(Authorization_RequestDenied).
      type: str
    http_status:
      description:
        - The HTTP status of the answer.
      type: int
    request_id:
      description:
        - The id under which the service logged the request.
      type: str
    scope:
      description:
        - V(tenant) when only this tenant is concerned, V(credential) when every tenant that uses the same credential would fail alike,
          V(request) when this request alone is at fault.
      type: str
    service_message:
      description:
        - What the service said, shortened and without secrets.
      type: str
    state:
      description:
        - The consent state that the fault implies.
      type: str
"""

from ansible_collections.m365d.partner.plugins.module_utils._module import run_module
from ansible_collections.m365d.partner.plugins.module_utils._ops.app_credential import OPERATION


def main() -> None:
    """Run the operation."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
