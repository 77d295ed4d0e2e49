#!/usr/bin/python
# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: m365d_hunting
short_description: Run a hunting query in a tenant
version_added: 0.1.0
description:
  - Runs a query in KQL over the advanced hunting tables of Microsoft Defender XDR in a tenant, through Microsoft Graph or through the
    Defender XDR API, and returns the same columns, types and values whichever service answered.
  - The services return at most 100,000 rows and drop the others without a word. Where that happens, or where a query takes too long or
    too much memory, the window of time is divided and each part is queried, as long as the parts add up to the whole. Otherwise
    RV(complete) is V(false), or the task fails, and says why.
  - Quotas are waited for as long as the service says, within O(deadline).
  - With O(api=graph) the app needs the permission C(MicrosoftGraph/ThreatHunting.Read.All), with O(api=defender) it needs
    C(MicrosoftThreatProtection/AdvancedHunting.Read.All).
options:
  query:
    description:
      - The query in KQL.
      - Never make it from text that you do not control. Use O(parameters) for values.
    type: str
  query_file:
    description:
      - A file that holds the query, in UTF-8, on the machine where the module runs.
    type: path
  ready_query:
    description:
      - A query that comes with this collection, by name.
      - V(app_permissions) - which permissions the apps of the tenant hold, and whether each is in use, by the latest state of each app
        (OAuthAppInfo).
      - V(unused_permissions) - which permissions the apps of the tenant hold and do not use, the powerful ones first (OAuthAppInfo).
      - V(app_activity) - what was done in cloud apps, by application, action and account, with counts and times (CloudAppEvents).
      - V(consent_activity) - who consented to apps or changed their permissions, one row per event (CloudAppEvents).
      - V(incident_alerts) - the alerts of an incident, by their ids (AlertInfo).
      - V(incident_evidence) - the evidence of an incident, one row per piece, by the ids of its alerts (AlertEvidence).
      - V(incident_entities) - which accounts, devices, addresses and files an incident involves, by the ids of its alerts
        (AlertEvidence).
      - V(related_alerts) - which other alerts involve one of some accounts, devices, files or addresses (AlertEvidence), as
        incident_entities finds them.
    type: str
    choices:
      - app_permissions
      - unused_permissions
      - app_activity
      - consent_activity
      - incident_alerts
      - incident_evidence
      - incident_entities
      - related_alerts
  parameters:
    description:
      - Values that the query uses by name. Each becomes a statement C(let name = literal;) before the query, so that a value can never
        become a part of the query itself, whatever it holds. Write the name in the query without quotes.
      - A string, an integer, a float, a boolean and a list (a C(dynamic) array) have literals of their own types.
      - 'A dictionary names the type, and has it as its only key. It is one of C(string), C(long), C(int), C(real), C(bool), C(datetime),
        C(timespan), C(guid) and C(dynamic). For example C({datetime: 24h}), which is an ISO 8601 time or how long ago,
        C({timespan: PT15M}), C({long: null}) or C({dynamic: {a: 1}}).'
      - In a query a column hides a parameter of the same name. Choose names that no column has.
      - Every parameter has to be used by the query, which finds names that are misspelt.
      - O(ready_query=app_permissions) takes C(wanted_app).
      - O(ready_query=unused_permissions) takes C(wanted_app).
      - O(ready_query=app_activity) takes C(wanted_application), C(wanted_account), C(wanted_actions).
      - O(ready_query=consent_activity) takes C(wanted_actions).
      - O(ready_query=incident_alerts) takes C(alert_ids) (required).
      - O(ready_query=incident_evidence) takes C(alert_ids) (required).
      - O(ready_query=incident_entities) takes C(alert_ids) (required).
      - O(ready_query=related_alerts) takes C(account_ids), C(device_ids), C(hashes), C(addresses), C(known_alert_ids).
    type: dict
    default: {}
  timespan:
    description:
      - The window of time that the query sees. An ISO 8601 duration, for example V(P7D) or V(PT12H), or an interval, for example
        V(2026-01-01T00:00:00Z/P1D). A number with C(s), C(m), C(h), C(d) or C(w) is a duration too.
      - Without it, the service decides, which means the last 30 days. A filter in the query can only make the window shorter.
      - The query may use the names C(window_start) and C(window_end), which are then bound to the window, and to each of its parts where
        it is divided. Write C(Timestamp >= window_start and Timestamp < window_end).
      - The Defender XDR API takes no such option. With O(api=defender) the first table of the query is limited instead, and a query over
        several tables has to use these names.
    type: str
  row_limit:
    description:
      - The most rows to return.
      - Where there are more, RV(complete) is V(false).
    type: int
  split:
    description:
      - Whether the window may be divided where the service does not return the whole result.
      - V(auto) divides it where the query works row by row, that is with C(where), C(extend), C(project) and its kin, C(parse) and
        C(mv-expand), and with an order by C(Timestamp) at its end.
      - V(always) divides it for any query over one table. Parts of C(summarize) add up only where they are grouped by time.
      - V(never) does not.
    type: str
    choices: [auto, always, never]
    default: auto
  shortest_part:
    description:
      - The shortest part of the window, as a duration. What does not fit there is incomplete.
    type: str
    default: 1m
  service_row_limit:
    description:
      - With how many rows the service ends a result. An answer with so many is taken for cut off.
      - Microsoft has changed it before.
    type: int
    default: 100000
  dest:
    description:
      - A file to write the rows to as they come, instead of returning RV(rows).
      - The file appears under its name when it is whole, and only then. It is readable by its owner alone.
      - Where it holds C({tenant_id}), that stands for the id of the tenant, so that each of O(tenants) has a file of its own. Otherwise
        O(tenants) share one file, which holds all rows of a tenant or none. It stays as it was where none of them
        could be read.
    type: path
  dest_format:
    description:
      - The format of O(dest). By default the ending of its name tells, one of C(.ndjson), C(.jsonl), C(.json) and C(.csv).
      - V(ndjson) has one JSON object per line, as in RV(rows).
      - V(csv) has one row per row. Lists and objects are JSON. A text that a spreadsheet would take for a formula begins with a quote
        (C(')).
    type: str
    choices: [ndjson, csv]
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
  - Instants are text in one form with seven fractional digits, for example V(2026-01-31T12:00:00.0000000Z). Booleans are booleans, although
    the services send 0 and 1. Dynamic values that come as JSON text are parsed.
  - A query may take three minutes. An answer is waited for at least 210 seconds, whatever O(timeout) says, within O(deadline).
  - Rows hold text that attackers can choose. Do not evaluate it.
  - Microsoft retires the Defender XDR API on 2027-02-01. Ansible shows a deprecation where O(api=defender); the setting
    C(deprecation_warnings) silences it.
seealso:
  - module: m365d.partner.m365d_incidents
  - name: Microsoft Graph, runHuntingQuery
    description: The service behind O(api=graph).
    link: https://learn.microsoft.com/graph/api/security-security-runhuntingquery
  - name: Advanced hunting schema
    description: The tables and their columns.
    link: https://learn.microsoft.com/defender-xdr/advanced-hunting-schema-tables
  - name: Quotas of advanced hunting
    description: Rows, run time and processing time.
    link: https://learn.microsoft.com/defender-xdr/advanced-hunting-limits
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

- name: "Hunt: who opened a link from a message, with values that come from elsewhere"
  m365d.partner.m365d_hunting:
    query: |
      CloudAppEvents
      | where AccountId == suspect and ActionType in (actions)
      | where Timestamp > since
      | project Timestamp, ActionType, Application, IPAddress, ObjectName
    parameters:
      suspect: "{{ reported_account }}"
      actions: [FileDownloaded, MailItemsAccessed]
      since: {datetime: 48h}
  register: hunt

- name: Use only a whole result
  ansible.builtin.assert:
    that: hunt.complete
    fail_msg: "{{ hunt.partial_reason | default('', true) }}"

- name: "Review: which permissions do apps hold without using them"
  m365d.partner.m365d_hunting:
    ready_query: unused_permissions
  register: unused

- name: "Review: does the partner's own app use what the customer granted"
  m365d.partner.m365d_hunting:
    ready_query: app_permissions
    parameters:
      wanted_app: "{{ m365d_client_id }}"
  register: own

- name: "Investigation: an incident with its alerts"
  m365d.partner.m365d_incidents:
    incident_ids: ["924565"]
    include_alerts: true
  register: case

- name: "Investigation: everything that the incident involves"
  m365d.partner.m365d_hunting:
    ready_query: incident_entities
    parameters:
      alert_ids: "{{ case.incidents | map(attribute='alerts') | flatten | map(attribute='id') }}"
  register: involved

- name: "Export: a day of events to a file, however many there are"
  m365d.partner.m365d_hunting:
    query: CloudAppEvents | project Timestamp, ActionType, AccountObjectId, IPAddress, ReportId
    timespan: 2026-10-20T00:00:00Z/P1D
    dest: "/srv/exports/{{ inventory_hostname }}-2026-10-20.ndjson"
  register: export

- name: "Campaign: look for an address in all tenants, into one table"
  m365d.partner.m365d_hunting:
    tenants: "{{ groups['customers'] | map('extract', hostvars, 'm365d_tenant_id') }}"
    query: AlertEvidence | where RemoteIP in (addresses) | project Timestamp, AlertId, RemoteIP, DeviceName, AccountUpn
    parameters:
      addresses: [203.0.113.7, 203.0.113.8]
    timespan: P7D
    dest: /srv/reports/addresses.csv
    force: true
    max_failed: 10%
  delegate_to: localhost
  run_once: true

- name: A query from a file, for a customer who has not consented to the Graph permission yet
  m365d.partner.m365d_hunting:
    query_file: queries/new_inbox_rules.kql
    api: defender
    row_limit: 500
  register: rules
"""

RETURN = r"""
tenants:
  description:
    - What became of each of O(tenants), in their order. An entry holds the values below that belong to one tenant, and these.
    - A tenant that is not V(ok) has no counts, lists or claims; C(error) says why.
    - With O(return_tenants=lacking), only those that are not V(ok) or not complete.
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
    - The consent state of the tenant, V(ready) where the query ran.
  type: str
  returned: when it is known
  sample: ready
rows:
  description:
    - The rows, each a dictionary with C(tenant_id) and all columns of the query in their order.
    - With O(tenants), those of all tenants that were read.
  type: list
  elements: dict
  returned: success, without O(dest)
  sample:
    - tenant_id: 11111111-1111-4111-8111-000000000001
      Timestamp: "2026-01-31T12:00:00.1234567Z"
      ActionType: FileDownloaded
columns:
  description:
    - The columns of the query, without C(tenant_id).
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description:
        - The name of the column.
      type: str
      sample: Timestamp
    type:
      description:
        - The type, by its name in the query language, one of V(datetime), V(string), V(int), V(long), V(bool), V(real), V(decimal),
          V(guid), V(timespan) and V(dynamic).
      type: str
      sample: datetime
count:
  description:
    - How many rows there are.
    - With O(tenants), the sum over those that were read, and V(null) where none was.
  type: int
  returned: success
  sample: 42
complete:
  description:
    - Whether these are all rows.
  type: bool
  returned: success
partial_reason:
  description:
    - What is missing and why, V(null) where RV(complete) is V(true).
  type: str
  returned: success
  sample: "the service returns at most 100,000 rows, and the window was not divided: it uses summarize, which needs all rows at once"
window:
  description:
    - The window of time, fixed when the task began; for one of O(tenants), when its turn came.
  type: dict
  returned: success
  contains:
    start:
      description:
        - Its first instant.
      type: str
    end:
      description:
        - Its last instant.
      type: str
parts:
  description:
    - How many queries were run; more than one where the window was divided.
  type: int
  returned: success
  sample: 1
seconds_of_engine:
  description:
    - How long the engine worked on it, V(null) where the service does not say.
  type: float
  returned: success
dest:
  description:
    - The file that was written.
  type: str
  returned: with O(dest)
size:
  description:
    - Its size in bytes.
  type: int
  returned: with O(dest)
checksum:
  description:
    - The SHA-256 of its content.
  type: str
  returned: with O(dest)
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
    kind:
      description:
        - What a query failed of, one of V(syntax), V(semantic), V(timeout), V(cpu_quota), V(rate), V(result_size), V(resources),
          V(unknown) and V(request). Missing where the query is not the reason.
      type: str
    retry_after:
      description:
        - With V(cpu_quota) and V(rate), in how many seconds the service takes the next query.
      type: float
"""

from ansible_collections.m365d.partner.plugins.module_utils._module import run_module
from ansible_collections.m365d.partner.plugins.module_utils._ops.hunting import OPERATION


def main() -> None:
    """Run the operation."""
    run_module(OPERATION)


if __name__ == "__main__":
    main()
