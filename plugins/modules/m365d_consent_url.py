#!/usr/bin/python
# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: m365d_consent_url
short_description: Make the consent links for customers
version_added: 0.1.0
description:
  - Makes the link with which an administrator of a customer lets the app into the customer's tenant, for one tenant or for many.
  - Works offline. It makes no request, needs no credential and changes nothing. The options of authentication other than O(client_id),
    and O(api), are accepted, so that the defaults of the action group can hold them, but not used.
  - What the customer's browser brings back to O(redirect_uri) proves nothing. C(admin_consent=True) can stand beside an error, and
    C(tenant) can be forged. Check C(state), then look at a token of that tenant with M(m365d.partner.m365d_token).
options:
  client_id:
    description:
      - The application (client) id of the app that customers consent to.
      - Can also be set by the variable C(m365d_client_id) of the host, or by E(M365D_CLIENT_ID) or E(AZURE_CLIENT_ID).
      - In a play whose defaults name another app as the caller, give it on the task.
    type: str
  tenant_id:
    description:
      - The customer's tenant, by GUID or by a domain that is verified in it. The link works for that tenant alone, which is safer.
      - Without it, the link works for an administrator of any organization.
      - Names that stand for no particular tenant (V(common), V(organizations), V(consumers)) are refused, here and in O(tenants). Leave the
        tenant out to get the link for any organization.
    type: str
  tenants:
    description:
      - Several tenants, each of which gets links of its own. O(tenant_id) is not used then.
    type: list
    elements: str
  form:
    description:
      - The form of the link.
      - V(v1_authorize) is the link of Microsoft's page on partner access, parameter by parameter. It asks for all that the app declares,
        and the browser ends at the app's redirect URI.
      - V(v1_authorize_admin) is the same with C(prompt=admin_consent).
      - V(v1_admin_consent) is the admin consent page. It asks for all that the app declares.
      - V(v2_admin_consent) is the admin consent page of the newer endpoint. It needs O(redirect_uri), and asks for one resource per link.
      - V(auto) takes V(v1_authorize) without O(redirect_uri). With it, V(v2_admin_consent) for one resource and else V(v1_admin_consent).
    type: str
    choices: [auto, v1_authorize, v1_authorize_admin, v1_admin_consent, v2_admin_consent]
    default: auto
  redirect_uri:
    description:
      - Where the browser goes afterwards. One of the app's redirect URIs, exactly as it is registered.
    type: str
  resource:
    description:
      - For O(form=v2_admin_consent), the resource that the link asks permissions of, for example V(MicrosoftThreatProtection), by name, by
        App ID URI or by application id.
    type: str
  permissions:
    description:
      - The permissions that the app declares, as for M(m365d.partner.m365d_app). Their resources decide which links are needed. With
        O(form=v2_admin_consent) each resource gets a link.
      - The link itself does not name them. The customer consents to what the app declares at that moment.
    type: list
    elements: str
  state:
    description:
      - What must come back unchanged to O(redirect_uri), for one tenant.
      - When neither this nor O(state_secret) is given, a state that nobody can guess is made where something comes back, that is with
        O(redirect_uri) or an admin consent page.
    type: str
  state_secret:
    description:
      - A secret of at least 32 characters. The state is then a random number that is signed (HMAC-SHA-256) for the app and the tenant, so
        that the receiver can check it without having stored it.
      - The state is C(nonce.signature) and the signature is over nonce, client id and tenant, joined by line feeds.
    type: str
extends_documentation_fragment:
  - m365d.partner.connection
  - m365d.partner.tenant
  - m365d.partner.auth
  - m365d.partner.api
  - m365d.partner.attributes
  - m365d.partner.attributes.actiongroup_m365d
  - m365d.partner.attributes.platform
  - m365d.partner.attributes.read_only
author:
  - m365d.partner contributors (@m365d)
seealso:
  - module: m365d.partner.m365d_app
  - module: m365d.partner.m365d_consent_info
  - module: m365d.partner.m365d_token
  - name: Admin consent on the Microsoft identity platform
    description: What Microsoft says about the links.
    link: https://learn.microsoft.com/entra/identity-platform/v2-admin-consent
"""

EXAMPLES = r"""
---
- name: Make the link of Microsoft's page on partner access, for one customer
  m365d.partner.m365d_consent_url:
    client_id: 33333333-3333-4333-8333-000000000001
    tenant_id: fabrikam.example
  register: consent

- name: Show the link to send
  ansible.builtin.debug:
    var: consent.consent_url

- name: Make links for several customers whose answers come back to the partner's own page
  m365d.partner.m365d_consent_url:
    client_id: 33333333-3333-4333-8333-000000000001
    tenants:
      - fabrikam.example
      - 11111111-1111-4111-8111-000000000002
    form: v1_admin_consent
    redirect_uri: https://onboarding.contoso.example/consented
    state_secret: "{{ vault_state_secret }}"

- name: Make the link of the newer endpoint, for one resource
  m365d.partner.m365d_consent_url:
    client_id: 33333333-3333-4333-8333-000000000001
    tenant_id: 11111111-1111-4111-8111-000000000002
    form: v2_admin_consent
    resource: MicrosoftThreatProtection
    redirect_uri: https://portal.azure.com
"""

RETURN = r"""
client_id:
  description:
    - The app that is consented to.
  returned: success
  type: str
  sample: 33333333-3333-4333-8333-000000000001
tenant_id:
  description:
    - The tenant that the links are for. V(null) where they are for any organization.
  returned: when all links are for the same tenant
  type: str
  sample: 11111111-1111-4111-8111-000000000002
form:
  description:
    - The form of the links.
  returned: success
  type: str
  sample: v1_authorize
consent_url:
  description:
    - The link, the first where there are several.
  returned: success
  type: str
  sample: "https://login.microsoftonline.com/11111111-1111-4111-8111-000000000002/oauth2/authorize\
    ?prompt=consent&client_id=33333333-3333-4333-8333-000000000001&response_type=code&sso_reload=true"
state:
  description:
    - What must come back with the answer to the first link. V(null) where nothing comes back to the partner.
  returned: success
  type: str
consent_urls:
  description:
    - All links, in the order of the tenants.
  returned: success
  type: list
  elements: dict
  contains:
    tenant_id:
      description:
        - The tenant as it was given. V(null) where the link is for any organization.
      type: str
    url:
      description:
        - The link.
      type: str
    state:
      description:
        - What must come back with the answer.
      type: str
    resource:
      description:
        - The one resource that the link is for. V(null) where it asks for all that the app declares.
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
from ansible_collections.m365d.partner.plugins.module_utils._ops.consent_url import OPERATION


def main() -> None:
    """Run the operation."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
