# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Written by tests/tools/update_doc_fragments.py from plugins/module_utils/_argspec.py; edit that file instead.

"""Documentation of the shared options: auth."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of the group auth, for modules and for plugins."""

    DOCUMENTATION = r"""
options:
  client_id:
    description:
      - The application (client) id that authenticates.
    type: str
  auth_method:
    description:
      - How O(client_id) proves its identity.
      - V(auto) chooses by the credential that is given.
      - A credential of the environment counts only where no other is given.
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
      - The value (not the id) of a client secret of O(client_id).
      - Keep it in a vault or in the environment, never in a playbook.
    type: str
  client_certificate_path:
    description:
      - 'A certificate that is registered on O(client_id): PEM, with or without its private key, or PFX.'
      - A pipe, such as a shell's process substitution, can be read once, that is by one task on one host.
    type: path
  client_private_key_path:
    description:
      - The private key (PEM) of O(client_certificate_path), where that file does not hold it.
    type: path
  client_certificate_password:
    description:
      - The password of the private key or of the PFX file.
    type: str
  send_certificate_chain:
    description:
      - Whether the certificate goes along with the request (C(x5c)), for apps that trust by subject name and issuer.
    type: bool
    default: false
  client_assertion_path:
    description:
      - A file with a signed client assertion (a JWT) for O(client_id), read anew for each token request.
    type: path
  client_assertion_command:
    description:
      - A command, as a list of arguments, that prints a signed client assertion (a JWT), so that the key can stay in a vault.
      - It is run without a shell.
    type: list
    elements: str
  federated_token_file:
    description:
      - A file with the token of another identity provider that a federated credential of O(client_id) trusts.
    type: path
  managed_identity_client_id:
    description:
      - The client id of the user-assigned managed identity of this machine that a federated credential of O(client_id) trusts.
      - Used with O(auth_method=managed_identity); without it, the machine's system-assigned identity is used.
    type: str
  access_token:
    description:
      - A token that was obtained elsewhere, for example by the lookup P(m365d.partner.m365d_token#lookup).
    type: str
  token_cache:
    description:
      - Where tokens are kept.
      - V(run) keeps them in the temporary directory of this run of Ansible, shared by all its workers and gone when it ends.
      - V(directory) keeps them in O(token_cache_directory), and V(memory) in the process that asked for them.
      - The default is V(directory) where O(token_cache_directory) is given, else V(run).
      - Files are encrypted with the credential, so that a copy is of no use without it.
    type: str
    choices:
      - run
      - directory
      - memory
  token_cache_directory:
    description:
      - A directory, readable by nobody else, that keeps tokens from one run to the next.
      - What is older than three days is removed from its subdirectory C(m365d-tokens), once a day.
    type: path
  endpoint_version:
    description:
      - The version of the token endpoint.
      - V(v2) asks for a scope, V(v1) for a C(resource); the tokens carry the same roles.
    type: str
    choices:
      - v1
      - v2
    default: v2
"""

    PLUGIN = r"""
options:
  client_id:
    description:
      - The application (client) id that authenticates.
    type: str
    env:
      - name: M365D_CLIENT_ID
      - name: AZURE_CLIENT_ID
    ini:
      - section: m365d
        key: client_id
    vars:
      - name: m365d_client_id
  auth_method:
    description:
      - How O(client_id) proves its identity.
      - V(auto) chooses by the credential that is given.
      - A credential of the environment counts only where no other is given.
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
    env:
      - name: M365D_AUTH_METHOD
    ini:
      - section: m365d
        key: auth_method
    vars:
      - name: m365d_auth_method
  client_secret:
    description:
      - The value (not the id) of a client secret of O(client_id).
      - Keep it in a vault or in the environment, never in a playbook.
    type: str
    env:
      - name: M365D_CLIENT_SECRET
      - name: AZURE_CLIENT_SECRET
    vars:
      - name: m365d_client_secret
  client_certificate_path:
    description:
      - 'A certificate that is registered on O(client_id): PEM, with or without its private key, or PFX.'
      - A pipe, such as a shell's process substitution, can be read once, that is by one task on one host.
    type: path
    env:
      - name: M365D_CLIENT_CERTIFICATE_PATH
      - name: AZURE_CLIENT_CERTIFICATE_PATH
    ini:
      - section: m365d
        key: client_certificate_path
    vars:
      - name: m365d_client_certificate_path
  client_private_key_path:
    description:
      - The private key (PEM) of O(client_certificate_path), where that file does not hold it.
    type: path
    env:
      - name: M365D_CLIENT_PRIVATE_KEY_PATH
    ini:
      - section: m365d
        key: client_private_key_path
    vars:
      - name: m365d_client_private_key_path
  client_certificate_password:
    description:
      - The password of the private key or of the PFX file.
    type: str
    env:
      - name: M365D_CLIENT_CERTIFICATE_PASSWORD
      - name: AZURE_CLIENT_CERTIFICATE_PASSWORD
    vars:
      - name: m365d_client_certificate_password
  send_certificate_chain:
    description:
      - Whether the certificate goes along with the request (C(x5c)), for apps that trust by subject name and issuer.
    type: bool
    default: false
    env:
      - name: M365D_SEND_CERTIFICATE_CHAIN
    ini:
      - section: m365d
        key: send_certificate_chain
    vars:
      - name: m365d_send_certificate_chain
  client_assertion_path:
    description:
      - A file with a signed client assertion (a JWT) for O(client_id), read anew for each token request.
    type: path
    env:
      - name: M365D_CLIENT_ASSERTION_PATH
    ini:
      - section: m365d
        key: client_assertion_path
    vars:
      - name: m365d_client_assertion_path
  client_assertion_command:
    description:
      - A command, as a list of arguments, that prints a signed client assertion (a JWT), so that the key can stay in a vault.
      - It is run without a shell.
    type: list
    elements: str
    env:
      - name: M365D_CLIENT_ASSERTION_COMMAND
    ini:
      - section: m365d
        key: client_assertion_command
    vars:
      - name: m365d_client_assertion_command
  federated_token_file:
    description:
      - A file with the token of another identity provider that a federated credential of O(client_id) trusts.
    type: path
    env:
      - name: M365D_FEDERATED_TOKEN_FILE
      - name: AZURE_FEDERATED_TOKEN_FILE
    ini:
      - section: m365d
        key: federated_token_file
    vars:
      - name: m365d_federated_token_file
  managed_identity_client_id:
    description:
      - The client id of the user-assigned managed identity of this machine that a federated credential of O(client_id) trusts.
      - Used with O(auth_method=managed_identity); without it, the machine's system-assigned identity is used.
    type: str
    env:
      - name: M365D_MANAGED_IDENTITY_CLIENT_ID
    ini:
      - section: m365d
        key: managed_identity_client_id
    vars:
      - name: m365d_managed_identity_client_id
  access_token:
    description:
      - A token that was obtained elsewhere, for example by the lookup P(m365d.partner.m365d_token#lookup).
    type: str
    env:
      - name: M365D_ACCESS_TOKEN
    vars:
      - name: m365d_access_token
  token_cache:
    description:
      - Where tokens are kept.
      - V(run) keeps them in the temporary directory of this run of Ansible, shared by all its workers and gone when it ends.
      - V(directory) keeps them in O(token_cache_directory), and V(memory) in the process that asked for them.
      - The default is V(directory) where O(token_cache_directory) is given, else V(run).
      - Files are encrypted with the credential, so that a copy is of no use without it.
    type: str
    choices:
      - run
      - directory
      - memory
    env:
      - name: M365D_TOKEN_CACHE
    ini:
      - section: m365d
        key: token_cache
    vars:
      - name: m365d_token_cache
  token_cache_directory:
    description:
      - A directory, readable by nobody else, that keeps tokens from one run to the next.
      - What is older than three days is removed from its subdirectory C(m365d-tokens), once a day.
    type: path
    env:
      - name: M365D_TOKEN_CACHE_DIRECTORY
    ini:
      - section: m365d
        key: token_cache_directory
    vars:
      - name: m365d_token_cache_directory
  endpoint_version:
    description:
      - The version of the token endpoint.
      - V(v2) asks for a scope, V(v1) for a C(resource); the tokens carry the same roles.
    type: str
    choices:
      - v1
      - v2
    default: v2
    env:
      - name: M365D_ENDPOINT_VERSION
    ini:
      - section: m365d
        key: endpoint_version
    vars:
      - name: m365d_endpoint_version
"""
