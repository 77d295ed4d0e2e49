#!/usr/bin/python
# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: m365d_token
short_description: Get a token for a tenant and prove what it may do
version_added: 0.1.0
description:
  - Gets an access token of an app (or of a signed-in user) for one API in one tenant, or is handed one in O(access_token), and holds it
    against a contract - tenant, API, app, lifetime, and the roles that are required, allowed or forbidden.
  - Entra ID issues a token also where the customer granted nothing, so a token alone proves no consent. RV(consent_state) says what it
    proves.
  - Each check is reported with its outcome in RV(checks). The signature is verified with the keys of the configured login host, except for
    tokens of Microsoft Graph, whose format only Microsoft Graph can verify. RV(signature) says which.
  - A token that is still good is taken from the cache, see O(token_cache). All tasks and all hosts of a run share it.
  - The token itself is returned only with O(return_token=true).
options:
  resource:
    description:
      - The API that the token is for, by name (V(MicrosoftGraph), V(MicrosoftThreatProtection), V(WindowsDefenderATP)), as any other
        App ID URI, or as the client id of the API. It is no scope, so that it does not end in C(/.default).
      - Without it, O(api) decides. That is V(MicrosoftGraph) for V(graph) and V(MicrosoftThreatProtection) for V(defender).
      - Each API has roles of its own. The task warns when a role is required that a token for this API can never carry.
    type: str
  required_roles:
    description:
      - Roles that must be in the token. For the token of a user these are scopes.
      - Written as in V(SecurityIncident.Read.All), or with the API as in V(MicrosoftGraph/SecurityIncident.Read.All).
      - Without it, RV(consent_state) is V(ready) as soon as the token carries any role.
    type: list
    elements: str
  allowed_roles:
    description:
      - Roles that may be in the token. Any other breaks the contract.
      - Without it, any role is allowed. An empty list allows none.
      - What is in O(required_roles) must be in it too. A contract that no token can satisfy is refused before anything is asked for.
    type: list
    elements: str
  forbidden_roles:
    description:
      - Roles that must not be in the token. None of O(required_roles) may be among them.
    type: list
    elements: str
  token_type:
    description:
      - Whether the token must act for an app (V(app)) or for a user (V(delegated)).
      - Without it, V(app) is expected of the app's own credentials, V(delegated) of O(auth_method=device_code), and either of
        O(auth_method=azure_cli) and O(access_token).
    type: str
    choices: [app, delegated, any]
  min_lifetime:
    description:
      - Seconds that the token must still be valid. A token from the cache that ends sooner is replaced.
    type: float
    default: 0
  clock_skew:
    description:
      - Seconds by which a token may begin in the future.
      - Entra ID dates its tokens five minutes back, so that this is needed only where this machine's clock is slow by more than that.
    type: float
    default: 60
  fail_on:
    description:
      - V(violation) fails the task when the tenant refuses the token and when a check fails.
      - V(never) returns both as a finding, in RV(consent_state), RV(checks) and RV(error). The task still fails where nothing was learned
        about the tenant - the credential is wrong, the service cannot be reached, an option is wrong.
    type: str
    choices: [violation, never]
    default: violation
  wait_for_roles:
    description:
      - Seconds to wait, after a consent or a grant, until the tenant accepts the app and the token carries O(required_roles) (any role
        where there are none).
      - A new token is asked for with growing pauses. V(0) does not wait.
      - A new secret is not known everywhere at once, so that a credential which is refused is waited for too, but once, and not for each
        tenant anew.
    type: float
    default: 0
    aliases: [until_roles]
  force_refresh:
    description:
      - Whether to ask for a new token although there is a good one in the cache.
      - A token carries the roles that were granted when it was issued. Use this after a grant has changed.
    type: bool
    default: false
  return_token:
    description:
      - Whether to return the token itself as RV(access_token).
      - Ansible then shows nothing of the result, at any verbosity. It can be registered all the same.
    type: bool
    default: false
