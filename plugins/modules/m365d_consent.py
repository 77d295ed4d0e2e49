#!/usr/bin/python
# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: m365d_consent
short_description: Grant an app its application permissions in a tenant
version_added: 0.1.0
description:
  - Grants an app the application permissions that it declares, or those that are named, by app-role assignments in the tenant. Or revokes
    them.
  - In the home tenant this is the button I(Grant admin consent) of the portal. It has to be pressed again after every permission that is
    added.
  - Service principals that are missing are created, the app's and those of the resources. Creating one licenses nothing.
  - What is granted beyond the list is reported in RV(drift), and revoked with O(exclusive=true).
  - Delegated permissions are left alone.
  - Needs the Microsoft Graph permissions C(AppRoleAssignment.ReadWrite.All) and C(Application.Read.All), and C(Application.ReadWrite.All)
    where service principals have to be created. Guard a caller that holds C(AppRoleAssignment.ReadWrite.All) like a Global Administrator,
    as it can grant itself anything.
  - In the tenant of a customer the customer consents, with the link of M(m365d.partner.m365d_consent_url). There this module is for callers
    that the customer gave these permissions.
  - What is written lies in Microsoft Graph. O(api) is accepted, so that the defaults of the action group can hold it, but not used.
options:
  state:
    description:
      - V(present) grants what is missing.
      - V(absent) revokes O(permissions), or all application permissions of the app in this tenant where none are named. The service
        principal stays. Tokens that were issued before keep their roles until they expire.
    type: str
    choices: [present, absent]
    default: present
  app_id:
    description:
      - The application (client) id of the app that holds the permissions. Not to be confused with O(client_id), which is the caller.
    type: str
    required: true
  permissions:
    description:
      - The application permissions, each as C(Resource/Role), for example V(MicrosoftThreatProtection/Incident.Read.All).
      - With O(state=present), those that the app declares where none are named. They can be read in the app's home tenant only.
    type: list
    elements: str
  exclusive:
    description:
      - With O(state=present), whether to revoke application permissions that are granted but not in the list.
    type: bool
    default: false
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
  - module: m365d.partner.m365d_consent_url
  - module: m365d.partner.m365d_consent_info
  - name: Grant an app role
    description: What Microsoft Graph says about app-role assignments.
    link: https://learn.microsoft.com/graph/api/serviceprincipal-post-approleassignments
"""

EXAMPLES = r"""
---
- name: Grant in the home tenant what the app declares
  m365d.partner.m365d_consent:
    tenant_id: contoso.example
    client_id: "{{ bootstrap_client_id }}"
    client_secret: "{{ bootstrap_client_secret }}"
    app_id: "{{ app.app_id }}"

- name: Have exactly these permissions granted
  m365d.partner.m365d_consent:
    tenant_id: contoso.example
    app_id: 33333333-3333-4333-8333-000000000001
    permissions:
      - MicrosoftThreatProtection/Incident.Read.All
      - MicrosoftGraph/SecurityIncident.Read.All
    exclusive: true

- name: See whether grants have drifted, without a change
  m365d.partner.m365d_consent:
    tenant_id: contoso.example
    app_id: 33333333-3333-4333-8333-000000000001
  check_mode: true
  register: consent
  failed_when: (consent.drift.missing + consent.drift.undeclared) | length > 0

- name: Revoke one permission
  m365d.partner.m365d_consent:
    tenant_id: contoso.example
    app_id: 33333333-3333-4333-8333-000000000001
    permissions:
      - MicrosoftThreatProtection/Incident.Read.All
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
service_principal_id:
  description:
    - The object id of the app's service principal in this tenant. V(null) when there is none, or in check mode when it would be created.
  returned: success
  type: str
  sample: 55555555-5555-4555-8555-000000000001
grants:
  description:
    - The application permissions of the app in this tenant, and what happened to each.
  returned: success
  type: list
  elements: dict
  contains:
    permission:
      description:
        - The permission by name.
      type: str
      sample: MicrosoftThreatProtection/Incident.Read.All
    id:
      description:
        - The id of the app-role assignment. V(null) for one that would be made in check mode, and for one that somebody else made
          meanwhile.
      type: str
    state:
      description:
        - V(present) was granted before, V(granted) is granted now, V(undeclared) is granted but not in the list, V(revoked) was taken away.
      type: str
      sample: granted
granted:
  description:
    - The names of the permissions that are granted now, or in check mode would be.
  returned: success
  type: list
  elements: str
  sample: [MicrosoftThreatProtection/Incident.Read.All]
drift:
  description:
    - How the tenant differed from what was wanted, before this task changed it.
  returned: success
  type: dict
  contains:
    missing:
      description:
        - Permissions in the list that were not granted.
      type: list
      elements: str
    undeclared:
      description:
        - Permissions that were granted but not in the list.
      type: list
      elements: str
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
from ansible_collections.m365d.partner.plugins.module_utils._ops.consent import OPERATION


def main() -> None:
    """Run the operation."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
