#!/usr/bin/python
# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: m365d_incidents
short_description: Read the security incidents of a tenant
version_added: 0.1.0
description:
  - Reads the Microsoft Defender XDR incidents of a tenant, all pages of them, through the security API of Microsoft Graph or through the
    Defender XDR API, and returns the same objects whichever service answered.
  - Filters that the service knows are left to it, the others are applied here. RV(filters) says which.
  - RV(complete) is V(true) only when everything that was asked for was read. Otherwise RV(partial_reason) says what may be missing.
  - With O(api=graph) the app needs the permission C(MicrosoftGraph/SecurityIncident.Read.All), with O(api=defender) it needs
    C(MicrosoftThreatProtection/Incident.Read.All).
options:
  status:
    description:
      - Incidents with one of these states.
      - V(awaitingAction) exists with O(api=graph) only.
    type: list
    elements: str
    choices: [active, resolved, inProgress, redirected, awaitingAction]
  severity:
    description:
      - Incidents with one of these severities.
    type: list
    elements: str
    choices: [unknown, informational, low, medium, high]
  classification:
    description:
      - Incidents with one of these classifications.
    type: list
    elements: str
    choices: [unknown, falsePositive, truePositive, informationalExpectedActivity]
  determination:
    description:
      - Incidents with one of these determinations.
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
      - Incidents that are assigned to this user, as the service writes it (mostly the user principal name).
    type: str
  unassigned:
    description:
      - Whether to return only incidents that are assigned to nobody.
      - Excludes O(assigned_to).
    type: bool
    default: false
  tags:
    description:
      - Incidents with one of these tags, set by people or by the service, in any case.
    type: list
    elements: str
  service_sources:
    description:
      - Incidents with an alert of one of these products, for example V(microsoftDefenderForEndpoint) or V(microsoftDefenderForOffice365).
      - The names that the Defender XDR API uses, such as V(MicrosoftDefenderATP) and V(OfficeATP), are understood too.
      - The alerts are read for it, whether or not O(include_alerts) returns them.
    type: list
    elements: str
  created_since:
    description:
      - Incidents that were created at this time or later.
      - An ISO 8601 date or time (UTC where it has no offset), or how long ago, as a number with C(s), C(m), C(h), C(d) or C(w), for example
        V(2026-01-31T12:00:00Z) or V(24h). A date without a time is the instant at which that day begins.
    type: str
  created_until:
    description:
      - Incidents that were created at this time or earlier, written like O(created_since).
      - Where O(created_since) is given, this defaults to the time at which the task begins.
    type: str
  updated_since:
    description:
      - Incidents that were last updated at this time or later, written like O(created_since).
    type: str
  updated_until:
    description:
      - Incidents that were last updated at this time or earlier, written like O(created_since).
      - Where O(updated_since) is given, this defaults to the time at which the task begins, so that consecutive windows fit together.
    type: str
  filter:
    description:
      - A C($filter) in the service's own terms, in addition to the other filters. It is passed on as it is.
      - It differs between O(api=graph), for example V(severity eq 'high'), and O(api=defender), for example
        V(lastUpdateTime ge 2026-01-01T00:00:00Z).
      - Never make it from text that you do not control. The other filters quote their values, this one cannot.
    type: str
  incident_ids:
    description:
      - Read the incidents with these ids, in this order, instead of listing them. The other filters apply to what was read.
      - Ids that the tenant does not know are returned in RV(not_found).
      - Excludes O(filter) and O(limit).
    type: list
    elements: str
  follow_redirects:
    description:
      - Whether the incident that a merged one leads to is read too, to the end of the chain.
      - The merged incident then names it in C(redirected_to), and it names all that lead to it in C(redirected_from).
    type: bool
    default: false
  include_alerts:
    description:
      - Whether each incident holds its alerts, with their evidence.
      - Where the service cannot deliver a page with alerts, smaller pages are asked for, and then the alerts of each incident.
    type: bool
    default: false
  order_by:
    description:
      - The order of RV(incidents), by the time of their last update or of their creation, newest or oldest first.
      - With O(limit), also which incidents are returned.
      - With O(dest), incidents are written as they come, which is the last updated first where all are read, and in this order where
        O(api=graph) and O(limit) are given.
      - With O(cursor) or O(max_age), RV(incidents) is always in the order of last updates, oldest first.
    type: str
    choices: [updated_desc, updated_asc, created_desc, created_asc]
    default: updated_desc
  limit:
    description:
      - The most incidents to return.
      - Where there are more, RV(complete) is V(false).
      - With O(cursor) or O(max_age), the next reading goes on with the others.
    type: int
  raw:
    description:
      - Whether each incident also holds, as C(raw), the object as the service sent it.
    type: bool
    default: false
  dest:
    description:
      - A file to write the incidents to as they are read, instead of returning RV(incidents). However many there are, they are not held in
        memory, except with O(incident_ids) and O(follow_redirects).
      - An incident that changes while the list is read can be in the file in two versions, the newer one further down, and RV(count) counts
        both.
      - The file appears under its name when it is whole, and only then. It is readable by its owner alone.
      - Where it holds C({tenant_id}), that stands for the id of the tenant, so that each of O(tenants) has a file of its own. Otherwise
        O(tenants) share one file, which holds all incidents of a tenant or none. It stays as it was where none of them
        could be read.
    type: path
  dest_format:
    description:
      - The format of O(dest). By default the ending of its name tells, one of C(.ndjson), C(.jsonl), C(.json), C(.csv) and C(.parquet).
      - V(ndjson) has one JSON object per line, as in RV(incidents).
      - V(csv) has one row per incident. Lists and objects are JSON. A text that a spreadsheet would take for a formula begins with a quote
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
  cursor:
    description:
      - Read incrementally. What was delivered before is left out, and each version of an incident (its id and last update) is
        delivered once.
      - Give V({}) at first, and then RV(cursor) of the last reading, unchanged. Keep it when what was read is safe, not before. A task
        that fails returns no cursor, and the next one begins at the old one.
      - With O(tenants), a dictionary of cursors by the id of the tenant, as RV(cursor) is then.
      - Excludes O(updated_since), O(updated_until), O(incident_ids) and O(follow_redirects).
    type: dict
  max_age:
    description:
      - How far back a first incremental reading goes, in seconds or with C(s), C(m), C(h), C(d) or C(w), for example V(7d). Without it, it
        reads all that the service keeps.
      - It counts only where O(cursor) is not given or empty.
    type: str
  overlap:
    description:
      - How much time before the last reading is looked at again, for incidents that arrive late, written like O(max_age).
      - It should be longer than the service may be late, and than the clock of this machine may be ahead.
    type: str
    default: 15m
