#!/usr/bin/python
# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: m365d_incident_sink
short_description: Deliver incidents to a file, a directory or a webhook
version_added: 0.1.0
description:
  - Takes the file that M(m365d.partner.m365d_incidents) wrote to its O(m365d.partner.m365d_incidents#module:dest), and delivers each
    version of an incident (its tenant, id and last update) to one place. The role P(m365d.partner.incident_sync#role) is both together,
    with a cursor that outlives the run.
  - A delivery that broke off may be made again. With O(file) and O(directory) nothing comes twice. With O(webhook) the receiver can tell by
    a key what it has got already.
  - Incidents are read one at a time and not held in memory.
  - No tenant is asked. The options of authentication, O(tenant_id) and O(api) are accepted, so that the defaults of the action group can
    hold them, but not used.
options:
  src:
    description:
      - The incidents, one JSON object per line, as M(m365d.partner.m365d_incidents) writes them with C(dest_format=ndjson).
      - The file is read and left where it is.
    type: path
    required: true
  file:
    description:
      - Add the incidents to a file, one JSON object per line (NDJSON). Each version is there once.
      - A version that the file, or an older one that was rotated, holds already is left out.
      - A last line that a crash tore is taken back before anything is added. Lines that are no incidents are left alone.
      - Several tenants may share the file, also at the same time. Beside it lie a lock and a ledger, C(.NAME.lock) and C(.NAME.ledger),
        where C(NAME) is the name of the file. The ledger tells where in the file a delivery began. Where it is lost, all is searched once.
      - Exactly one of O(file), O(directory) and O(webhook) is needed.
    type: dict
    suboptions:
      path:
        description:
          - The file. Its directory must exist. A symbolic link is refused.
        type: path
        required: true
      max_size:
        description:
          - Begin a new file where this one would grow beyond this size, in bytes or with C(K), C(M) or C(G), for example V(100M).
          - The old one is renamed to C(STEM-YYYYMMDD-NNNNNN.ENDING), with the day (UTC) of its last line and a number that grows.
        type: str
      daily:
        description:
          - Whether to begin a new file with the first incident of a day (UTC).
        type: bool
        default: false
      keep:
        description:
          - How many old files to keep. More are removed when the next incidents are delivered, but none that this delivery wrote to.
          - V(0) keeps all.
        type: int
        default: 0
      mode:
        description:
          - The mode of new files, in octal digits. Not writable by everybody and not executable.
        type: str
        default: "0600"
  directory:
    description:
      - Write each incident to a file of its own, C(TENANT_ID/ID.json), which holds its newest version.
      - Files are replaced at once. An older version never replaces a newer one.
    type: dict
    suboptions:
      path:
        description:
          - The directory. It must exist.
        type: path
        required: true
      mode:
        description:
          - The mode of new files, in octal digits. Who may read them may enter the directory of their tenant.
        type: str
        default: "0600"
  webhook:
    description:
      - Post each incident, as JSON, to an HTTPS receiver.
      - At least once. The header C(Idempotency-Key) is the same whenever the same version is sent. It is the SHA-256, in hexadecimal, of
        the JSON list (without blanks) of the tenant's id in lower case, the incident's id and its last update.
      - 429, 500, 502, 503, 504 and broken connections are tried again until O(deadline) is over. C(Retry-After) is obeyed. Redirections are
        not followed.
      - No token of a tenant is ever sent there.
    type: dict
    suboptions:
      url:
        description:
          - Where to post to. It counts as a secret, since many receivers know their senders by a part of it.
        type: str
        required: true
      authorization:
        description:
          - The value of the header C(Authorization), for example C(Bearer) and a token of the receiver.
        type: str
      headers:
        description:
          - Further headers. Their values count as secrets.
        type: dict
      ca_path:
        description:
          - A PEM file with the certificate authorities to trust for the receiver, instead of those of O(ca_path).
        type: path
  cursor:
    description:
      - The cursor that O(src) was read from, V({}) for a first reading. With it and O(next_cursor), O(file) is not searched as a whole.
      - It decides nothing about what is delivered.
    type: dict
  next_cursor:
    description:
      - The cursor that came with O(src). Keep it when all places have taken the incidents.
    type: dict
extends_documentation_fragment:
  - m365d.partner.connection
  - m365d.partner.tenant
  - m365d.partner.auth
  - m365d.partner.api
  - m365d.partner.attributes
  - m365d.partner.attributes.actiongroup_m365d
  - m365d.partner.attributes.platform
attributes:
  check_mode:
    support: full
    details:
      - With O(webhook), nobody asks the receiver what it has got. The prediction is that it takes all.
  diff_mode:
    support: full
    details:
      - The versions that are delivered, one per line, without their content. Of many, the first 100.
  idempotent:
    support: partial
    details:
      - With O(webhook), each run posts what is in O(src).
notes:
  - Titles, descriptions and evidence hold text that attackers can choose. Do not evaluate it.
seealso:
  - module: m365d.partner.m365d_incidents
author:
  - m365d.partner contributors (@m365d)
"""

EXAMPLES = r"""
- name: Keep all versions in a file that a log shipper reads
  m365d.partner.m365d_incident_sink:
    src: "/var/spool/m365d/{{ inventory_hostname }}.ndjson"
    file:
      path: /var/log/m365d/incidents.ndjson
      max_size: 100M
      daily: true
      keep: 14
      mode: "0640"

- name: Keep the newest version of each incident as a file
  m365d.partner.m365d_incident_sink:
    src: "/var/spool/m365d/{{ inventory_hostname }}.ndjson"
    directory:
      path: /srv/incidents

- name: Post to a receiver
  m365d.partner.m365d_incident_sink:
    src: "/var/spool/m365d/{{ inventory_hostname }}.ndjson"
    webhook:
      url: https://siem.contoso.example/hooks/incidents
      authorization: "Bearer {{ vaulted_siem_token }}"

- name: Read what is new, deliver it, and only then remember where it ended
  block:
    - name: Read
      m365d.partner.m365d_incidents:
        cursor: "{{ ansible_facts.siem_cursor | default({}) }}"
        max_age: 7d
        dest: "/var/spool/m365d/{{ inventory_hostname }}.ndjson"
        force: true
      register: news

    - name: Deliver
      m365d.partner.m365d_incident_sink:
        src: "{{ news.dest }}"
        cursor: "{{ ansible_facts.siem_cursor | default({}) }}"
        next_cursor: "{{ news.cursor }}"
        file:
          path: /var/log/m365d/incidents.ndjson

    - name: Remember
      ansible.builtin.set_fact:
        siem_cursor: "{{ news.cursor }}"
        cacheable: true
"""

RETURN = r"""
place:
  description:
    - Where the incidents went - the path of the file or of the directory, or the origin (scheme, host and port) of the receiver.
  type: str
  returned: success
  sample: /var/log/m365d/incidents.ndjson
tenant_id:
  description:
    - The id of the tenant whose incidents O(src) holds.
  type: str
  returned: when it is one tenant
  sample: 11111111-1111-4111-8111-000000000001
tenant_ids:
  description:
    - The ids of the tenants whose incidents O(src) holds.
  type: list
  elements: str
  returned: success
count:
  description:
    - How many versions O(src) holds.
  type: int
  returned: success
  sample: 12
delivered:
  description:
    - How many of them were delivered, or in check mode would be.
  type: int
  returned: success
  sample: 9
known:
  description:
    - How many were there already.
  type: int
  returned: success
  sample: 3
outdated:
  description:
    - How many were left out, since O(directory) holds a newer version.
  type: int
  returned: success
  sample: 0
rotated:
  description:
    - The old files that this delivery left behind.
  type: list
  elements: str
  returned: with O(file)
  sample: [/var/log/m365d/incidents-20261121-000012.ndjson]
error:
  description:
    - The diagnosis of a failure - V(attempted), V(code), V(next_step), V(scope) and what the receiver said.
  type: dict
  returned: on failure
"""

from ansible_collections.m365d.partner.plugins.module_utils._module import run_module
from ansible_collections.m365d.partner.plugins.module_utils._ops.incident_sink import OPERATION


def main() -> None:
    """Run the operation."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
