#!/usr/bin/python
# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: m365d_incident
short_description: Bring security incidents of a tenant to a state
version_added: 0.1.0
description:
  - Brings one or many Microsoft Defender XDR incidents of a tenant to a state - status, owner, classification with determination, tags,
    and a comment that is there once.
  - Each incident is read first, and only what differs is written. Where nothing differs, nothing is written.
  - Each incident has its own outcome. What fails with one does not keep the others from being tried; the task then fails and
    RV(incidents) says what became of each. Only what would fail with every incident (a missing permission, a refused credential, a service
    that does not answer) ends the task early.
  - A merged incident is never written to. See O(follow_redirects).
  - With O(api=graph) the app needs the permission C(MicrosoftGraph/SecurityIncident.ReadWrite.All), with O(api=defender) it needs
    C(MicrosoftThreatProtection/Incident.ReadWrite.All).
options:
  incident_id:
    description:
      - The id of the incident.
      - One of O(incident_id), O(incident_ids) and O(incidents) is needed.
    type: str
  incident_ids:
    description:
      - The ids of incidents that are all brought to the same state.
    type: list
    elements: str
  incidents:
    description:
      - Incidents with states of their own. What an entry does not say, the options of the task say.
    type: list
    elements: dict
    suboptions:
      incident_id:
        description:
          - The id of the incident.
        type: str
        required: true
      status:
        description:
          - See O(status).
        type: str
      assigned_to:
        description:
          - See O(assigned_to).
        type: str
      classification:
        description:
          - See O(classification).
        type: str
      determination:
        description:
          - See O(determination).
        type: str
      tags:
        description:
          - See O(tags).
        type: list
        elements: str
      tags_mode:
        description:
          - See O(tags_mode).
        type: str
        choices: [add, set, remove]
      comment:
        description:
          - See O(comment).
        type: str
      if_unchanged_since:
        description:
          - See O(if_unchanged_since).
        type: str
  status:
    description:
      - V(active), V(inProgress) or V(resolved), in any case.
      - The other states are not set by people, V(redirected) comes from a merge and V(awaitingAction) from the service.
    type: str
  assigned_to:
    description:
      - Who works on the incident, mostly a user principal name. The services do not check it. Its case makes no difference.
      - The empty text takes the owner away.
    type: str
  classification:
    description:
      - V(truePositive), V(informationalExpectedActivity), V(falsePositive) or V(unknown), in the spelling of either service.
      - Where the incident has a determination that does not go with it, O(determination) has to be given too.
    type: str
  determination:
    description:
      - What the incident was. It has to go with the classification, the one in O(classification) or the one that the incident has.
      - With V(truePositive) go V(multiStagedAttack), V(maliciousUserActivity), V(compromisedAccount), V(malware), V(phishing),
        V(unwantedSoftware) and V(other).
      - With V(informationalExpectedActivity) go V(securityTesting), V(lineOfBusinessApplication), V(confirmedActivity) and V(other).
      - With V(falsePositive) go V(notMalicious), V(notEnoughDataToValidate) and V(other).
      - V(unknown), for none, goes with all of them.
      - The names of the Defender XDR API and its documentation are understood too. C(Clean) is V(notMalicious), C(CompromisedUser) is
        V(compromisedAccount), C(ConfirmedUserActivity) is V(confirmedActivity), C(InsufficientData) and C(NoEnoughDataToValidate) are
        V(notEnoughDataToValidate), and C(NotAvailable) is V(unknown).
    type: str
  tags:
    description:
      - Tags that the incident has, or does not have, see O(tags_mode). Case makes no difference, nor does order.
      - The tags that the service sets by itself are left alone.
    type: list
    elements: str
  tags_mode:
    description:
      - What O(tags) are.
      - V(add) for tags that are there besides the others.
      - V(set) for all tags that are there; others are taken away. An empty list takes all away.
      - V(remove) for tags that are not there.
      - The services replace the list of tags as a whole, so that a tag that somebody else adds at the same moment may be lost.
    type: str
    choices: [add, set, remove]
    default: add
  comment:
    description:
      - A comment that is there. It is added where no comment of the incident has this text, whoever wrote it, and not again.
      - With O(api=graph) it takes a request of its own after the one for the rest. Where that fails, the message says what had been
        written, and the next run adds the comment alone.
    type: str
  if_unchanged_since:
    description:
      - Writes to an incident only where it was not updated later than this. Otherwise it fails with C(error.code) V(Stale).
      - Mostly the C(last_update_date_time) with which M(m365d.partner.m365d_incidents) returned it. Any ISO 8601 instant, or how long ago,
        such as V(15m).
      - Where nothing has to be written, nothing is guarded, so that the second run of a task succeeds.
      - The incident is read just before it is written to. The services offer no way to close the gap between the two.
    type: str
  follow_redirects:
    description:
      - Whether the incident that a merged one leads to is brought to the state in its place.
      - Otherwise a merged incident fails with C(error.code) V(Redirected), and the message names the one that it was merged into.
    type: bool
    default: false
notes:
  - Comments are shown to the customer's people. Do not put into them what the customer must not read.
  - In check mode the incidents are read, and what would be written is predicted.
  - Microsoft retires the Defender XDR API on 2027-02-01. Ansible shows a deprecation where O(api=defender); the setting
    C(deprecation_warnings) silences it.
seealso:
  - module: m365d.partner.m365d_incidents
  - module: m365d.partner.m365d_alert
  - name: Microsoft Graph, update incident
    description: The service behind O(api=graph).
    link: https://learn.microsoft.com/graph/api/security-incident-update
  - name: Defender XDR, update incidents API
    description: The service behind O(api=defender).
    link: https://learn.microsoft.com/defender-xdr/api-update-incidents
