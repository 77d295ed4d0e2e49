# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Written by tests/tools/update_doc_fragments.py from plugins/module_utils/_argspec.py; edit that file instead.

"""Documentation of the shared options: connection."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of the group connection, for modules and for plugins."""

    DOCUMENTATION = r"""
options:
  cloud:
    description:
      - The national cloud that the tenant lives in.
      - It decides the hosts that are called and the audiences that tokens are asked for.
      - V(auto) asks the tenant's discovery document, which is one more request for each tenant, kept for the run.
    type: str
    choices:
      - global
      - gcc
      - gcc_high
      - dod
      - china
      - auto
    default: global
  login_url:
    description:
      - URL of Entra ID's token service, instead of the one that O(cloud) implies.
      - For example V(https://login.microsoftonline.com).
    type: str
  graph_url:
    description:
      - URL of Microsoft Graph without a version, instead of the one that O(cloud) implies.
      - For example V(https://graph.microsoft.com).
    type: str
  defender_url:
    description:
      - URL of the Defender API without C(/api), instead of the one that O(cloud) implies.
      - Use it for a geographic host, for example V(https://eu.api.security.microsoft.com).
    type: str
  ca_path:
    description:
      - A PEM file with the certificate authorities to trust instead of the platform's.
      - Needed behind a proxy that inspects TLS, and for a server with a private authority.
    type: path
  validate_certs:
    description:
      - Whether TLS certificates are verified.
      - 'Switch it off in a laboratory only: whoever answers then gets the credential.'
    type: bool
    default: true
  proxy:
    description:
      - URL of the proxy for all requests.
      - Without it, E(HTTPS_PROXY) and E(NO_PROXY) are followed.
    type: str
  timeout:
    description:
      - Seconds to wait for a connection, and for each part of an answer.
    type: float
    default: 30.0
  deadline:
    description:
      - Seconds for one call with all its repetitions.
      - A service that limits the number of requests is obeyed until this time is over.
    type: float
    default: 300.0
requirements:
  - python >= 3.10
  - requests
  - msal
  - PyJWT[crypto]
notes:
  - A tenant is not a machine. Where nobody chose a connection for its host (by C(ansible_connection), C(ansible_host), the
    keyword C(connection) or delegation), the work is done on the controller and no host is logged in to. The result of a
    background job (C(async) with C(poll=0)) of such a host is fetched with C(delegate_to=localhost).
  - 'Each shared option can be set for a host or group as a variable with the prefix C(m365d_), for example C(m365d_client_id),
    and most of them as an environment variable with the prefix E(M365D_). The order is: task, C(module_defaults), variable,
    E(M365D_), the variables of the Azure SDKs (E(AZURE_CLIENT_ID) and its kin), default.'
  - On the controller the module runs inside Ansible's own process. Set the variable C(m365d_in_process) to V(false), or E(M365D_IN_PROCESS)
    to V(0), to have it run as an ordinary module.
"""

    PLUGIN = r"""
options:
  cloud:
    description:
      - The national cloud that the tenant lives in.
      - It decides the hosts that are called and the audiences that tokens are asked for.
      - V(auto) asks the tenant's discovery document, which is one more request for each tenant, kept for the run.
    type: str
    choices:
      - global
      - gcc
      - gcc_high
      - dod
      - china
      - auto
    default: global
    env:
      - name: M365D_CLOUD
    ini:
      - section: m365d
        key: cloud
    vars:
      - name: m365d_cloud
  login_url:
    description:
      - URL of Entra ID's token service, instead of the one that O(cloud) implies.
      - For example V(https://login.microsoftonline.com).
    type: str
    env:
      - name: M365D_LOGIN_URL
    ini:
      - section: m365d
        key: login_url
    vars:
      - name: m365d_login_url
  graph_url:
    description:
      - URL of Microsoft Graph without a version, instead of the one that O(cloud) implies.
      - For example V(https://graph.microsoft.com).
    type: str
    env:
      - name: M365D_GRAPH_URL
    ini:
      - section: m365d
        key: graph_url
    vars:
      - name: m365d_graph_url
  defender_url:
    description:
      - URL of the Defender API without C(/api), instead of the one that O(cloud) implies.
      - Use it for a geographic host, for example V(https://eu.api.security.microsoft.com).
    type: str
    env:
      - name: M365D_DEFENDER_URL
    ini:
      - section: m365d
        key: defender_url
    vars:
      - name: m365d_defender_url
  ca_path:
    description:
      - A PEM file with the certificate authorities to trust instead of the platform's.
      - Needed behind a proxy that inspects TLS, and for a server with a private authority.
    type: path
    env:
      - name: M365D_CA_PATH
    ini:
      - section: m365d
        key: ca_path
    vars:
      - name: m365d_ca_path
  validate_certs:
    description:
      - Whether TLS certificates are verified.
      - 'Switch it off in a laboratory only: whoever answers then gets the credential.'
    type: bool
    default: true
    env:
      - name: M365D_VALIDATE_CERTS
    ini:
      - section: m365d
        key: validate_certs
    vars:
      - name: m365d_validate_certs
  proxy:
    description:
      - URL of the proxy for all requests.
      - Without it, E(HTTPS_PROXY) and E(NO_PROXY) are followed.
    type: str
    env:
      - name: M365D_PROXY
    ini:
      - section: m365d
        key: proxy
    vars:
      - name: m365d_proxy
  timeout:
    description:
      - Seconds to wait for a connection, and for each part of an answer.
    type: float
    default: 30.0
    env:
      - name: M365D_TIMEOUT
    ini:
      - section: m365d
        key: timeout
    vars:
      - name: m365d_timeout
  deadline:
    description:
      - Seconds for one call with all its repetitions.
      - A service that limits the number of requests is obeyed until this time is over.
    type: float
    default: 300.0
    env:
      - name: M365D_DEADLINE
    ini:
      - section: m365d
        key: deadline
    vars:
      - name: m365d_deadline
requirements:
  - python >= 3.10
  - requests
  - msal
  - PyJWT[crypto]
"""