notes:
  - Instants are text in one form with seven fractional digits, the precision of the services, so that they sort and compare as text, for
    example V(2026-01-31T12:00:00.0000000Z). The filter P(ansible.builtin.to_datetime#filter) reads the first 19 characters with
    C(%Y-%m-%dT%H:%M:%S).
  - Titles, descriptions and evidence hold text that attackers can choose. Do not evaluate it.
  - Microsoft retires the Defender XDR API on 2027-02-01. Ansible shows a deprecation where O(api=defender); the setting
    C(deprecation_warnings) silences it.
seealso:
  - module: m365d.partner.m365d_token
  - module: m365d.partner.m365d_incident_sink
  - name: Microsoft Graph, list incidents
    description: The service behind O(api=graph).
    link: https://learn.microsoft.com/graph/api/security-list-incidents
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

- name: "Morning round: what is open and urgent"
  m365d.partner.m365d_incidents:
    status: [active, inProgress]
    severity: [high, medium]
  register: open_incidents

- name: "Triage: what nobody has taken yet, oldest first"
  m365d.partner.m365d_incidents:
    status: [active]
    unassigned: true
    order_by: created_asc
    limit: 25
  register: triage

- name: "Investigation: one case with its alerts and evidence, also when it was merged into another"
  m365d.partner.m365d_incidents:
    incident_ids: ["924565"]
    include_alerts: true
    follow_redirects: true
  register: case

- name: "Shift handover: what changed in the last eight hours"
  m365d.partner.m365d_incidents:
    updated_since: 8h
  register: handover

- name: "Monthly report: what turned out to be a real attack"
  m365d.partner.m365d_incidents:
    classification: [truePositive]
    created_since: "2026-10-01"
    created_until: "2026-10-31T23:59:59.9999999Z"
  register: report

- name: Mail incidents of Defender for Office 365, by a tag of the partner's own
  m365d.partner.m365d_incidents:
    service_sources: [microsoftDefenderForOffice365]
    tags: [managed-by-contoso]
  register: mail

- name: The same objects from the Defender XDR API, for a customer who has not consented to the Graph permission yet
  m365d.partner.m365d_incidents:
    tenant_id: 11111111-1111-4111-8111-000000000001
    client_id: 22222222-2222-4222-8222-000000000001
    client_secret: "{{ vaulted_client_secret }}"
    api: defender
    status: [active]
  register: legacy

# The next run knows the cursor only where facts outlive a run: set fact_caching to jsonfile, with fact_caching_connection, in ansible.cfg.
# Without that, every run starts anew at max_age.
- name: "SIEM: what is new since the last run, as one file for each customer, and remember where it ended"
  block:
    - name: Write what was not written yet
      m365d.partner.m365d_incidents:
        cursor: "{{ m365d_incident_cursor | default({}) }}"
        max_age: 7d
        include_alerts: true
        dest: "/var/spool/siem/incidents-{{ inventory_hostname }}-{{ now(utc=true).strftime('%Y%m%dT%H%M%S') }}.ndjson"
      register: news

    - name: Remember where it ended, in the fact cache
      ansible.builtin.set_fact:
        m365d_incident_cursor: "{{ news.cursor }}"
        cacheable: true

- name: All customers in one task, a file for each
  m365d.partner.m365d_incidents:
    tenants: "{{ groups['customers'] | map('extract', hostvars, 'm365d_tenant_id') }}"
    updated_since: 24h
    dest: "/srv/reports/incidents-{tenant_id}.csv"
    force: true
    max_failed: 10%
  delegate_to: localhost
  run_once: true

- name: Ten thousand customers in one file; the result lists those alone that somebody should look at
  m365d.partner.m365d_incidents:
    tenants: "{{ groups['customers'] | map('extract', hostvars, 'm365d_tenant_id') }}"
    updated_since: 24h
    dest: /srv/reports/incidents.ndjson
    force: true
    return_tenants: lacking
    max_failed: 10%
  delegate_to: localhost
  run_once: true

- name: Stop where something may be missing
  ansible.builtin.assert:
    that: open_incidents.complete
    fail_msg: "{{ open_incidents.partial_reason | default('', true) }}"
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
    - The consent state of the tenant, V(ready) where incidents were read.
  type: str
  returned: when it is known
  sample: ready
incidents:
  description:
    - The incidents. All keys are always there. Values of enumerations are Microsoft Graph's; one that is not known passes through.
  type: list
  elements: dict
  returned: success, without O(dest)
  contains:
    id:
      description:
        - The id of the incident.
      type: str
      sample: "924565"
    tenant_id:
      description:
        - The id of the tenant.
      type: str
    display_name:
      description:
        - The name of the incident.
      type: str
      sample: Multi-stage incident involving Initial access on one endpoint
    description:
      description:
        - A longer text, with O(api=graph) only.
      type: str
    summary:
      description:
        - A summary, with O(api=graph) only.
      type: str
    status:
      description:
        - The state, see O(status).
      type: str
      sample: active
    severity:
      description:
        - The severity, see O(severity).
      type: str
      sample: high
    classification:
      description:
        - The classification, V(unknown) where there is none yet.
      type: str
      sample: truePositive
    determination:
      description:
        - The determination, V(unknown) where there is none yet.
      type: str
      sample: phishing
    assigned_to:
      description:
        - Who works on it, V(null) for nobody.
      type: str
      sample: analyst@contoso.example
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
    last_modified_by:
      description:
        - Who updated it last, with O(api=graph) only.
      type: str
    redirect_incident_id:
      description:
        - The id of the incident that it was merged into, V(null) where it was not.
      type: str
    redirected_to:
      description:
        - The id of the incident at the end of the chain of merges, with O(follow_redirects).
      type: str
    redirected_from:
      description:
        - The ids of the incidents that were merged into this one and led to it, with O(follow_redirects).
      type: list
      elements: str
    incident_web_url:
      description:
        - A link to the incident in the portal that opens in this tenant.
      type: str
      sample: https://security.microsoft.com/incidents/924565?tid=11111111-1111-4111-8111-000000000001
    custom_tags:
      description:
        - The tags that people set.
      type: list
      elements: str
    system_tags:
      description:
        - The tags that the service set, with O(api=graph) only.
      type: list
      elements: str
    priority_score:
      description:
        - The priority, with O(api=graph) only.
      type: int
    resolving_comment:
      description:
        - The comment with which it was resolved, with O(api=graph) only.
      type: str
    comments:
      description:
        - The comments, each with C(comment), C(created_by_display_name) and C(created_date_time).
      type: list
      elements: dict
    alerts:
      description:
        - The alerts, each with its C(evidence), in the schema of Microsoft Graph with keys in snake_case.
        - V(null) without O(include_alerts), and where the service did not give them.
      type: list
      elements: dict
    raw:
      description:
        - The object as the service sent it, with O(raw).
      type: dict
dest:
  description:
    - The file that the incidents were written to; in check mode, that they would be written to.
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
cursor:
  description:
    - Where the next incremental reading begins, V(null) where O(cursor) and O(max_age) are not given.
    - With O(tenants), a dictionary of cursors by the id of the tenant. A tenant that was not read keeps its old one.
  type: dict
  returned: success
  contains:
    format:
      description:
        - The version of this form.
      type: int
    tenant_id:
      description:
        - The tenant that it belongs to.
      type: str
    watermark:
      description:
        - The last update up to which everything was delivered.
      type: str
    seen_from:
      description:
        - From which last update on C(seen) is complete.
      type: str
    seen:
      description:
        - The last updates that were delivered, by the id of the incident.
      type: dict
count:
  description:
    - How many incidents are returned or written.
    - With O(tenants), the sum over those that were read, and V(null) where none was.
  type: int
  returned: success
  sample: 12
by_severity:
  description:
    - How many incidents there are of each severity.
    - With O(tenants), the sum over those that were read, and V(null) where none was.
  type: dict
  returned: success
  sample: {"high": 2, "medium": 4, "low": 5, "informational": 1, "unknown": 0}
complete:
  description:
    - Whether everything that was asked for was read, that is, every incident that matched all the time that the reading took.
    - Incidents may move from page to page, join and leave while they are read. Where that happens, what was passed over is read again.
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
    - The ids among O(incident_ids) that the tenant does not know.
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
      sample: [tags]
    odata:
      description:
        - The C($filter) that the service was given, V(null) where there was none.
      type: str
      sample: status eq 'active' and lastUpdateDateTime ge 2026-01-31T12:00:00.0000000Z
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
    - A list that nobody changes takes one for each page, of 50 incidents with O(api=graph) and of 100 with O(api=defender). The
      Defender XDR API does not tell where a list ends, so that one whose last page is full takes another one, and its pages begin with
      the last incident of the one before and with what was updated in the last five minutes.
    - Where incidents move meanwhile, it takes more.
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
from ansible_collections.m365d.partner.plugins.module_utils._ops.incidents import OPERATION


def main() -> None:
    """Run the operation."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
