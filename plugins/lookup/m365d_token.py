# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: m365d_token
short_description: Get tokens for tenants that prove what they may do
version_added: 0.1.0
description:
  - Gets an access token for each tenant and holds it against a contract, as M(m365d.partner.m365d_token) does.
  - Use it to hand a token to something that this collection does not do itself, and set C(no_log) on the task that uses it.
  - A token that does not satisfy the contract is not handed out.
options:
  _terms:
    description:
      - The tenants, by GUID or by a domain that is verified in them.
      - Without any, the tenant of the variable C(m365d_tenant_id) is meant.
    type: list
    elements: str
  result:
    description:
      - What to return for each tenant.
      - V(token) is the token itself.
      - V(claims) are the claims of the token as a dictionary. The token is not among them.
      - V(all) is what the module M(m365d.partner.m365d_token) returns, without the token.
    type: str
    choices: [token, claims, all]
    default: token
  resource:
    description:
      - The API that the token is for, by name (V(MicrosoftGraph), V(MicrosoftThreatProtection), V(WindowsDefenderATP)), as any other
        App ID URI, or as the client id of the API.
      - Without it, O(api) decides.
    type: str
  required_roles:
    description:
      - Roles that must be in the token.
    type: list
    elements: str
  allowed_roles:
    description:
      - Roles that may be in the token. Any other breaks the contract.
    type: list
    elements: str
  forbidden_roles:
    description:
      - Roles that must not be in the token.
    type: list
    elements: str
  token_type:
    description:
      - Whether the token must act for an app (V(app)) or for a user (V(delegated)).
      - Without it, the kind of credential decides.
    type: str
    choices: [app, delegated, any]
  min_lifetime:
    description:
      - Seconds that the token must still be valid.
    type: float
    default: 0
  clock_skew:
    description:
      - Seconds by which a token may begin in the future.
    type: float
    default: 60
  fail_on:
    description:
      - V(violation) fails when a tenant refuses the token and when a check fails.
      - V(never) returns both as a finding. It needs O(result=all), since there is no token to return then.
    type: str
    choices: [violation, never]
    default: violation
  wait_for_roles:
    description:
      - Seconds to wait, after a consent or a grant, until the token carries O(required_roles).
    type: float
    default: 0
  force_refresh:
    description:
      - Whether to ask for a new token although there is a good one in the cache.
    type: bool
    default: false
notes:
  - The keyword C(environment) does not reach lookups, since they run in the process of Ansible itself.
  - Several tenants are asked at the same time.
seealso:
  - module: m365d.partner.m365d_token
  - plugin: m365d.partner.m365d_granted
    plugin_type: test
extends_documentation_fragment:
  - m365d.partner.connection.plugin
  - m365d.partner.tenant.plugin
  - m365d.partner.auth.plugin
  - m365d.partner.api.plugin
author:
  - m365d.partner contributors (@m365d)
"""

EXAMPLES = r"""
- name: Call an API that this collection does not know, as the tenant that this host stands for
  ansible.builtin.uri:
    url: https://graph.microsoft.com/v1.0/security/secureScores?$top=1
    headers:
      Authorization: "Bearer {{ lookup('m365d.partner.m365d_token', required_roles=['SecurityEvents.Read.All']) }}"
  delegate_to: localhost
  no_log: true

- name: Say which roles the app has in two tenants
  ansible.builtin.debug:
    msg: "{{ looks | map(attribute='roles') }}"
  vars:
    looks: "{{ query('m365d.partner.m365d_token', 'fabrikam.example', 'northwind.example', result='all', fail_on='never') }}"
"""

RETURN = r"""
_raw:
  description: The token, the claims or the result for each tenant, in the order of the terms.
  type: list
  elements: raw