notes:
  - The app needs no permission to get a token. Which roles the token carries is decided by what the customer consented to.
  - A credential fault concerns all tenants. After one, further tasks of the run with the same credential fail for ten seconds without a
    request.
seealso:
  - module: m365d.partner.m365d_consent_info
  - module: m365d.partner.m365d_consent_url
  - name: Access tokens in the Microsoft identity platform
    description: What tokens hold and how they are validated.
    link: https://learn.microsoft.com/entra/identity-platform/access-tokens
  - name: Client credentials flow
    description: How an app gets a token of its own.
    link: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
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
- name: May the app read incidents in this tenant
  m365d.partner.m365d_token:
    tenant_id: 11111111-1111-4111-8111-000000000002
    client_id: 22222222-2222-4222-8222-000000000001
    client_secret: "{{ vaulted_client_secret }}"
    required_roles: [SecurityIncident.Read.All]

# In the following, tenant and credential come from the inventory (m365d_tenant_id, m365d_client_id and so on).

- name: Look at every customer, whatever they have consented to
  m365d.partner.m365d_token:
    required_roles: [SecurityIncident.Read.All]
    fail_on: never
  register: look

- name: Say how far each customer is
  ansible.builtin.debug:
    msg: "{{ look.tenant_id }} is {{ look.consent_state }}. {{ look.next_step }}"

- name: Least privilege, proven - reading incidents and nothing else, for the next ten minutes at least
  m365d.partner.m365d_token:
    required_roles: [SecurityIncident.Read.All]
    allowed_roles: [SecurityIncident.Read.All]
    min_lifetime: 600

- name: Wait until the consent that was just given has arrived
  m365d.partner.m365d_token:
    resource: MicrosoftThreatProtection
    required_roles: [Incident.Read.All]
    wait_for_roles: 300

- name: The request of the partner access page, with the v1 endpoint
  m365d.partner.m365d_token:
    resource: https://api.security.microsoft.com
    endpoint_version: v1

- name: Check a token that another system obtained
  m365d.partner.m365d_token:
    access_token: "{{ token_from_elsewhere }}"
    forbidden_roles: [AppRoleAssignment.ReadWrite.All]

- name: Authenticate with a certificate, only ever for the tenants of this list
  m365d.partner.m365d_token:
    auth_method: certificate # counts also where the inventory has a client secret
    client_certificate_path: /etc/m365d/partner.pem
    allowed_tenants: "{{ groups['customers'] | map('extract', hostvars, 'm365d_tenant_id') | list }}"

- name: Hand a token to a tool that this collection does not replace
  m365d.partner.m365d_token:
    return_token: true
  register: handed
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
auth_method:
  description:
    - How the app authenticated, also where O(auth_method=auto) chose.
  type: str
  returned: success
  sample: client_secret
resource:
  description:
    - The API that the token was asked for.
  type: str
  returned: success
  sample: https://graph.microsoft.com
audience:
  description:
    - The API that the token says it is for.
  type: str
  returned: success
  sample: https://graph.microsoft.com
token_type:
  description:
    - Whether the token acts for an app (V(app)) or for a user (V(delegated)).
  type: str
  returned: success
  sample: app
roles:
  description:
    - What the token lets an app do. Empty for the token of a user.
  type: list
  elements: str
  returned: success
  sample: [SecurityIncident.Read.All]
scopes:
  description:
    - What the token lets a user's app do. Empty for the token of an app.
  type: list
  elements: str
  returned: success
  sample: []
missing_roles:
  description:
    - Those of O(required_roles) that the token does not carry.
  type: list
  elements: str
  returned: success
  sample: []
claims:
  description:
    - All claims of the token. They are proven only where RV(signature) is V(verified).
  type: dict
  returned: success
  sample:
    appid: 22222222-2222-4222-8222-000000000001
    aud: https://graph.microsoft.com
    roles: [SecurityIncident.Read.All]
    tid: 11111111-1111-4111-8111-000000000002
