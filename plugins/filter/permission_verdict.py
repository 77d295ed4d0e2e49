# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: permission_verdict
short_description: Judge what a tenant granted against a policy
version_added: 0.1.0
description:
  - Compares the permissions that the app declares, the roles that the tenant's tokens carry, and a policy.
  - A tenant whose tokens cannot be read is V(unknown), never V(compliant), whatever else was found.
  - Names are read as the modules read them, so that V(SecurityIncident.Read.All) alone means the permission of Microsoft Graph. Case does
    not matter.
  - Fails for what cannot be a permission, and for a name that differs from a known one by a typo. What is merely not known is compared as
    it is written, and a finding of the kind V(not_known) says so.
options:
  _input:
    description:
      - What the filter P(m365d.partner.consent_summary#filter) returned for the tenant.
    type: dictionary
    required: true
  declared:
    description:
      - The permissions that the app declares, each as C(Resource/Role).
    type: list
    elements: string
    default: []
  required:
    description:
      - The permissions that must be granted.
    type: list
    elements: string
    default: []
  allowed:
    description:
      - The permissions that may be granted, as names or shell patterns. Required permissions are always allowed.
      - An empty list allows every permission that is not forbidden.
    type: list
    elements: string
    default: []
  forbidden:
    description:
      - The permissions that must not be granted, as names or shell patterns.
    type: list
    elements: string
    default: []
  further:
    description:
      - The results of a loop of M(m365d.partner.m365d_token), with C(fail_on=never), over the resources that the summary does not cover.
      - What their tokens carry counts as granted; a resource whose token could not be read makes the verdict unknown.
    type: list
    elements: dictionary
    default: []
author:
  - m365d.partner contributors (@m365d)
"""

EXAMPLES = r"""
- name: Judge the tenant
  ansible.builtin.set_fact:
    verdict: >-
      {{ summary | m365d.partner.permission_verdict(
           declared=m365d_app_permissions,
           required=['MicrosoftGraph/SecurityIncident.Read.All'],
           forbidden=['MicrosoftGraph/*.ReadWrite.*']) }}
"""

RETURN = r"""
_value:
  description:
    - RV(ignore:verdict) is V(compliant), V(violation) or V(unknown); RV(ignore:findings) lists what was found, each with
      RV(ignore:kind), RV(ignore:permission) and RV(ignore:message).
  type: dictionary
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.m365d.partner.plugins.plugin_utils._policy import canonical, matches, policy
from ansible_collections.m365d.partner.plugins.plugin_utils._untrusted import untrusted

_READABLE = frozenset({"consented_without_roles", "missing_roles", "ready"})


def _finding(kind: str, permission: str, message: str) -> dict[str, str]:
    return {"kind": kind, "permission": permission, "message": message}


def _violations(
    granted: Sequence[str], required: Sequence[str], allowed: Sequence[str], forbidden: Sequence[str], unread: Sequence[str]
) -> list[dict[str, str]]:
    """Return what breaks the policy. A required permission of a resource that was not read is not known to be missing."""
    found = [
        _finding("missing", permission, f"{permission} is required and not granted.")
        for permission in required
        if permission not in granted and permission.partition("/")[0] not in unread
    ]
    for permission in granted:
        if matches(permission, forbidden):
            found.append(_finding("forbidden", permission, f"{permission} is granted and forbidden."))
        elif allowed and permission not in required and not matches(permission, allowed):
            found.append(_finding("not_allowed", permission, f"{permission} is granted and not on the list of what is allowed."))
    return found


def _further(results: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """Return the permissions that the tokens of further resources carry, and the resources of which nothing is known.

    A resource that the tenant does not have (`not_licensed`) can hold no grants.
    """
    granted, unread = [], []
    for result in results:
        resource = str(result[result["ansible_loop_var"]])
        if result.get("consent_state") in _READABLE:
            granted += [f"{resource}/{role}" for role in result.get("roles") or []]
        elif result.get("consent_state") != "not_licensed":
            unread.append(resource)
    return granted, unread


def permission_verdict(
    summary: Mapping[str, Any],
    declared: Sequence[str] = (),
    required: Sequence[str] = (),
    allowed: Sequence[str] = (),
    forbidden: Sequence[str] = (),
    further: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return the verdict on one tenant.

    :param summary: the tenant's consent state with its roles, as `consent_summary` returns it.
    :param declared: what the app declares; differences from what is granted are notes, not violations.
    :param required: what must be granted.
    :param allowed: what may be granted, names or patterns; empty for everything.
    :param forbidden: what must not be granted, names or patterns; stronger than `allowed`.
    :param further: results of `m365d_token` for the resources that the summary does not cover.
    """
    if not isinstance(summary, Mapping) or "consent_state" not in summary:
        raise AnsibleFilterError("permission_verdict needs what consent_summary returns.")
    more, not_read = _further(further)
    granted = list(dict.fromkeys([*(str(role) for role in summary.get("roles") or []), *more]))
    unread = [*(str(name) for name in summary.get("unread_resources") or []), *not_read]
    readable = summary["consent_state"] in _READABLE and not unread
    declared, required = canonical("declared", declared), canonical("required", required)
    confirmed = {*granted, *declared, *required}
    may, may_not = policy("allowed", allowed, confirmed=confirmed), policy("forbidden", forbidden, confirmed=confirmed)
    violations = _violations(granted, required, may.patterns, may_not.patterns, unread)
    notes = [
        _finding(
            "declared_not_granted", permission, f"{permission} is declared by the app and not granted: the customer must consent again."
        )
        for permission in declared
        if permission not in granted and permission not in required and permission.partition("/")[0] not in unread
    ]
    notes += [
        _finding("granted_not_declared", permission, f"{permission} is granted and no longer declared by the app.")
        for permission in granted
        if declared and permission not in declared
    ]
    notes += [
        _finding(
            "not_known", permission, f"{permission} of the policy is not known here and was compared as it is written: check its spelling."
        )
        for permission in dict.fromkeys([*may.unknown, *may_not.unknown])
    ]
    if not readable:
        cause = summary.get("reason") or f"the tenant is {summary['consent_state']}"
        notes.insert(0, _finding("unread", "", f"The grants of {', '.join(unread) or 'this tenant'} could not be read: {cause}"))
    # Names and messages come from the services: they must not be taken for templates.
    return untrusted(
        {
            "tenant_id": summary.get("tenant_id"),
            "consent_state": summary["consent_state"],
            "verdict": "violation" if violations and readable else "compliant" if readable else "unknown",
            "findings": violations + notes,
            "declared": list(declared),
            "granted": granted,
            "next_step": summary.get("next_step") or "",
        }
    )


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Any]:
        return {"permission_verdict": permission_verdict}