extends_documentation_fragment:
  - m365d.partner.connection
  - m365d.partner.tenant
  - m365d.partner.auth
  - m365d.partner.api
  - m365d.partner.attributes
  - m365d.partner.attributes.writer
  - m365d.partner.attributes.actiongroup_m365d
  - m365d.partner.attributes.platform
author:
  - m365d.partner contributors (@m365d)
"""

EXAMPLES = r"""
# Tenant and credential come from the inventory here (m365d_tenant_id, m365d_client_id and so on).

- name: "Take: begin to work on an incident"
  m365d.partner.m365d_incident:
    incident_id: "924565"
    status: inProgress
    assigned_to: analyst@contoso.example

- name: "Close: what was a real attack, with what it was and what was done"
  m365d.partner.m365d_incident:
    incident_id: "924565"
    status: resolved
    classification: truePositive
    determination: phishing
    comment: "Mail removed from 14 mailboxes, two passwords reset. Case CONTOSO-1207."

- name: "Tune: close the noise of a planned exercise in one go"
  block:
    - name: Find it
      m365d.partner.m365d_incidents:
        status: [active]
        tags: [red-team-exercise]
      register: exercise

    - name: Close it
      m365d.partner.m365d_incident:
        incident_ids: "{{ exercise.incidents | map(attribute='id') | list }}"
        status: resolved
        classification: informationalExpectedActivity
        determination: securityTesting

- name: "Mark: say in the customer's portal which incidents the partner handles, and drop an old tag"
  m365d.partner.m365d_incident:
    incidents:
      - incident_id: "924565"
        tags: [managed-by-contoso]
      - incident_id: "924566"
        tags: [to-be-triaged]
        tags_mode: remove
        comment: Triaged by Contoso.

- name: "Hand over: give an incident to the next shift, unless somebody touched it since it was read"
  m365d.partner.m365d_incident:
    incident_id: "{{ incident.id }}"
    assigned_to: night-shift@contoso.example
    if_unchanged_since: "{{ incident.last_update_date_time }}"
  register: handover
  failed_when: handover is failed and handover.error.code != 'Stale'

- name: Write to the incident that a merged one became
  m365d.partner.m365d_incident:
    incident_id: "924565"
    follow_redirects: true
    comment: The customer confirmed the login.

- name: The same through the Defender XDR API, whose names are understood too
  m365d.partner.m365d_incident:
    api: defender
    incident_id: "924565"
    status: Resolved
    classification: FalsePositive
    determination: Clean
"""

RETURN = r"""
tenant_id:
  description:
    - The id of the tenant.
  type: str
  returned: always
  sample: 11111111-1111-4111-8111-000000000001
api:
  description:
    - The service that was asked.
  type: str
  returned: when a service was asked
  sample: graph
consent_state:
  description:
    - The consent state of the tenant, V(ready) where incidents could be read.
  type: str
  returned: when it is known
  sample: ready
incidents:
  description:
    - What became of each incident, in the order in which they were given.
  type: list
  elements: dict
  returned: when a service was asked
  contains:
    incident_id:
      description:
        - The id that was given.
      type: str
      sample: "924565"
    outcome:
      description:
        - V(changed), V(unchanged) or V(failed). In check mode V(changed) says that it would be changed.
      type: str
      sample: changed
    written:
      description:
        - What was written; in check mode, what would be. With V(failed), what had been written before the failure.
      type: list
      elements: str
      sample: [status, classification, determination, comments]
    redirected_to:
      description:
        - The id of the incident that was written to in its place, with O(follow_redirects); V(null) where that is the one that was given.
      type: str
    incident:
      description:
        - The incident as it is now; as it would be, in check mode. The keys are those of M(m365d.partner.m365d_incidents), without alerts.
        - V(null) where it could not be read.
        - After a comment with O(api=graph), C(last_update_date_time) is the one before the comment, since the service does not tell the
          new one.
      type: dict
    msg:
      description:
        - Why it failed.
      type: str
      returned: with the outcome V(failed)
    error:
      description:
        - The diagnosis, see RV(error).
      type: dict
      returned: with the outcome V(failed)
incident:
  description:
    - The incident as it is now, as in RV(incidents[].incident).
  type: dict
  returned: with O(incident_id), when a service was asked
summary:
  description:
    - How many incidents have which outcome.
  type: dict
  returned: when a service was asked
  sample: {"total": 3, "changed": 1, "unchanged": 2, "failed": 0}
requests:
  description:
    - How many requests were made to the service, without those for a token.
  type: int
  returned: when a service was asked
  sample: 2
error:
  description:
    - The diagnosis of a failure; of the first one, where several incidents failed.
  type: dict
  returned: failure
  contains:
    message:
      description:
        - The cause in one sentence.
      type: str
    next_step:
      description:
        - What to do about it.
      type: str
    state:
      description:
        - The consent state that it implies, for example V(missing_roles).
      type: str
    code:
      description:
        - The service's own code, or V(Stale) and V(Redirected) for what O(if_unchanged_since) and O(follow_redirects) describe.
      type: str
    http_status:
      description:
        - The HTTP status of the answer.
      type: int
    request_id:
      description:
        - The id under which the service logged the request.
      type: str
"""

from ansible_collections.m365d.partner.plugins.module_utils._module import run_module
from ansible_collections.m365d.partner.plugins.module_utils._ops.incident import OPERATION


def main() -> None:
    """Run the operation."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