"""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleLookupError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display
from ansible_collections.m365d.partner.plugins.module_utils._argspec import (
    CREDENTIAL_OPTIONS,
    OPTIONS,
    environment_options,
    refused_secrets,
)
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import PartnerError
from ansible_collections.m365d.partner.plugins.module_utils._module import defect_of
from ansible_collections.m365d.partner.plugins.module_utils._ops._task import Outcome, Task
from ansible_collections.m365d.partner.plugins.module_utils._ops.token import OPERATION
from ansible_collections.m365d.partner.plugins.plugin_utils._options import plain, variable_value
from ansible_collections.m365d.partner.plugins.plugin_utils._run import run_directory

display = Display()

_CONCURRENCY = 8


class LookupModule(LookupBase):  # type: ignore[misc]
    """Gets tokens with the operation of the module `m365d_token`."""

    def run(self, terms: Sequence[Any], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        """Return a token, its claims or the checked result for each tenant.

        :raises AnsibleLookupError: for a foreseeable fault, with the sentence that the module would give.
        """
        try:
            options = self._collect_options(variables or {}, plain(kwargs))
        except PartnerError as error:
            raise AnsibleLookupError(str(error)) from None
        what = options.pop("result")
        tenants = [str(term) for term in plain(list(terms))] or [options.get("tenant_id")]
        if what != "all" and options["fail_on"] == "never":
            raise AnsibleLookupError(f"fail_on=never needs result=all: where a tenant refuses, there is no {what} to return.")
        validation = ArgumentSpecValidator({name: dict(spec) for name, spec in OPERATION.argument_spec.items()}).validate(options)
        if validation.error_messages:
            raise AnsibleLookupError(f"m365d_token: {validation.error_messages[0]}")
        params = {**validation.validated_parameters, "return_token": what == "token"}
        secrets = set(validation._no_log_values) - refused_secrets(params)
        with ThreadPoolExecutor(max_workers=min(_CONCURRENCY, len(tenants))) as pool:
            outcomes = pool.map(lambda tenant: _run_one({**params, "tenant_id": tenant}, secrets), tenants)
            return [_select(outcome, what) for outcome in outcomes]

    def _collect_options(self, variables: Mapping[str, Any], given: dict[str, Any]) -> dict[str, Any]:
        """Return the options that are set, from the term's arguments, variables, environment and ansible.cfg, in that order."""
        values = {
            option.variable: value
            for option in OPTIONS
            if (value := variable_value(option.variable, variables=variables, templar=self._templar)) is not None
        }
        self.set_options(var_options=values, direct=given)
        unknown = sorted(set(given) - set(self.get_options()))
        if unknown:
            raise AnsibleLookupError(f"m365d_token: unknown options: {', '.join(unknown)}.")
        options = {name: plain(value) for name, value in self.get_options().items() if value is not None and name != "_terms"}
        # Which credential of the environment counts depends on the other options, so those that Ansible took are taken back first.
        names = [option.name for option in CREDENTIAL_OPTIONS]
        for name in names:
            if name in options and self._origin(name, values, given).startswith("env"):
                del options[name]
        return {**environment_options(options, names, os.environ), **options}

    def _origin(self, name: str, values: Mapping[str, Any], given: Mapping[str, Any]) -> str:
        _value, origin = C.config.get_config_value_and_origin(
            name, plugin_type="lookup", plugin_name=self._load_name, variables=dict(values), direct=dict(given)
        )
        return str(origin)


def _run_one(params: Mapping[str, Any], secrets: set[str]) -> Outcome:
    """Run the operation for one tenant and translate what it raises."""
    task = Task(
        params=params,
        run_directory=run_directory(),
        warn=lambda message: display.warning(remove_values(message, secrets)),
        announce=display.display,
    )
    try:
        return OPERATION.run(task)
    except PartnerError as error:
        raise AnsibleLookupError(remove_values(str(error), secrets)) from None
    except Exception as exc:  # noqa: BLE001 - the one place that translates defects, see defect_of()
        defect = remove_values(defect_of(exc), secrets)
        display.vvv(defect["exception"])
        # Without its cause, whose text could hold a secret.
        raise AnsibleLookupError(defect["msg"]) from None


def _select(outcome: Outcome, what: str) -> Any:
    """Return the part of a result that was asked for."""
    result = outcome.result
    if outcome.failed:
        raise AnsibleLookupError(str(result["msg"]))
    if what == "all":
        return result
    return result["access_token" if what == "token" else "claims"]
