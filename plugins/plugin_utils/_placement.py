# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a task runs: a tenant is not a machine, so nothing is ever logged in to unless somebody chose a connection.

Ansible's default connection is SSH to the name of the host. For a host that stands for a tenant that name leads nowhere,
or worse, somewhere; what is done for it is done on the controller.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible import constants as C

# Variables by which an inventory says that a host is a machine that is reached somehow.
_MACHINE_VARIABLES = ("ansible_connection", "ansible_host", "ansible_ssh_host")


def is_local(connection: Any) -> bool:
    """Tell whether a connection plugin is Ansible's local one."""
    return bool(connection.transport == "local")


def connection_chosen(*, task: Any, connection: Any, variables: Mapping[str, Any]) -> bool:
    """Tell whether somebody chose how the task's host is reached: by variable, by keyword, by `-c`, or by delegating to it.

    Before a task runs, Ansible adds the connection that it would use to the variables, so they tell only what differs from
    the default; for the rest, what the user wrote is read. A `-c ssh` that repeats the default cannot be told from it.
    """
    default = _short_name(C.DEFAULT_TRANSPORT)
    if task.delegate_to or {_short_name(task.connection), _short_name(connection.transport)} != {default}:
        return True
    if any("connection" in written for written in _written_around(task)):
        return True
    return any(name in source for source in _variable_sources(task, variables) for name in _MACHINE_VARIABLES)


def _short_name(connection: str) -> str:
    """Return the name of a connection plugin of ansible-core in one form; `smart` has meant `ssh` since 2.13."""
    name = connection.removeprefix("ansible.builtin.").removeprefix("ansible.legacy.")
    return "ssh" if name == "smart" else name


def _lineage(task: Any) -> Iterator[Any]:
    """Yield the task, the blocks and includes around it, and the play."""
    item, play = task, None
    while item is not None:
        yield item
        play = getattr(item, "_play", None) or play
        item = getattr(item, "_parent", None)
    if play is not None:
        yield play


def _written_around(task: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the keywords that the user wrote for the task and for everything around it."""
    for item in _lineage(task):
        written = getattr(item, "_ds", None)
        if isinstance(written, Mapping):
            yield written


def _variable_sources(task: Any, variables: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield variables as they were before Ansible added its own: those of the play, task and role, then of the host."""
    for item in _lineage(task):
        yield item.get_vars()
    if task._role is not None:
        yield task._role.get_vars()
    host = variables["hostvars"].raw_get(variables["inventory_hostname"])
    yield host if isinstance(host, Mapping) else {}


def local_connection(*, loader: Any, play_context: Any, become: Any, variables: Mapping[str, Any], templar: Any) -> Any:
    """Return a local connection in the place of one that nobody chose, with the options that the variables give it.

    :param loader: Ansible's loader of connection plugins.
    :param become: the become plugin of the connection that is replaced, or None.
    """
    # ansible-core 2.16 wants a standard input here, later ones ignore it; the local connection does not read it.
    connection = loader.get("local", play_context, None)
    connection.set_options(var_options=_option_variables("connection", "local", variables, templar))
    shell = connection._shell
    shell.set_options(var_options=_option_variables("shell", shell._load_name, variables, templar))
    connection.set_become_plugin(become)
    return connection


def _option_variables(kind: str, name: str, variables: Mapping[str, Any], templar: Any) -> dict[str, Any]:
    return {variable: templar.template(variables[variable]) for variable in C.config.get_plugin_vars(kind, name) if variable in variables}


def with_own_python(variables: Mapping[str, Any], *, delegate_to: str | None) -> dict[str, Any]:
    """Return the variables such that a real module on the controller is run by the Python that runs Ansible.

    The libraries of this collection are installed for that one; an interpreter that the user names is respected.
    """
    name = "ansible_python_interpreter"
    configured, origin = C.config.get_config_value_and_origin("INTERPRETER_PYTHON")
    chosen = origin != "default" and not str(configured).startswith("auto")
    result = dict(variables)
    own = variables.get("ansible_playbook_python")
    if chosen or not own:
        return result
    delegated = variables.get("ansible_delegated_vars", {})
    if delegate_to and delegate_to in delegated:
        result["ansible_delegated_vars"] = {**delegated, delegate_to: {name: own, **delegated[delegate_to]}}
    elif name not in result:
        result[name] = own
    return result
