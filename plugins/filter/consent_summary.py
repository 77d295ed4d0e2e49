# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: consent_summary
short_description: Merge what was found for each resource of a tenant into one consent state
version_added: 0.1.0
description:
  - A token is for one resource, so what an app may do in a tenant is found out resource by resource.
    This filter makes one picture of the results.
  - The worst finding decides the state. When one resource gave roles and another gave none, the state is V(missing_roles).
options:
  _input:
    description:
      - The results of M(m365d.partner.m365d_token), one for each resource, or of a loop over it.
    type: list
    elements: dictionary
    required: true
  names:
    description:
      - The names of the resources, in the order of the results. Roles are prefixed with them.
    type: list
    elements: string
    default: []
  required:
    description:
      - The permissions that the tenant must grant, each as C(Resource/Role).
    type: list
    elements: string
    default: []
author:
  - m365d.partner contributors (@m365d)
"""

EXAMPLES = r"""
- name: Show the consent state over both resources
  ansible.builtin.debug:
    msg: "{{ probes.results | m365d.partner.consent_summary(names=['MicrosoftGraph', 'MicrosoftThreatProtection']) }}"
"""

RETURN = r"""
_value:
  description:
    - The consent state with RV(ignore:tenant_id), RV(ignore:consent_state), RV(ignore:roles), RV(ignore:missing_roles),
      RV(ignore:unread_resources), RV(ignore:next_step), RV(ignore:reason) and RV(ignore:error).
  type: dictionary
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.utils.unsafe_proxy import wrap_var

# From the state that says most about what is wrong to the one that says least. A fault of the credential or of the way to
# the service hides everything else; a missing role is known only where the tenant answered.
_WORST_FIRST = (
    "credential_error",
    "unreachable",
    "blocked",
    "unknown_tenant",
    "not_consented",
    "disabled",
    "not_licensed",
    "consented_without_roles",
    "missing_roles",
    "ready",
)
_READABLE = frozenset({"consented_without_roles", "missing_roles", "ready"})


def _state(result: Mapping[str, Any]) -> str:
    """Return the state of one result; ready is what the result proves, never what it leaves open."""
    state = result.get("consent_state") or (result.get("error") or {}).get("state")
    if state in _WORST_FIRST:
        return str(state)
    proven = "roles" in result and not state and not any(result.get(key) for key in ("error", "failed", "unreachable"))
    return "ready" if proven else "unreachable"


def _prefixed(roles: Sequence[str], name: str) -> list[str]:
    return [role if "/" in role or not name else f"{name}/{role}" for role in roles]


def _advice(state: str, missing: Sequence[str]) -> str:
    """Return the next step where no result named one."""
    if state in {"missing_roles", "consented_without_roles"}:
        what = f", which grants {', '.join(missing)}" if missing else ""
        return f"Ask an administrator of the customer to open the consent link again{what}."
    return ""


def consent_summary(results: Sequence[Mapping[str, Any]], names: Sequence[str] = (), required: Sequence[str] = ()) -> dict[str, Any]:
    """Return one consent state for a tenant from the results for its resources.

    :param results: one result of a token task for each resource; at least one.
    :param names: the names of the resources, in the same order.
    :param required: permissions as `Resource/Role` that the tenant must grant.
    """
    if not isinstance(results, (list, tuple)) or not results:
        raise AnsibleFilterError("consent_summary needs a list with at least one result of m365d_token.")
    named = list(zip(results, [*names, *[""] * len(results)], strict=False))
    states = [_state(result) for result in results]
    worst_index = min(range(len(states)), key=lambda index: _WORST_FIRST.index(states[index]))
    roles = sorted(role for result, name in named for role in _prefixed(result.get("roles") or [], name))
    unread = [name for (_result, name), state in zip(named, states, strict=True) if state not in _READABLE and name]
    missing = [permission for permission in required if permission not in roles and permission.partition("/")[0] not in unread]
    state = states[worst_index]
    if state in _READABLE:
        complete = not missing if required else state == "ready"
        state = "consented_without_roles" if not roles else "ready" if complete else "missing_roles"
    worst = results[worst_index]
    error = worst.get("error") or {}
    # Names and messages come from the services: they must not be taken for templates.
    return wrap_var(
        {
            "tenant_id": next((result["tenant_id"] for result in results if result.get("tenant_id")), None),
            "consent_state": state,
            "roles": roles,
            "missing_roles": missing,
            "unread_resources": unread,
            "next_step": error.get("next_step") or worst.get("next_step") or _advice(state, missing),
            "reason": error.get("message") or worst.get("msg") or "",
            "error": error or None,
        }
    )


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Any]:
        return {"consent_summary": consent_summary}
