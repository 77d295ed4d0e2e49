#!/usr/bin/python
# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: m365d_app
short_description: Register the multi-tenant app
version_added: 0.1.0
description:
  - Creates, changes, deletes or restores the registration of an app in its home tenant, and sees to its service principal there.
  - An app is found by O(unique_name) or O(app_id), or else by its display name O(name). Display names are not unique. Where several apps
    bear it, the task fails and lists them.
  - Permissions are declared by name. Declaring a permission grants nothing. In the home tenant M(m365d.partner.m365d_consent) grants it,
    and in the tenant of a customer an administrator consents with the link of M(m365d.partner.m365d_consent_url).
  - The directory is eventually consistent. The module waits until a search shows what it wrote, so that the next task and the next run find
    it.
  - Needs the Microsoft Graph permission C(Application.ReadWrite.OwnedBy) for apps that the caller itself creates and owns, else
    C(Application.ReadWrite.All).
  - What is written lies in Microsoft Graph. O(api) is accepted, so that the defaults of the action group can hold it, but not used.
options:
  state:
    description:
      - V(present) creates or changes the app.
      - V(absent) deletes it, together with its service principal in the home tenant. Service principals in the tenants of customers stay
        behind and get no more tokens.
    type: str
    choices: [present, absent]
    default: present
  name:
    description:
      - The display name, which administrators of customers see on the consent page. At most 120 characters.
      - Needed to create an app. Where O(unique_name) or O(app_id) finds the app, this is the name it gets.
    type: str
  unique_name:
    description:
      - A name of your choice that is unique in the tenant and never changes. The safest way to find the app again.
      - It can be given to an app only when it is created.
      - A deleted app keeps its unique name for 30 days. See O(restore) and O(purge).
      - Mutually exclusive with O(app_id).
    type: str
  app_id:
    description:
      - The application (client) id of an app that exists.
      - Use it for an app that was made in the portal and shares its display name with others.
    type: str
  sign_in_audience:
    description:
      - Whose accounts and tenants the app is for. A partner's app is for several organizations.
      - It is sent with every creation, as the default of Microsoft Graph is not that of the portal, and corrected where it differs.
    type: str
    choices: [AzureADMyOrg, AzureADMultipleOrgs, AzureADandPersonalMicrosoftAccount, PersonalMicrosoftAccount]
    default: AzureADMultipleOrgs
  redirect_uris:
    description:
      - The redirect URIs of the platform Web, exactly these. The order does not matter.
      - When it is not given, a new app gets V(https://portal.azure.com), and an existing one keeps what it has.
    type: list
    elements: str
  permissions:
    description:
      - The permissions that the app declares, each as C(Resource/Role), for example V(MicrosoftThreatProtection/Incident.Read.All).
      - Known resources are V(MicrosoftThreatProtection), V(WindowsDefenderATP) and V(MicrosoftGraph). Any other is named by its application
        id.
      - A value that only one known resource offers may stand alone, for example V(SecurityIncident.Read.All).
      - A name means the application permission. The delegated permission is written with C(:delegated) behind it, for example
        V(MicrosoftGraph/User.Read:delegated).
      - The ids behind the names are read from the resource's service principal in the tenant, or from built-in tables where the tenant has
        none.
      - When it is not given, the declared permissions are left as they are.
    type: list
    elements: str
  permissions_exclusive:
    description:
      - V(true) makes O(permissions) the whole list. Every other declaration is removed, also those of other resources and delegated ones.
      - V(false) adds O(permissions) to what is declared.
    type: bool
    default: true
  notes:
    description:
      - Notes for administrators, at most 1024 characters. An empty text removes them.
      - When it is not given, they are left as they are.
    type: str
  service_principal:
    description:
      - Whether to see to the service principal in the home tenant. Without one the app gets no token there, and nothing can be granted to
        it.
      - V(false) leaves it alone, whether it exists or not.
    type: bool
    default: true
  service_principal_enabled:
    description:
      - Whether the service principal in the home tenant is enabled.
      - V(false) stops new tokens for the home tenant. Tokens that were issued before stay valid until they expire.
      - Not used with O(service_principal=false).
    type: bool
    default: true
  restore:
    description:
      - What to do when the app does not exist, but was deleted less than 30 days ago.
      - V(true) restores it, with its client id, so that consent of customers may live on.
      - V(false) fails where the deleted app keeps O(unique_name) for itself, and creates another app otherwise.
    type: bool
    default: false
  purge:
    description:
      - With O(state=absent), deletes the app for good, so that it cannot be restored and its unique name is free again. An app that was
        deleted before is purged too.
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
  - module: m365d.partner.m365d_app_credential
  - module: m365d.partner.m365d_consent
  - module: m365d.partner.m365d_consent_url
  - name: Application resource
    description: The properties of an app in Microsoft Graph.
    link: https://learn.microsoft.com/graph/api/resources/application
"""

EXAMPLES = r"""
---
- name: Register the multi-tenant app of the partner
  m365d.partner.m365d_app:
    tenant_id: contoso.example
    client_id: "{{ bootstrap_client_id }}"
    client_secret: "{{ bootstrap_client_secret }}"
    unique_name: contoso-partner-access
    name: Contoso Partner Access
    redirect_uris:
      - https://portal.azure.com
    permissions:
      - MicrosoftThreatProtection/Incident.Read.All
      - MicrosoftGraph/SecurityIncident.Read.All
  register: app

- name: See what a run would change, for an app that is found by its display name
  m365d.partner.m365d_app:
    tenant_id: contoso.example
    name: Contoso Partner Access
    permissions:
      - MicrosoftGraph/SecurityIncident.Read.All
  check_mode: true
  diff: true

- name: Add a permission to an app that somebody else looks after
  m365d.partner.m365d_app:
    tenant_id: contoso.example
    app_id: 33333333-3333-4333-8333-000000000001
    permissions:
      - MicrosoftGraph/ThreatHunting.Read.All
    permissions_exclusive: false

- name: Bring back an app that was deleted by mistake
  m365d.partner.m365d_app:
    tenant_id: contoso.example
    unique_name: contoso-partner-access
    restore: true

- name: Delete the app for good
  m365d.partner.m365d_app:
    tenant_id: contoso.example
    unique_name: contoso-partner-access
    state: absent
    purge: true
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
    - The application (client) id, which everybody else calls the app by.
    - In check mode V(00000000-0000-0000-0000-000000000000) for an app that would be created. The other modules of this collection take that
      in check mode for an app that does not exist yet.
    - With O(state=absent) V(null) when there was no app.
  returned: success
  type: str
  sample: 33333333-3333-4333-8333-000000000001
object_id:
  description:
    - The id of the directory object.
  returned: success
  type: str
  sample: 44444444-4444-4444-8444-000000000001
service_principal_id:
  description:
    - The object id of the app's service principal in its home tenant. V(null) when there is none.
  returned: success
  type: str
  sample: 55555555-5555-4555-8555-000000000001
permissions:
  description:
    - The permissions that the app declares, by name. A permission that cannot be named stands as C(Resource/id).
  returned: success
  type: list
  elements: str
  sample: [MicrosoftThreatProtection/Incident.Read.All]
app:
  description:
    - The app as it is now, or in check mode as it would be. V(null) with O(state=absent).
  returned: success
  type: dict
  contains:
    app_id:
      description:
        - The application (client) id.
      type: str
    object_id:
      description:
        - The id of the directory object.
      type: str
    name:
      description:
        - The display name.
      type: str
    unique_name:
      description:
        - The unique name, V(null) for an app without one.
      type: str
    sign_in_audience:
      description:
        - Whose accounts and tenants the app is for.
      type: str
    redirect_uris:
      description:
        - The redirect URIs of the platform Web.
      type: list
      elements: str
    permissions:
      description:
        - The permissions that it declares.
      type: list
      elements: str
    notes:
      description:
        - The notes for administrators.
      type: str
    created:
      description:
        - When it was created. V(null) in check mode for an app that would be created.
      type: str
      sample: '2026-11-01T00:00:00Z'
    service_principal:
      description:
        - V(enabled), V(disabled) or V(absent).
      type: str
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
from ansible_collections.m365d.partner.plugins.module_utils._ops.app import OPERATION


def main() -> None:
    """Run the operation."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
