# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: consent_summary
short_description: Make a tenant's consent state of the result of m365d_consent_info, also where that failed
version_added: 0.1.0
description:
  - Returns the same keys whether the tenant answered or not, so that a report has a row for each tenant.
  - What a result does not prove is not assumed. A failure that names no state is V(unreachable), never V(ready).
options:
  _input:
    description:
      - The result of M(m365d.partner.m365d_consent_info).
    type: dictionary
    required: true
  required:
    description:
      - The permissions that the tenant must grant, each as C(Resource/Role).
    type: list
    elements: string
    default: []
  declared:
    description:
      - The permissions that the app declares, where that is known. A missing one of these needs no change of the app.
    type: list
    elements: string
    default: []
author:
  - m365d.partner contributors (@m365d)
"""

EXAMPLES = r"""
- name: Ask for the tenant's state without failing
  m365d.partner.m365d_consent_info:
    permissions: [MicrosoftGraph/SecurityIncident.Read.All]
  register: info
  ignore_errors: true

- name: Show it
  ansible.builtin.debug:
    msg: "{{ info | m365d.partner.consent_summary(required=['MicrosoftGraph/SecurityIncident.Read.All']) }}"
"""

RETURN = r"""
_value:
  description:
    - The consent state with RV(ignore:tenant_id), RV(ignore:consent_state), RV(ignore:roles), RV(ignore:missing_roles),
      RV(ignore:unread_resources), RV(ignore:next_step), RV(ignore:reason) and RV(ignore:error).
    - RV(ignore:unread_roles) are required ones of RV(ignore:unread_resources). Whether they are granted is not known.
  type: dictionary
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.m365d.partner.plugins.plugin_utils._policy import canonical
from ansible_collections.m365d.partner.plugins.plugin_utils._untrusted import untrusted

_STATES = frozenset(
    {
        "blocked",
        "consented_without_roles",
        "credential_error",
        "disabled",
        "missing_roles",
        "not_consented",
        "not_licensed",
        "ready",
        "unknown_tenant",
        "unreachable",
    }
)


def _state(result: Mapping[str, Any], error: Mapping[str, Any]) -> str:
    """Return the state of a result; ready is what it proves, never what it leaves open."""
    state = result.get("consent_state") or error.get("state")
    return str(state) if state in _STATES and (state != "ready" or "roles" in result) else "unreachable"


def _unread(result: Mapping[str, Any], required: Sequence[str]) -> list[str]:
    """Return the resources whose tokens could not be got, and with them what the tenant granted there."""
    probed = [probe for probe in result.get("evidence") or [] if probe.get("probe") == "token"]
    read = {probe["resource"] for probe in probed if not probe.get("error")}
    refused = [probe["resource"] for probe in probed if probe.get("error")]
    not_asked = [permission.partition("/")[0] for permission in required]
    return [name for name in dict.fromkeys([*refused, *not_asked]) if name and name not in read]


def _next_step(result: Mapping[str, Any], error: Mapping[str, Any], state: str, missing: Sequence[str], declared: Sequence[str]) -> str:
    if state in {"missing_roles", "consented_without_roles"} and missing and set(missing) <= set(declared):
        return f"Have an administrator of the customer open the consent link again: it grants {', '.join(missing)}."
    return str(error.get("next_step") or result.get("next_step") or "")


def consent_summary(result: Mapping[str, Any], required: Sequence[str] = (), declared: Sequence[str] = ()) -> dict[str, Any]:
    """Return a tenant's consent state.

    :param result: the result of an `m365d_consent_info` task, failed or not.
    :param required: permissions as `Resource/Role` that the tenant must grant.
    :param declared: permissions that the app is known to declare.
    """
    if not isinstance(result, Mapping):
        raise AnsibleFilterError("consent_summary needs the result of m365d_consent_info.")
    error: Mapping[str, Any] = result.get("error") or {}
    required, declared = canonical("required", required), canonical("declared", declared)
    roles = list(result.get("roles") or [])
    unread = _unread(result, required)
    missing = [permission for permission in required if permission not in roles and permission.partition("/")[0] not in unread]
    state = _state(result, error)
    # Names and messages come from the services: they must not be taken for templates.
    summary: dict[str, Any] = untrusted(
        {
            "tenant_id": result.get("tenant_id") or error.get("tenant_id"),
            "consent_state": state,
            "roles": roles,
            "missing_roles": missing,
            "unread_resources": unread,
            "unread_roles": [permission for permission in required if permission.partition("/")[0] in unread],
            "next_step": _next_step(result, error, state, missing, declared),
            "reason": error.get("message") or result.get("msg") or "",
            "error": error or None,
        }
    )
    return summary


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Any]:
        return {"consent_summary": consent_summary}
