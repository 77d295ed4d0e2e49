#!/usr/bin/python
# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: m365d_alerts
short_description: Read the security alerts of a tenant
version_added: 0.1.0
description:
  - Reads the Microsoft Defender XDR alerts of a tenant with their evidence, all pages of them, and returns objects in one schema, whichever
    service answered.
  - Filters that the service knows are left to it, the others are applied here. RV(filters) says which.
  - RV(complete) is V(true) only when everything that was asked for was read. Otherwise RV(partial_reason) says what may be missing.
  - With O(api=graph) the list of alerts is asked. The app needs the permission C(MicrosoftGraph/SecurityAlert.Read.All); with
    O(incident_ids) it needs C(MicrosoftGraph/SecurityIncident.Read.All).
  - With O(api=defender) there is no list of alerts. They come with the incidents, so that without O(incident_ids) all incidents that the
    service keeps are read, and every filter is applied here. The app needs C(MicrosoftThreatProtection/Incident.Read.All).
options:
  status:
    description:
      - Alerts with one of these states.
    type: list
    elements: str
    choices: [unknown, new, inProgress, resolved]
  severity:
    description:
      - Alerts with one of these severities.
    type: list
    elements: str
    choices: [unknown, informational, low, medium, high]
  classification:
    description:
      - Alerts with one of these classifications.
    type: list
    elements: str
    choices: [unknown, falsePositive, truePositive, informationalExpectedActivity]
  determination:
    description:
      - Alerts with one of these determinations.
      - What the Defender XDR API calls C(Clean), C(CompromisedUser), C(InsufficientData), C(NoEnoughDataToValidate) and C(NotAvailable) is
        V(notMalicious), V(compromisedAccount), V(notEnoughDataToValidate) and V(unknown) here.
    type: list
    elements: str
    choices:
      - unknown
      - apt
      - malware
      - securityPersonnel
      - securityTesting
      - unwantedSoftware
      - other
      - multiStagedAttack
      - compromisedAccount
      - phishing
      - maliciousUserActivity
      - notMalicious
      - notEnoughDataToValidate
      - confirmedActivity
      - lineOfBusinessApplication
  assigned_to:
    description:
      - Alerts that are assigned to this user, as the service writes it (mostly the user principal name).
    type: str
  unassigned:
    description:
      - Whether to return only alerts that are assigned to nobody.
      - Excludes O(assigned_to).
    type: bool
    default: false
  service_sources:
    description:
      - Alerts of one of these products, for example V(microsoftDefenderForEndpoint) or V(microsoftDefenderForOffice365).
      - The names that the Defender XDR API uses, such as V(MicrosoftDefenderATP) and V(OfficeATP), are understood too.
    type: list
    elements: str
  detection_sources:
    description:
      - Alerts that one of these technologies raised, for example V(customDetection) or V(antivirus).
    type: list
    elements: str
  categories:
    description:
      - Alerts of one of these kinds, for example V(InitialAccess), V(Ransomware) or V(CredentialAccess), in any case.
    type: list
    elements: str
  mitre_techniques:
    description:
      - Alerts with one of these techniques of MITRE ATT&CK. V(T1059) also stands for V(T1059.001) and the like.
    type: list
    elements: str
  created_since:
    description:
      - Alerts that were created at this time or later.
      - An ISO 8601 date or time (UTC where it has no offset), or how long ago, as a number with C(s), C(m), C(h), C(d) or C(w), for example
        V(2026-01-31T12:00:00Z) or V(24h). A date without a time is the instant at which that day begins.
    type: str
  created_until:
    description:
      - Alerts that were created at this time or earlier, written like O(created_since).
      - Where O(created_since) is given, this defaults to the time at which the task begins.
    type: str
  updated_since:
    description:
      - Alerts that were last updated at this time or later, written like O(created_since).
    type: str
  updated_until:
    description:
      - Alerts that were last updated at this time or earlier, written like O(created_since).
      - Where O(updated_since) is given, this defaults to the time at which the task begins, so that consecutive windows fit together.
    type: str
  filter:
    description:
      - A C($filter) in the terms of Microsoft Graph, in addition to the other filters. It is passed on as it is.
      - For the list of alerts only, that is with O(api=graph) and without O(alert_ids) and O(incident_ids).
      - Never make it from text that you do not control. The other filters quote their values, this one cannot.
    type: str
  alert_ids:
    description:
      - Read the alerts with these ids, in this order, instead of listing them. The other filters apply to what was read.
      - Ids that the tenant does not know are returned in RV(not_found).
      - Excludes O(filter), O(incident_ids) and O(limit).
    type: list
    elements: str
  incident_ids:
    description:
      - Read the alerts of these incidents. The other filters apply to what was read.
      - The alerts of a merged incident are those of the incident that it was merged into. The task warns and names it.
      - Excludes O(alert_ids) and O(filter).
    type: list
    elements: str
  order_by:
    description:
      - The order of RV(alerts), by the time of their last update or of their creation, newest or oldest first.
      - With O(limit), also which alerts are returned.
      - With O(dest), alerts are written as they come, which is the last updated first where all are read, and in this order where O(limit)
        is given. With O(api=defender) and O(incident_ids) they are always in this order.
    type: str
    choices: [updated_desc, updated_asc, created_desc, created_asc]
    default: updated_desc
  limit:
    description:
      - The most alerts to return.
      - Where there are more, RV(complete) is V(false).
    type: int
  raw:
    description:
      - Whether each alert also holds, as C(raw), the object as the service sent it.
    type: bool
    default: false
  dest:
    description:
      - A file to write the alerts to as they are read, instead of returning RV(alerts). Those of Microsoft Graph's list are not held in
        memory, however many there are.
      - An alert that changes while the list is read can be in the file in two versions, the newer one further down, and RV(count) counts
        both.
      - The file appears under its name when it is whole, and only then. It is readable by its owner alone.
      - Where it holds C({tenant_id}), that stands for the id of the tenant, so that each of O(tenants) has a file of its own. Otherwise
        O(tenants) share one file, which holds all alerts of a tenant or none. It stays as it was where none of them
        could be read.
    type: path
  dest_format:
    description:
      - The format of O(dest). By default the ending of its name tells, one of C(.ndjson), C(.jsonl), C(.json), C(.csv) and C(.parquet).
      - V(ndjson) has one JSON object per line, as in RV(alerts).
      - V(csv) has one row per alert. Lists and objects are JSON. A text that a spreadsheet would take for a formula begins with a quote
        (C(')).
      - V(parquet) has the same columns with types. It needs the Python library C(pyarrow).
    type: str
    choices: [ndjson, csv, parquet]
  force:
    description:
      - Whether O(dest) may be replaced where it is there already. Otherwise the task fails before the first request.
      - What an interrupted run with O(tenants) left is thrown away then, unless O(resume) is set.
    type: bool
    default: false
  resume:
    description:
      - Whether to go on where a run with O(tenants) and O(dest) was interrupted, with the same options. The tenants that were done are not
        read again; their results come from then.
      - Such a run leaves C(.journal), and C(.partial) where the tenants share a file, after the name of O(dest), with the word
        C(all-tenants) for C({tenant_id}). Without this option and without O(force) the task fails when it finds them.
      - With a file for each tenant, the tenants that failed in a run that ended can be read so, too.
    type: bool
    default: false
  return_tenants:
    description:
      - Which of O(tenants) the result lists, where O(dest) holds what was read. Ansible keeps each result several times over, so that those
        of many thousand tenants take more memory than reading them.
      - V(lacking) leaves out the tenants of which everything was read. RV(summary), the sums and RV(complete) are of all tenants in any
        case.
    type: str
    choices: [all, lacking]
    default: all
notes:
  - Instants are text in one form with seven fractional digits, the precision of the services, so that they sort and compare as text, for
    example V(2026-01-31T12:00:00.0000000Z). The filter P(ansible.builtin.to_datetime#filter) reads the first 19 characters with
    C(%Y-%m-%dT%H:%M:%S).
  - Titles, descriptions and evidence hold text that attackers can choose. Do not evaluate it.
  - Microsoft retires the Defender XDR API on 2027-02-01. Ansible shows a deprecation where O(api=defender); the setting
    C(deprecation_warnings) silences it.
seealso:
  - module: m365d.partner.m365d_alert
  - module: m365d.partner.m365d_incidents
  - name: Microsoft Graph, list alerts
    description: The service behind O(api=graph).
    link: https://learn.microsoft.com/graph/api/security-list-alerts_v2
  - name: Defender XDR, list incidents API
    description: The service behind O(api=defender).
    link: https://learn.microsoft.com/defender-xdr/api-list-incidents
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
      - With O(dest), the file is not written, but the result says whether it would change.
  diff_mode:
    support: none
    details:
      - A file of O(dest) is not compared line by line.
  idempotent:
    support: full
    details:
      - With O(dest) and O(force), the task is changed where the file is another one than before.
author:
  - m365d.partner contributors (@m365d)
"""

EXAMPLES = r"""
# Tenant and credential come from the inventory here (m365d_tenant_id, m365d_client_id and so on).

- name: "Queue: what is new and urgent, oldest first"
  m365d.partner.m365d_alerts:
    status: [new]
    severity: [high, medium]
    order_by: created_asc
  register: queue

- name: "Case: all alerts of an incident, with their evidence"
  m365d.partner.m365d_alerts:
    incident_ids: ["924565"]
  register: case

- name: "Enrichment: the addresses that were seen, for a look-up elsewhere"
  ansible.builtin.set_fact:
    addresses: "{{ case.alerts | map(attribute='evidence') | flatten | selectattr('type', 'eq', 'ip')
      | map(attribute='ip_address') | unique | list }}"

- name: "Hunt: what used a technique in the last week, anywhere in the fleet"
  m365d.partner.m365d_alerts:
    tenants: "{{ groups['customers'] | map('extract', hostvars, 'm365d_tenant_id') | list }}"
    mitre_techniques: [T1566]
    created_since: 7d
  register: hunt

- name: "Tuning: what the partner's own detections raised and turned out to be noise"
  m365d.partner.m365d_alerts:
    detection_sources: [customDetection]
    classification: [falsePositive]
    updated_since: 30d
  register: noise

- name: "Report: the alerts of yesterday as one table, for all customers"
  m365d.partner.m365d_alerts:
    tenants: "{{ groups['customers'] | map('extract', hostvars, 'm365d_tenant_id') | list }}"
    created_since: 24h
    dest: /srv/reports/alerts.csv
    force: true
  delegate_to: localhost
  run_once: true

- name: "Ticket: the alerts that another system knows by id"
  m365d.partner.m365d_alerts:
    alert_ids: [da637551227677560813_-961444813]
    raw: true
  register: ticket

- name: The same objects from the Defender XDR API, out of its incidents
  m365d.partner.m365d_alerts:
    api: defender
    status: [new]
  register: legacy

- name: Stop where something may be missing
  ansible.builtin.assert:
    that: queue.complete
    fail_msg: "{{ queue.partial_reason | default('', true) }}"
"""

RETURN = r"""
tenants:
  description:
    - What became of each of O(tenants), in their order. An entry holds the values below that belong to one tenant, and these.
    - A tenant that is not V(ok) has no counts, lists or claims; C(error) says why.
    - With O(return_tenants=lacking), only those that are not V(ok), not complete, or did not know an id.
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
    resumed:
      description:
        - That the result comes from the run that was interrupted, see O(resume).
      type: bool
      returned: when it does
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
    - With O(return_tenants=lacking), also how many of them are V(listed) in RV(tenants).
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
    - With O(return_tenants=lacking), C(positions) are those of all tenants of this part, C(listed) those of RV(tenants).
  type: dict
  returned: when O(shard) is given
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
  returned: success
  sample: graph
consent_state:
  description:
    - The consent state of the tenant, V(ready) where alerts were read.
  type: str
  returned: when it is known
  sample: ready
alerts:
  description:
    - The alerts. All keys are always there. Values of enumerations are Microsoft Graph's; one that is not known passes through.
  type: list
  elements: dict
  returned: success, without O(dest)
  contains:
    id:
      description:
        - The id of the alert.
      type: str
      sample: da637551227677560813_-961444813
    provider_alert_id:
      description:
        - The id with which the product that raised it knows it.
      type: str
    incident_id:
      description:
        - The id of the incident that it belongs to.
      type: str
      sample: "924565"
    tenant_id:
      description:
        - The id of the tenant.
      type: str
    title:
      description:
        - What happened, in a few words.
      type: str
      sample: Suspicious PowerShell command line
    description:
      description:
        - What happened, at more length.
      type: str
    recommended_actions:
      description:
        - What the product recommends, with O(api=graph) only.
      type: str
    category:
      description:
        - The first of C(categories), or what the service calls the category.
      type: str
      sample: Execution
    categories:
      description:
        - The kinds of attack.
      type: list
      elements: str
    status:
      description:
        - The state, see O(status).
      type: str
      sample: new
    severity:
      description:
        - The severity, see O(severity).
      type: str
      sample: high
    classification:
      description:
        - The classification, V(unknown) where there is none yet.
      type: str
      sample: unknown
    determination:
      description:
        - The determination, V(unknown) where there is none yet.
      type: str
      sample: unknown
    service_source:
      description:
        - The product that raised it.
      type: str
      sample: microsoftDefenderForEndpoint
    detection_source:
      description:
        - The technology that noticed it.
      type: str
      sample: customDetection
    product_name:
      description:
        - The name of the product, with O(api=graph) only.
      type: str
    detector_id:
      description:
        - The id of the detector.
      type: str
    investigation_state:
      description:
        - How far the automated investigation is.
      type: str
      sample: pendingApproval
    assigned_to:
      description:
        - Who works on it, V(null) for nobody.
      type: str
      sample: analyst@contoso.example
    actor_display_name:
      description:
        - The group of attackers, where it is known.
      type: str
    threat_display_name:
      description:
        - The threat, with O(api=graph) only.
      type: str
    threat_family_name:
      description:
        - The family of malware.
      type: str
    mitre_techniques:
      description:
        - The techniques of MITRE ATT&CK.
      type: list
      elements: str
    created_date_time:
      description:
        - When it was created.
      type: str
      sample: "2026-01-31T12:00:00.1234567Z"
    last_update_date_time:
      description:
        - When it was last updated.
      type: str
      sample: "2026-01-31T13:00:00.0000000Z"
    resolved_date_time:
      description:
        - When it was resolved, V(null) where it is open.
      type: str
    first_activity_date_time:
      description:
        - When the first activity was seen.
      type: str
    last_activity_date_time:
      description:
        - When the last activity was seen.
      type: str
    alert_web_url:
      description:
        - A link to the alert in the portal that opens in this tenant.
      type: str
      sample: https://security.microsoft.com/alerts/da637551227677560813_-961444813?tid=11111111-1111-4111-8111-000000000001
    incident_web_url:
      description:
        - A link to the incident in the portal that opens in this tenant.
      type: str
    alert_policy_id:
      description:
        - The id of the policy that raised it, with O(api=graph) only.
      type: str
    system_tags:
      description:
        - The tags that the service set, with O(api=graph) only.
      type: list
      elements: str
    custom_details:
      description:
        - What a custom detection adds, with O(api=graph) only.
      type: dict
    additional_data:
      description:
        - What else the product says, with O(api=graph) only.
      type: dict
    comments:
      description:
        - The comments, each with C(comment), C(created_by_display_name) and C(created_date_time).
      type: list
      elements: dict
    evidence:
      description:
        - What the alert points at, each piece with its C(type) (C(device), C(user), C(file), C(process), C(ip), C(url), C(mailbox) and so
          on), its verdict, and the members of its type in snake_case.
      type: list
      elements: dict
    raw:
      description:
        - The object as the service sent it, with O(raw).
      type: dict
count:
  description:
    - How many alerts are returned or written.
    - With O(tenants), the sum over those that were read, and V(null) where none was.
  type: int
  returned: success
  sample: 12
by_severity:
  description:
    - How many alerts there are of each severity.
    - With O(tenants), the sum over those that were read, and V(null) where none was.
  type: dict
  returned: success
  sample: {"high": 2, "medium": 4, "low": 5, "informational": 1, "unknown": 0}
dest:
  description:
    - The file that the alerts were written to; in check mode, that they would be written to.
  type: str
  returned: with O(dest)
size:
  description:
    - The size of the file in bytes.
  type: int
  returned: with O(dest)
checksum:
  description:
    - The SHA-256 of the file. Where the file was the same before, the task is not changed.
  type: str
  returned: with O(dest)
complete:
  description:
    - Whether everything that was asked for was read, that is, every alert that matched all the time that the reading took.
  type: bool
  returned: success
partial_reason:
  description:
    - What may be missing and why, V(null) where RV(complete) is V(true).
  type: str
  returned: success
  sample: there are more than the limit of 25
not_found:
  description:
    - The ids among O(alert_ids) or O(incident_ids) that the tenant does not know.
  type: list
  elements: str
  returned: success
filters:
  description:
    - Where the filters were applied.
  type: dict
  returned: success
  contains:
    pushed:
      description:
        - The options that the service applied.
      type: list
      elements: str
      sample: [status, updated_since]
    local:
      description:
        - The options that were applied to what the service returned.
      type: list
      elements: str
      sample: [categories]
    odata:
      description:
        - The C($filter) that the service was given, V(null) where there was none.
      type: str
      sample: status eq 'new' and lastUpdateDateTime ge 2026-01-31T12:00:00.0000000Z
window:
  description:
    - The bounds of the time windows, fixed when the task began; for one of O(tenants), when its turn came, so that what changed
      while others were read is not passed over.
  type: dict
  returned: success
  contains:
    created_since:
      description:
        - The lower bound of the creation, V(null) where there is none.
      type: str
    created_until:
      description:
        - The upper bound of the creation, V(null) where there is none.
      type: str
    updated_since:
      description:
        - The lower bound of the last update, V(null) where there is none.
      type: str
    updated_until:
      description:
        - The upper bound of the last update, V(null) where there is none.
      type: str
requests:
  description:
    - How many requests were made to the service, without those for a token.
  type: int
  returned: success
  sample: 1
error:
  description:
    - The diagnosis of a failure.
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
        - The service's own code.
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
from ansible_collections.m365d.partner.plugins.module_utils._ops.alerts import OPERATION


def main() -> None:
    """Run the operation."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
