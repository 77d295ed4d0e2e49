# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a read module once for the tenants of many hosts, inside Ansible's worker: only there the hosts' variables are known."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.utils.vars import merge_hash
from ansible_collections.m365d.partner.plugins.module_utils._argspec import BY_NAME, environment_options
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError, PartnerError
from ansible_collections.m365d.partner.plugins.module_utils._core.shards import without_sums
from ansible_collections.m365d.partner.plugins.module_utils._module import failure_of
from ansible_collections.m365d.partner.plugins.module_utils._ops import alerts, consent_info, hunting, incidents, tenant_info, token
from ansible_collections.m365d.partner.plugins.module_utils._ops._fleet import CREDENTIAL_NAMES, ENTRY_OPTIONS, shard_of, tolerated_of
from ansible_collections.m365d.partner.plugins.module_utils._ops._task import Operation
from ansible_collections.m365d.partner.plugins.plugin_utils._action import OperationAction
from ansible_collections.m365d.partner.plugins.plugin_utils._hosts import HostFleet, fleet_of_hosts
from ansible_collections.m365d.partner.plugins.plugin_utils._options import options_from_variables, plain

_OPERATIONS: Mapping[str, Operation] = {
    "m365d_alerts": alerts.OPERATION,
    "m365d_consent_info": consent_info.OPERATION,
    "m365d_hunting": hunting.OPERATION,
    "m365d_incidents": incidents.OPERATION,
    "m365d_tenant_info": tenant_info.OPERATION,
    "m365d_token": token.OPERATION,
}
ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "module": {"type": "str", "choices": sorted(_OPERATIONS), "required": True},
    "options": {"type": "dict", "default": {}},
    "hosts": {"type": "list", "elements": "str"},
}
# What the hosts say themselves, each for its own tenant.
_OF_HOSTS = frozenset({"tenant_id", "tenants", "allowed_tenants", *ENTRY_OPTIONS, *CREDENTIAL_NAMES})


class ActionModule(OperationAction):
    """The action plugin of m365d_fleet."""

    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the task and return its result, see `ActionBase.run()`."""
        result: dict[str, Any] = ActionBase.run(self, tmp, task_vars)
        with self._task_environment():
            try:
                outcome = self._run_for_hosts(task_vars or {})
            except PartnerError as error:
                outcome = failure_of(error, {})
        return merge_hash(result, outcome)

    def _run_for_hosts(self, variables: dict[str, Any]) -> dict[str, Any]:
        validation = ArgumentSpecValidator(ARGUMENT_SPEC).validate(plain(self._task.args))
        if validation.error_messages:
            raise OptionError(f"{validation.error_messages[0].rstrip('.')}.", next_step="Correct the option; ansible-doc describes it.")
        params = validation.validated_parameters
        self.operation = _OPERATIONS[params["module"]]
        options = params["options"]
        _check(options, self.operation, params["module"])
        names = [name for name in self.operation.argument_spec if name not in _OF_HOSTS]
        options = {**options_from_variables(names, given=options, variables=variables, templar=self._templar), **options}
        hosts = params["hosts"] if params["hosts"] is not None else plain(list(variables.get("ansible_play_batch") or []))
        max_failed = str(options.get("max_failed", "100%"))
        tolerated_of(max_failed, len(hosts))
        fleet = fleet_of_hosts(hosts, options=options, hostvars=variables["hostvars"], templar=self._templar, environ=os.environ)
        shard = shard_of(str(options["shard"]) if options.get("shard") else None)
        if shard is not None:
            # A host whose tenant cannot be told belongs to one part too, by its name.
            fleet.faults = {host: fault for host, fault in fleet.faults.items() if shard.holds(host)}
        # How many hosts may fail is decided below: a host without a tenant counts too.
        arguments = {**options, "tenants": fleet.entries, "credentials": fleet.credentials, "max_failed": "100%"}
        if fleet.faults and not fleet.entries:
            # An empty file would say that there is nothing.
            arguments.pop("dest", None)
        # The hosts that hold no credential use the task's own, which may be that of the environment.
        arguments = {**environment_options(arguments, CREDENTIAL_NAMES, os.environ), **arguments}
        read = self._run_here(arguments, variables)
        read.pop("invocation", None)
        return read if "tenants" not in read else _by_host(read, fleet, max_failed)


def _check(options: Mapping[str, Any], operation: Operation, module: str) -> None:
    """Refuse options that make no sense for the tenants of hosts.

    :raises OptionError: also where a secret would come back, since what comes back becomes facts.
    """
    unknown = sorted(set(options) - set(operation.argument_spec))
    if unknown:
        raise OptionError(f"{module} has no options {', '.join(unknown)}.", next_step=f"ansible-doc m365d.partner.{module} lists them.")
    named = sorted({"tenant_id", "tenants"} & set(options))
    if named:
        raise OptionError(
            f"options holds {' and '.join(named)}, but the tenants are those of the hosts.",
            next_step=f"Set {BY_NAME['tenant_id'].variable} for each host, and name the hosts in hosts.",
        )
    if options.get("return_tenants") not in (None, "all"):
        raise OptionError(
            "return_tenants leaves tenants out, but each host gets what became of its own.", next_step="Leave out return_tenants."
        )
    credentials = options.get("credentials") or []
    if not isinstance(credentials, list) or not all(isinstance(entry, Mapping) and entry.get("name") for entry in credentials):
        raise OptionError("credentials must be a list of dictionaries, each with a name.", next_step="Correct credentials.")
    if operation.returns_secret(options):
        raise OptionError(
            "With these options the module returns secrets, and the results of hosts become facts.",
            next_step="Leave out return_token; the lookup m365d_token gives a token where it is needed.",
        )


def _by_host(read: dict[str, Any], fleet: HostFleet, max_failed: str) -> dict[str, Any]:
    """Return the result of the fleet with an entry for each host in place of one for each tenant."""
    entries = {name: entry for entry in read.pop("tenants") for name in entry["requested"]}
    hosts: dict[str, dict[str, Any]] = {host: entries[tenant] for host, tenant in fleet.tenants.items() if tenant in entries}
    for host, error in fleet.faults.items():
        hosts[host] = {
            "tenant_id": error.tenant_id,
            "outcome": "unknown",
            "msg": str(error),
            "requested": [],
            "error": error.as_dict(),
            "consent_state": error.state,
        }
    outcomes = [entry["outcome"] for entry in hosts.values()]
    lacking = {host: entry for host, entry in hosts.items() if entry["outcome"] != "ok"}
    counts = {outcome: outcomes.count(outcome) for outcome in ("ok", "failed", "unknown")}
    summary = {"total": len(hosts), **counts, "seconds": read["summary"]["seconds"]}
    sums = without_sums(read) if hosts and not counts["ok"] else read
    result = {**sums, "hosts": hosts, "summary": summary, "complete": read["complete"] and not fleet.faults}
    if lacking:
        host, entry = next(iter(lacking.items()))
        result["msg"] = f"{len(lacking)} of {len(hosts)} hosts have no result. The first: {host}: {entry.get('msg')}"
    tolerated = tolerated_of(max_failed, len(hosts))
    if len(lacking) > tolerated:
        result["failed"] = True
        result["msg"] += f" That is more than max_failed allows ({tolerated})."
    return result
