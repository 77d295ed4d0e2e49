# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From many hosts of an inventory to one fleet: what each host's variables say of its tenant.

Each host's variables are read once, and of them only those that count. Nothing is templated that is no template, so that the work
grows with the number of hosts and not with its square.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible.errors import AnsibleError
from ansible_collections.m365d.partner.plugins.module_utils._argspec import BY_NAME, VARIABLE_PREFIX, environment_options
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError, PartnerError
from ansible_collections.m365d.partner.plugins.module_utils._ops._fleet import CREDENTIAL_NAMES, ENTRY_OPTIONS, typed_entry
from ansible_collections.m365d.partner.plugins.module_utils._ops._session import requested_tenant
from ansible_collections.m365d.partner.plugins.plugin_utils._options import plain, variable_value

CREDENTIAL_VARIABLE = f"{VARIABLE_PREFIX}credential"


@dataclass
class HostFleet:
    """The tenants of hosts, as the options of a fleet.

    :param entries: the entries of `tenants`.
    :param credentials: the credentials that they name.
    :param tenants: host → its tenant, as it stands in `entries`.
    :param faults: host → why its tenant cannot be asked for.
    """

    entries: list[dict[str, Any]] = field(default_factory=list)
    credentials: list[dict[str, Any]] = field(default_factory=list)
    tenants: dict[str, str] = field(default_factory=dict)
    faults: dict[str, PartnerError] = field(default_factory=dict)


def fleet_of_hosts(
    hosts: Sequence[str], *, options: Mapping[str, Any], hostvars: Any, templar: Any, environ: Mapping[str, str]
) -> HostFleet:
    """Return the fleet of the hosts' tenants, each with what its variables say, as a task on the host would find them.

    :param options: the options of the task, which come before the variables of a host.
    :param hostvars: Ansible's variable of that name.
    """
    reader = _Reader(options=options, hostvars=hostvars, templar=templar, environ=environ)
    fleet = HostFleet(credentials=[dict(entry) for entry in options.get("credentials") or []])
    for host in dict.fromkeys(hosts):
        try:
            entry = reader.entry(host, fleet.credentials)
        except PartnerError as error:
            fleet.faults[host] = error
        except (AnsibleError, TypeError, ValueError) as exc:
            # A list where a text belongs, for example. One host must not cost the others their results.
            fleet.faults[host] = OptionError(f"A variable of the host {host} cannot be used: {exc}", next_step="Correct the variable.")
        else:
            fleet.tenants[host] = entry["tenant_id"]
            fleet.entries.append(entry)
    return fleet


class _Reader:
    """Reads the variables of hosts."""

    def __init__(self, *, options: Mapping[str, Any], hostvars: Any, templar: Any, environ: Mapping[str, str]) -> None:
        self._options = options
        self._hostvars = hostvars
        self._templar = templar
        self._environ = environ
        self._entry_names = [name for name in sorted(ENTRY_OPTIONS) if name not in options]
        self._credential_names = [name for name in CREDENTIAL_NAMES if name not in options]
        # What several hosts inherit from a group is one object: a vaulted secret is decrypted once.
        self._known: dict[int, tuple[Any, Any]] = {}
        self._named: dict[str, str] = {}

    def entry(self, host: str, credentials: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the entry of a host, and add its credential where it is a new one."""
        variables = self._hostvars.raw_get(host) if host in self._hostvars else None
        if not isinstance(variables, Mapping):
            raise OptionError(f"The inventory has no host {host}.", next_step="Correct hosts.")
        allowed = self._options.get("allowed_tenants")
        if allowed is None:
            allowed = self._value("m365d_allowed_tenants", variables)
        asked = {"tenant_id": self._value(BY_NAME["tenant_id"].variable, variables), "allowed_tenants": allowed}
        entry: dict[str, Any] = {"tenant_id": requested_tenant(asked)}
        entry.update(typed_entry(self._values(self._entry_names, variables), entry["tenant_id"]))
        name = self._value(CREDENTIAL_VARIABLE, variables)
        if name is not None:
            if name not in {known["name"] for known in credentials}:
                raise OptionError(
                    f"The host {host} asks for the credential '{name}', which is not among credentials.",
                    tenant_id=entry["tenant_id"],
                    next_step=f"Name it in credentials, or correct {CREDENTIAL_VARIABLE}.",
                )
            return {**entry, "credential": name}
        own = self._values(self._credential_names, variables)
        if own:
            entry["credential"] = self._name_of({**self._given_credential(), **own}, credentials)
        return entry

    def _given_credential(self) -> dict[str, Any]:
        return {name: self._options[name] for name in CREDENTIAL_NAMES if name in self._options}

    def _name_of(self, own: dict[str, Any], credentials: list[dict[str, Any]]) -> str:
        """Return the name of a credential that hosts hold in their variables; the same for the same one."""
        key = json.dumps(own, sort_keys=True, default=str)
        if key not in self._named:
            self._named[key] = f"of hosts, {len(self._named) + 1}"
            completed = {**environment_options(own, CREDENTIAL_NAMES, self._environ), **own}
            credentials.append({**completed, "name": self._named[key]})
        return self._named[key]

    def _values(self, names: Sequence[str], variables: Mapping[str, Any]) -> dict[str, Any]:
        found = {name: self._value(BY_NAME[name].variable, variables) for name in names if BY_NAME[name].variable in variables}
        return {name: value for name, value in found.items() if value is not None}

    def _value(self, name: str, variables: Mapping[str, Any]) -> Any:
        """Return the plain value of a host's variable, None where it is not set."""
        raw = variables.get(name)
        if raw is None:
            return None
        if isinstance(raw, str) and "{{" not in raw and "{%" not in raw:
            return plain(raw)
        if isinstance(raw, (str, list, dict)):
            return variable_value(name, variables=variables, templar=self._templar.copy_with_new_env(available_variables=variables))
        if id(raw) not in self._known:
            self._known[id(raw)] = (raw, variable_value(name, variables=variables, templar=self._templar))
        return self._known[id(raw)][1]
