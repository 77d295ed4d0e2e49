# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: incident_row
short_description: Make a tenant's row of the incident report
version_added: 0.1.0
description:
  - Joins a tenant's consent state and the result of M(m365d.partner.m365d_incidents).
  - Where the incidents could not be read, the counts are null and RV(ignore:reason) says why. They are never zero then.
options:
  _input:
    description:
      - What the filter P(m365d.partner.consent_summary#filter) returned for the tenant.
    type: dictionary
    required: true
  incidents:
    description:
      - The result of M(m365d.partner.m365d_incidents); a failed or skipped one counts as not read.
    type: dictionary
  name:
    description:
      - The name of the tenant for the reader.
    type: string
  details:
    description:
      - How many incidents, the most urgent first, the row keeps.
    type: integer
    default: 10
  resource:
    description:
      - The resource whose API was asked for the incidents, for example V(MicrosoftGraph). A reason about roles names it.
    type: string
author:
  - m365d.partner contributors (@m365d)
"""

EXAMPLES = r"""
- name: Make this tenant's row
  ansible.builtin.set_fact:
    row: "{{ summary | m365d.partner.incident_row(incidents, name='Fabrikam', details=5) }}"
"""

RETURN = r"""
_value:
  description:
    - The row. RV(ignore:incidents_by_severity) and RV(ignore:incidents_total) are null when unknown; RV(ignore:urgency) is a list of
      numbers by which rows sort, the most urgent first.
  type: dictionary
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.m365d.partner.plugins.plugin_utils._untrusted import untrusted

SEVERITIES = ("high", "medium", "low", "informational", "unknown")
_DETAIL_KEYS = ("id", "display_name", "severity", "status", "assigned_to", "last_update_date_time", "incident_web_url", "custom_tags")

_TOKEN_ISSUED = frozenset({"ready", "missing_roles"})
_ABOUT_ROLES = frozenset({"consented_without_roles", "missing_roles"})


def _was_read(result: Mapping[str, Any] | None) -> bool:
    return (
        result is not None and "incidents" in result and not any(result.get(key) for key in ("error", "failed", "skipped", "unreachable"))
    )


def _counts(incidents: list[Mapping[str, Any]]) -> dict[str, int]:
    """Count by severity. A severity this version has not heard of counts as `unknown`, so that none is lost."""
    counts = dict.fromkeys(SEVERITIES, 0)
    for incident in incidents:
        severity = str(incident.get("severity") or "unknown")
        counts[severity if severity in counts else "unknown"] += 1
    return counts


def _rank(incident: Mapping[str, Any]) -> int:
    severity = incident.get("severity")
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES) - 1


def _details(incidents: list[Mapping[str, Any]], limit: int) -> list[dict[str, Any]]:
    newest_first = sorted(incidents, key=lambda incident: str(incident.get("last_update_date_time") or ""), reverse=True)
    return [{key: incident.get(key) for key in _DETAIL_KEYS} for incident in sorted(newest_first, key=_rank)[:limit]]


def _urgency(counts: Mapping[str, int] | None) -> list[int]:
    """Sort key: high severity first; then tenants nobody can see into; then the others by what they have."""
    if counts is None:
        return [1, 0, 0, 0]
    numbers = [-counts["high"], -counts["medium"], -counts["low"] - counts["informational"] - counts["unknown"]]
    return [0 if counts["high"] else 2, *numbers]


def _work(counts: Mapping[str, int], complete: bool) -> str:
    severity = next((severity for severity in SEVERITIES if counts[severity]), None)
    if severity is None:
        return "Nothing to do." if complete else "Read the incidents again: not all of them were read."
    label = "of unknown severity" if severity == "unknown" else f"of severity {severity}"
    return f"Work the {counts[severity]} {'incident' if counts[severity] == 1 else 'incidents'} {label}."


def _text(counts: Mapping[str, int] | None, complete: bool) -> str:
    if counts is None:
        return "unknown"
    text = ", ".join(
        f"{number} {severity if severity != 'unknown' else 'of unknown severity'}" for severity, number in counts.items() if number
    )
    return (text or "none") if complete else f"at least: {text or 'none read'}"


def incident_row(
    summary: Mapping[str, Any],
    incidents: Mapping[str, Any] | None = None,
    name: str | None = None,
    details: int = 10,
    resource: str | None = None,
) -> dict[str, Any]:
    """Return one tenant's row of the report.

    :param summary: the tenant's consent state, as `consent_summary` returns it.
    :param incidents: the result of the incidents task, None where it did not run.
    :param name: the tenant's name for the reader; its id where there is none.
    :param details: how many incidents to keep in the row.
    :param resource: the API that was asked; a reason about roles names it.
    """
    if not isinstance(summary, Mapping) or "consent_state" not in summary:
        raise AnsibleFilterError("incident_row needs what consent_summary returns.")
    read = _was_read(incidents)
    result: Mapping[str, Any] = incidents or {}
    error: Mapping[str, Any] = (result.get("error") or {}) if not read else {}
    found = list(result["incidents"]) if read else []
    counts = _counts(found) if read else None
    state = summary["consent_state"]
    said = error.get("state") or result.get("consent_state")
    if not read and said and state in _TOKEN_ISSUED:
        # The token was issued and yet the API did not answer: what the API said is the state. About roles it knows less: it sees
        # those of one resource.
        state = "missing_roles" if said in _ABOUT_ROLES else said
    elif not read and error and state == "ready":
        # A refusal that names no state (a bad request): whoever could not be read is not called ready.
        state = "unknown"
    reason = error.get("message") or (None if read or result.get("skipped") else result.get("msg")) or summary.get("reason")
    if resource and error and said in _ABOUT_ROLES:
        # The roles beside it are those of all resources.
        reason = f"{resource}: {reason}"
    complete = read and bool(result.get("complete", True))
    named = (summary.get("next_step"), error.get("next_step"))
    next_step = next(filter(None, named if said in _ABOUT_ROLES else reversed(named)), "") or (
        _work(counts, complete) if counts is not None else ""
    )
    # Names and messages come from the services: they must not be taken for templates.
    return untrusted(
        {
            "tenant_id": summary.get("tenant_id") or result.get("tenant_id"),
            "tenant_name": name or summary.get("tenant_id") or result.get("tenant_id"),
            "consent_state": state,
            "roles": list(summary.get("roles") or []),
            "missing_roles": list(summary.get("missing_roles") or []),
            "unread_roles": list(summary.get("unread_roles") or []),
            "incidents_by_severity": counts,
            "incidents_total": len(found) if read else None,
            "incidents_complete": complete if read else None,
            "incidents_text": _text(counts, complete),
            "incidents": _details(found, details),
            "reason": "" if complete else (result.get("partial_reason") if read else reason) or "The cause is not known.",
            "next_step": next_step,
            "urgency": _urgency(counts),
        }
    )


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Any]:
        return {"incident_row": incident_row}
