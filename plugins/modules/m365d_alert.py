#!/usr/bin/python
# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: m365d_alert
short_description: Bring security alerts of a tenant to a state
version_added: 0.1.0
description:
  - Brings one or many Microsoft Defender XDR alerts of a tenant to a state - status, owner, classification with determination, and
    a comment that is there once.
  - Each alert is read first, and only what differs is written. Where nothing differs, nothing is written.
  - Each alert has its own outcome. What fails with one does not keep the others from being tried; the task then fails and
    RV(alerts) says what became of each. Only what would fail with every alert (a missing permission, a refused credential, a service
    that does not answer) ends the task early.
  - The app needs the permission C(MicrosoftGraph/SecurityAlert.ReadWrite.All). The Defender XDR API has no alerts to write. O(api)
    is accepted, so that the defaults of the action group can hold it, but not used.
options:
  alert_id:
    description:
      - The id of the alert.
      - One of O(alert_id), O(alert_ids) and O(alerts) is needed.
    type: str
  alert_ids:
    description:
      - The ids of alerts that are all brought to the same state.
    type: list
    elements: str
  alerts:
    description:
      - Alerts with states of their own. What an entry does not say, the options of the task say.
    type: list
    elements: dict
    suboptions:
      alert_id:
        description:
          - The id of the alert.
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
      - V(new), V(inProgress) or V(resolved), in any case.
    type: str
  assigned_to:
    description:
      - Who works on the alert, mostly a user principal name. The services do not check it. Its case makes no difference.
      - The empty text takes the owner away.
    type: str
  classification:
    description:
      - V(truePositive), V(informationalExpectedActivity), V(falsePositive) or V(unknown), in the spelling of either service.
      - Where the alert has a determination that does not go with it, O(determination) has to be given too.
    type: str
  determination:
    description:
      - What the alert was. It has to go with the classification, the one in O(classification) or the one that the alert has.
      - With V(truePositive) go V(multiStagedAttack), V(maliciousUserActivity), V(compromisedAccount), V(malware), V(phishing),
        V(unwantedSoftware) and V(other).
      - With V(informationalExpectedActivity) go V(securityTesting), V(lineOfBusinessApplication), V(confirmedActivity) and V(other).
      - With V(falsePositive) go V(notMalicious), V(notEnoughDataToValidate) and V(other).
      - V(unknown), for none, goes with all of them.
      - The names of the Defender XDR API and its documentation are understood too. C(Clean) is V(notMalicious), C(CompromisedUser) is
        V(compromisedAccount), C(ConfirmedUserActivity) is V(confirmedActivity), C(InsufficientData) and C(NoEnoughDataToValidate) are
        V(notEnoughDataToValidate), and C(NotAvailable) is V(unknown).
    type: str
  comment:
    description:
      - A comment that is there. It is added where no comment of the alert has this text, whoever wrote it, and not again.
      - It takes a request of its own after the one for the rest. Where that fails, the message says what had been
        written, and the next run adds the comment alone.
    type: str
  if_unchanged_since:
    description:
      - Writes to an alert only where it was not updated later than this. Otherwise it fails with C(error.code) V(Stale).
      - Mostly the C(last_update_date_time) with which M(m365d.partner.m365d_alerts) returned it. Any ISO 8601 instant, or how long ago,
        such as V(15m).
      - Where nothing has to be written, nothing is guarded, so that the second run of a task succeeds.
      - The alert is read just before it is written to. The services offer no way to close the gap between the two.
    type: str
notes:
  - Comments are shown to the customer's people. Do not put into them what the customer must not read.
  - In check mode the alerts are read, and what would be written is predicted.
  - Resolving all alerts of an incident does not resolve the incident, nor the other way round. See M(m365d.partner.m365d_incident).
seealso:
  - module: m365d.partner.m365d_alerts
  - module: m365d.partner.m365d_incident
  - name: Microsoft Graph, update alert
    description: The service behind this module.
    link: https://learn.microsoft.com/graph/api/security-alert-update
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

- name: "Take: begin to work on an alert"
  m365d.partner.m365d_alert:
    alert_id: da637551227677560813_-961444813
    status: inProgress
    assigned_to: analyst@contoso.example

- name: "Close: a false alarm, with the reason"
  m365d.partner.m365d_alert:
    alert_id: da637551227677560813_-961444813
    status: resolved
    classification: falsePositive
    determination: notMalicious
    comment: "The file is the customer's own installer, signed. Case CONTOSO-1208."

- name: "Sweep: close what one detector raised for a planned exercise"
  block:
    - name: Find it
      m365d.partner.m365d_alerts:
        status: [new]
        detection_sources: [customDetection]
        created_since: 24h
      register: exercise

    - name: Close it
      m365d.partner.m365d_alert:
        alert_ids: "{{ exercise.alerts | map(attribute='id') | list }}"
        status: resolved
        classification: informationalExpectedActivity
        determination: securityTesting

- name: "Finish: close the alerts of an incident as the incident was closed"
  block:
    - name: Read its alerts
      m365d.partner.m365d_alerts:
        incident_ids: ["924565"]
      register: case

    - name: Close them
      m365d.partner.m365d_alert:
        alert_ids: "{{ case.alerts | map(attribute='id') | list }}"
        status: resolved
        classification: truePositive
        determination: phishing

- name: "Annotate: tell each alert what enrichment found"
  m365d.partner.m365d_alert:
    alerts:
      - alert_id: da637551227677560813_-961444813
        comment: "The address 203.0.113.7 belongs to the customer's own VPN."
      - alert_id: da637551227677560814_-961444814
        comment: "The address 198.51.100.9 is on the partner's block list."
        assigned_to: analyst@contoso.example

- name: Give an alert back, unless somebody touched it since it was read
  m365d.partner.m365d_alert:
    alert_id: "{{ alert.id }}"
    assigned_to: ""
    status: new
    if_unchanged_since: "{{ alert.last_update_date_time }}"
"""

RETURN = r"""
tenant_id:
  description:
    - The id of the tenant.
  type: str
  returned: always
  sample: 11111111-1111-4111-8111-000000000001
consent_state:
  description:
    - The consent state of the tenant, V(ready) where alerts could be read.
  type: str
  returned: when it is known
  sample: ready
alerts:
  description:
    - What became of each alert, in the order in which they were given.
  type: list
  elements: dict
  returned: when a service was asked
  contains:
    alert_id:
      description:
        - The id that was given.
      type: str
      sample: "da637551227677560813_-961444813"
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
    alert:
      description:
        - The alert as it is now; as it would be, in check mode. The keys are those of M(m365d.partner.m365d_alerts).
        - V(null) where it could not be read.
        - After a comment, C(last_update_date_time) is the one before the comment, since the service does not tell the
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
alert:
  description:
    - The alert as it is now, as in RV(alerts[].alert).
  type: dict
  returned: with O(alert_id), when a service was asked
summary:
  description:
    - How many alerts have which outcome.
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
    - The diagnosis of a failure; of the first one, where several alerts failed.
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
        - The service's own code, or V(Stale) for what O(if_unchanged_since) describes.
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
from ansible_collections.m365d.partner.plugins.module_utils._ops.alert import OPERATION


def main() -> None:
    """Run the operation."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