issued_at:
  description:
    - When the token says it was issued, five minutes before it really was.
  type: str
  returned: success
  sample: "2026-11-01T11:55:00Z"
expires_at:
  description:
    - When the token ends.
  type: str
  returned: success
  sample: "2026-11-01T13:00:00Z"
expires_in:
  description:
    - Seconds until the token ends.
  type: int
  returned: success
  sample: 3599
source:
  description:
    - Where the token comes from - V(network), V(cache), or V(given) with O(access_token).
  type: str
  returned: success
  sample: network
consent_state:
  description:
    - The state of the tenant, as far as a token or its refusal tells.
    - V(ready) - the token carries what is required.
    - V(missing_roles), V(consented_without_roles) - the app is known, but some or all roles were not granted.
    - V(not_consented) - the customer has not accepted the app, or removed it.
    - V(disabled) - the customer disabled the app. V(blocked) - a policy of the customer refuses it.
    - V(not_licensed) - the API does not exist in this tenant.
    - V(unknown_tenant) - there is no such tenant in this cloud.
    - V(credential_error) - the credential or the token is not what it should be. V(unreachable) - nothing was learned.
  type: str
  returned: when it is known
  sample: ready
checks:
  description:
    - The checks of the contract, in order. Empty where the tenant gave no token.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description:
        - Name of the check, one of V(format), V(algorithm), V(signature), V(issuer), V(tenant), V(audience), V(client), V(not_before),
          V(expiry), V(lifetime), V(token_type), V(roles), V(required_roles), V(allowed_roles) and V(forbidden_roles).
      type: str
      sample: required_roles
    outcome:
      description:
        - One of V(passed), V(failed) and V(skipped).
      type: str
      sample: passed
    expected:
      description:
        - What the contract demands.
      type: raw
      sample: [SecurityIncident.Read.All]
    actual:
      description:
        - What the token holds.
      type: raw
      sample: [SecurityIncident.Read.All]
    message:
      description:
        - The outcome as a sentence.
      type: str
      sample: The token carries all roles that are demanded.
signature:
  description:
    - V(verified) with a key of the login host, V(unchecked) where that is not possible, or V(invalid).
  type: str
  returned: success
  sample: unchecked
next_step:
  description:
    - What to do next. Empty where nothing is to be done.
  type: str
  returned: success
  sample: ""
error:
  description:
    - Why there is no token, or why it breaks the contract. V(null) where there is nothing to say.
  type: dict
  returned: always
  contains:
    message:
      description:
        - The cause as a sentence.
      type: str
      sample: "The app is not present in this tenant: consent was never given, or was removed."
    code:
      description:
        - The code of the service.
      type: str
      sample: AADSTS700016
    state:
      description:
        - The same as RV(consent_state).
      type: str
      sample: not_consented
    scope:
      description:
        - Whom the error concerns - V(tenant), or V(credential) when every tenant would fail alike, or V(request).
      type: str
      sample: tenant
    next_step:
      description:
        - What to do next.
      type: str
      sample: Send the customer the consent link (m365d.partner.m365d_consent_url) and have an administrator accept.
    attempted:
      description:
        - What was being done.
      type: str
      sample: getting a token for https://graph.microsoft.com
    http_status:
      description:
        - The HTTP status of the answer.
      type: int
      sample: 400
    request_id:
      description:
        - The id under which the service logged the request, for a support case.
      type: str
      sample: 33333333-3333-4333-8333-000000000001
    service_message:
      description:
        - What the service said, shortened and without secrets.
      type: str
    tenant_id:
      description:
        - The tenant it happened for.
      type: str
access_token:
  description:
    - The token itself. One that breaks its contract is not handed out, with O(fail_on=never) neither.
  type: str
  returned: success, where RV(error) is empty, and with O(return_token=true)
"""

from ansible_collections.m365d.partner.plugins.module_utils._module import run_module
from ansible_collections.m365d.partner.plugins.module_utils._ops.token import OPERATION


def main() -> None:
    """Run the module."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
