# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a read operation as a lookup whose terms are tenants: one of them as the module would, several as a fleet."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from ansible import constants as C
from ansible.errors import AnsibleLookupError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display
from ansible_collections.m365d.partner.plugins.module_utils._argspec import (
    BY_NAME,
    CREDENTIAL_OPTIONS,
    OPTIONS,
    environment_options,
    refused_secrets,
    secrets_in,
)
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import PartnerError
from ansible_collections.m365d.partner.plugins.module_utils._module import defect_of
from ansible_collections.m365d.partner.plugins.module_utils._ops._task import Operation, Outcome, Task
from ansible_collections.m365d.partner.plugins.plugin_utils._action import progress_shown_by
from ansible_collections.m365d.partner.plugins.plugin_utils._options import plain, variable_value
from ansible_collections.m365d.partner.plugins.plugin_utils._run import run_directory

display = Display()

# What makes a fleet of one tenant: outcomes instead of a fault, or another part than the whole.
_FLEET_ALONE = ("max_failed", "shard", "fleet_deadline")


class OperationLookup(LookupBase):  # type: ignore[misc]
    """A lookup whose terms are tenants; a subclass names the operation and what it returns of a result.

    Its own options `result` (what to return of each tenant) and `form` (a list, or a dictionary by tenant) are not the operation's.
    """

    operation: ClassVar[Operation]

    def run(self, terms: Sequence[Any], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[Any]:
        """Return what was asked for of each tenant, in the order of the terms.

        :raises AnsibleLookupError: for a foreseeable fault, with the sentence that the module would give.
        """
        try:
            options = self._collect_options(variables or {}, plain(kwargs))
        except PartnerError as error:
            raise AnsibleLookupError(str(error)) from None
        what, form = options.pop("result"), options.pop("form")
        tenants = _tenants(terms, options)
        params, secrets = self._validated(self.adapted(options, what))
        is_single = len(tenants) == 1 and not isinstance(tenants[0], Mapping)
        if is_single and all(params[name] in (None, "0") for name in _FLEET_ALONE):
            outcome = self._run_once({**params, "tenant_id": tenants[0], "tenants": None}, secrets)
            if outcome.failed:
                raise AnsibleLookupError(str(outcome.result["msg"]))
            found = {_name(tenants[0]): self.selected(outcome.result, what)}
        else:
            found = self._read_fleet({**params, "tenant_id": None, "tenants": tenants}, what, secrets)
        if form == "dict":
            return [found]
        return [found[_name(tenant)] for tenant in tenants if _name(tenant) in found]

    def adapted(self, options: dict[str, Any], what: str) -> dict[str, Any]:
        """Return the options of the operation for what is to be returned; raise `AnsibleLookupError` where both contradict."""
        raise NotImplementedError

    def selected(self, result: Mapping[str, Any], what: str) -> Any:
        """Return the part of a tenant's result that was asked for."""
        raise NotImplementedError

    def _read_fleet(self, params: dict[str, Any], what: str, secrets: set[str]) -> dict[str, Any]:
        """Return what was asked for by tenant; nothing of one that was not read, unless all was asked for."""
        outcome = self._run_once(params, secrets)
        result = outcome.result
        if outcome.failed:
            raise AnsibleLookupError(remove_values(str(result["msg"]), secrets))
        if result["summary"]["ok"] < result["summary"]["total"]:
            display.warning(remove_values(f"{self._load_name}: {result['msg']}", secrets))
        entries = {name: entry for entry in result["tenants"] for name in entry["requested"]}
        found: dict[str, Any] = {}
        for tenant in params["tenants"]:
            entry = entries.get(_name(tenant).strip().lower())
            if entry is not None:
                found[_name(tenant)] = entry if what == "all" else self.selected(entry, what) if entry["outcome"] == "ok" else None
        return found

    def _collect_options(self, variables: Mapping[str, Any], given: dict[str, Any]) -> dict[str, Any]:
        """Return the options that are set, from the lookup's arguments, variables, environment and ansible.cfg, in that order."""
        values = {
            option.variable: value
            for option in OPTIONS
            if option.in_variables and (value := variable_value(option.variable, variables=variables, templar=self._templar)) is not None
        }
        _refuse_secrets_that_are_no_text({**values, **given}, self._load_name)
        self.set_options(var_options=values, direct=given)
        unknown = sorted(set(given) - set(self.get_options()) - self._aliases())
        if unknown:
            raise AnsibleLookupError(f"{self._load_name}: unknown options: {', '.join(unknown)}.")
        options = {name: plain(value) for name, value in self.get_options().items() if value is not None and name != "_terms"}
        # Which credential of the environment counts depends on the other options, so those that Ansible took are taken back first.
        names = [option.name for option in CREDENTIAL_OPTIONS]
        for name in names:
            if name in options and self._origin(name, values, given).startswith("env"):
                del options[name]
        return {**environment_options(options, names, os.environ), **options}

    def _aliases(self) -> set[str]:
        definitions = C.config.get_configuration_definitions("lookup", self._load_name)
        return {alias for definition in definitions.values() for alias in definition.get("aliases") or ()}

    def _origin(self, name: str, values: Mapping[str, Any], given: Mapping[str, Any]) -> str:
        _value, origin = C.config.get_config_value_and_origin(
            name, plugin_type="lookup", plugin_name=self._load_name, variables=dict(values), direct=dict(given)
        )
        return str(origin)

    def _validated(self, options: Mapping[str, Any]) -> tuple[dict[str, Any], set[str]]:
        """Return the validated options and the values that must never be shown."""
        spec = {name: dict(entry) for name, entry in self.operation.argument_spec.items()}
        validator = ArgumentSpecValidator(spec, mutually_exclusive=[list(names) for names in self.operation.mutually_exclusive])
        validation = validator.validate(dict(options))
        params = validation.validated_parameters
        secrets = (set(validation._no_log_values) | secrets_in(params)) - refused_secrets(params)
        if validation.error_messages:
            raise AnsibleLookupError(remove_values(f"{self._load_name}: {validation.error_messages[0]}", secrets))
        return params, secrets

    def _run_once(self, params: Mapping[str, Any], secrets: set[str]) -> Outcome:
        """Run the operation and translate what it raises."""
        task = Task(
            params=params,
            run_directory=run_directory(),
            warn=lambda message: display.warning(remove_values(message, secrets)),
            announce=display.display,
            notify=progress_shown_by(display),
        )
        try:
            return self.operation.run(task)
        except PartnerError as error:
            raise AnsibleLookupError(remove_values(str(error), secrets)) from None
        except Exception as exc:  # noqa: BLE001 - the one place that translates defects, see defect_of()
            defect = remove_values(defect_of(exc), secrets)
            display.vvv(defect["exception"])
            # Without its cause, whose text could hold a secret.
            raise AnsibleLookupError(defect["msg"]) from None


def _refuse_secrets_that_are_no_text(given: Mapping[str, Any], lookup: str) -> None:
    """Refuse what Ansible would refuse by showing it."""
    for option in OPTIONS:
        if option.no_log and isinstance(given.get(option.name, given.get(option.variable)), (list, dict)):
            raise AnsibleLookupError(f"{lookup}: {option.name} must be a text. Next step: Check the variable that it comes from.")


def _tenants(terms: Sequence[Any], options: dict[str, Any]) -> list[Any]:
    """Return the tenants that the terms name, lists among them taken apart.

    Without any term, `tenants` or the host's own tenant is meant; a list that came out empty means no tenant.
    """
    named = options.pop("tenants", None)
    if not terms:
        return list(named) if named is not None else [options.get(BY_NAME["tenant_id"].name)]
    flat: list[Any] = []
    for term in plain(list(terms)):
        flat.extend(term if isinstance(term, list) else [term])
    return [tenant if isinstance(tenant, Mapping) else str(tenant) for tenant in flat]


def _name(tenant: Any) -> str:
    """Return a tenant as it was named."""
    return str(tenant.get("tenant_id")) if isinstance(tenant, Mapping) else str(tenant)
