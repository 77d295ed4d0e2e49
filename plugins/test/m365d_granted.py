# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: m365d_granted
short_description: Whether a token carries roles
version_added: 0.1.0
description:
  - Tells whether what a tenant granted contains all the roles that are asked for.
  - A result without roles, for example of a tenant that did not consent, contains none.
  - The result of a token that is not what it should be, such as one of another tenant, contains none either, whatever stands in it.
options:
  _input:
    description:
      - The result of M(m365d.partner.m365d_token), or what the lookup P(m365d.partner.m365d_token#lookup) returns with C(result=all) or
        C(result=claims), or a list of roles.
    type: raw
    required: true
  roles:
    description:
      - The roles, as in V(SecurityIncident.Read.All), or with the API as in V(MicrosoftGraph/SecurityIncident.Read.All).
      - A role that is written with an API is not contained in a token for another one. In a list of roles, both must be written alike.
    type: list
    elements: str
    required: true
  any:
    description:
      - Whether one of the roles suffices.
    type: bool
    default: false
seealso:
  - module: m365d.partner.m365d_token
author:
  - m365d.partner contributors (@m365d)
"""

EXAMPLES = r"""
- name: Look what the tenant granted
  m365d.partner.m365d_token:
    fail_on: never
  register: look

- name: Read its incidents where it granted that
  m365d.partner.m365d_incidents:
  when: look is m365d.partner.m365d_granted('SecurityIncident.Read.All')

- name: Either of two roles
  ansible.builtin.assert:
    that: look is m365d.partner.m365d_granted(['SecurityIncident.Read.All', 'SecurityIncident.ReadWrite.All'], any=true)
"""

RETURN = r"""
_value:
  description: Whether the roles are there.
  type: bool
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError
from ansible_collections.m365d.partner.plugins.module_utils._ops._permission_options import role_values

# Those of a token that is what it should be, whatever it carries.
_STATES_OF_PROVEN_TOKENS = frozenset({"ready", "missing_roles", "consented_without_roles"})


def _listed(value: Any, *, name: str) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    if not isinstance(value, Iterable) or isinstance(value, Mapping):
        raise AnsibleFilterError(f"m365d_granted: {name} must be a role or a list of roles, not {type(value).__name__}.")
    return [str(entry) for entry in value]


def _carried(value: Mapping[str, Any]) -> set[str]:
    """Return the roles (of an app) and scopes (of a user) in a result or in claims."""
    if not {"roles", "scopes", "scp", "consent_state", "aud"} & set(value):
        raise AnsibleFilterError("m365d_granted: this is neither a result of m365d_token nor the claims of a token.")
    if value.get("consent_state", "ready") not in _STATES_OF_PROVEN_TOKENS:
        # A token of another tenant, a forged one, one that has expired: what stands in it grants nothing.
        return set()
    scopes = str(value.get("scp") or "").split()
    return {*_listed(value.get("roles"), name="roles"), *_listed(value.get("scopes"), name="scopes"), *scopes}


def granted(value: Any, roles: Any, any: bool = False) -> bool:
    """Tell whether `value` carries all (with `any`, one) of `roles`.

    :param value: a result of m365d_token, the claims of a token, or a list of roles.
    :raises AnsibleFilterError: where either is something else, or no role is asked for.
    """
    wanted = _listed(roles, name="roles")
    if not wanted:
        raise AnsibleFilterError("m365d_granted: no role is asked for.")
    if isinstance(value, Mapping):
        carried = _carried(value)
        resource = str(value.get("resource") or value.get("aud") or "")
        found = [_is_carried(role, carried, resource) for role in wanted]
    else:
        carried = set(_listed(value, name="the input"))
        found = [role in carried for role in wanted]
    try:
        one_suffices = boolean(any)
    except TypeError as exc:
        raise AnsibleFilterError(f"m365d_granted: any must be a boolean: {exc}") from exc
    return bool(max(found) if one_suffices else min(found))


def _is_carried(role: str, carried: set[str], resource: str) -> bool:
    try:
        return set(role_values("roles", [role], resource=resource)) <= carried
    except OptionError:
        # Written with another API than the token's.
        return False


class TestModule:
    """Jinja tests of this file."""

    def tests(self) -> dict[str, Callable[..., bool]]:
        """Return the tests by name."""
        return {"m365d_granted": granted}
