# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the documentation fragments of the shared options from their one table, or tell whether they drifted from it.

    python tests/tools/update_doc_fragments.py            writes plugins/doc_fragments/{connection,tenant,auth,api}.py
    python tests/tools/update_doc_fragments.py --check    writes nothing; exit status 1 when a file would change

Each fragment has two parts: `m365d.partner.auth` for modules, and `m365d.partner.auth.plugin` for plugins that take their
options from the environment, from ansible.cfg and from variables through Ansible's own configuration (lookups, inventory).
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FRAGMENTS = ROOT / "plugins" / "doc_fragments"

try:
    from ansible_collections.m365d.partner.plugins.module_utils._argspec import GROUPS, INI_SECTION, OPTIONS, Option
except ImportError:
    sys.path.insert(0, str(ROOT / "build" / "collections"))
    from ansible_collections.m365d.partner.plugins.module_utils._argspec import GROUPS, INI_SECTION, OPTIONS, Option

HEADER = '''\
# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Written by tests/tools/update_doc_fragments.py from plugins/module_utils/_argspec.py; edit that file instead.

"""Documentation of the shared options: {group}."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of the group {group}, for modules and for plugins."""
'''

# What a group says beside its options.
_BESIDE: Mapping[str, Mapping[str, Any]] = {
    "connection": {
        "requirements": ["python >= 3.10", "requests", "msal", "PyJWT[crypto]"],
        "notes": [
            "A tenant is not a machine. Where nobody chose a connection for its host (by C(ansible_connection), C(ansible_host), the"
            " keyword C(connection) or delegation), the work is done on the controller and no host is logged in to. The result of a"
            " background job (C(async) with C(poll=0)) of such a host is fetched with C(delegate_to=localhost).",
            "Each shared option can be set for a host or group as a variable with the prefix C(m365d_), for example C(m365d_client_id), and"
            " most of them as an environment variable with the prefix E(M365D_). The order is: task, C(module_defaults), variable,"
            " E(M365D_), the variables of the Azure SDKs (E(AZURE_CLIENT_ID) and its kin), default.",
            "On the controller the module runs inside Ansible's own process. Set the variable C(m365d_in_process) to V(false), or"
            " E(M365D_IN_PROCESS) to V(0), to have it run as an ordinary module.",
        ],
    },
    "fleet": {
        "requirements": ["pyrate-limiter >= 4, where O(tenants) is given"],
    },
}


class _Dumper(yaml.SafeDumper):
    """Indents lists below their key, as the documentation of Ansible plugins does."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def option_documentation(option: Option, *, for_plugin: bool) -> dict[str, Any]:
    """Return what Ansible's documentation says of one option."""
    documentation: dict[str, Any] = {"description": list(option.description), "type": option.type}
    if option.elements:
        documentation["elements"] = option.elements
    if option.choices:
        documentation["choices"] = list(option.choices)
    if option.default is not None:
        documentation["default"] = option.default
    if option.required:
        documentation["required"] = True
    if option.suboptions:
        documentation["suboptions"] = {entry.name: option_documentation(entry, for_plugin=False) for entry in option.suboptions}
    if not for_plugin:
        return documentation
    if option.env:
        documentation["env"] = [{"name": name} for name in option.env]
    # A secret does not belong into a configuration file that is readable by all; a tenant is never a default.
    if option.in_environment and not option.no_log:
        documentation["ini"] = [{"section": INI_SECTION, "key": option.name}]
    if option.in_variables:
        documentation["vars"] = [{"name": option.variable}]
    return documentation


def group_documentation(group: str, *, for_plugin: bool) -> dict[str, Any]:
    """Return the documentation of one group of options."""
    options = {option.name: option_documentation(option, for_plugin=for_plugin) for option in OPTIONS if option.group == group}
    beside = dict(_BESIDE.get(group, {}))
    if for_plugin:
        beside.pop("notes", None)
    return {"options": options, **beside}


def fragment(group: str) -> str:
    """Return the text of the documentation fragment of one group."""
    text = HEADER.format(group=group)
    for name, for_plugin in (("DOCUMENTATION", False), ("PLUGIN", True)):
        content = yaml.dump(
            group_documentation(group, for_plugin=for_plugin), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120, indent=2
        )
        # Raw only where it must be: YAML's own escapes do not occur in these texts.
        text += f'\n    {name} = r"""\n{content}"""\n'
    return text


def main() -> int:
    """Write or check the fragments; return the exit status."""
    parser = argparse.ArgumentParser(description="Write the documentation fragments of the shared options.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when a fragment drifted from the table")
    arguments = parser.parse_args()
    drifted = False
    for group in GROUPS:
        path = FRAGMENTS / f"{group}.py"
        wanted = fragment(group)
        present = path.read_text(encoding="utf-8") if path.exists() else ""
        if wanted == present:
            continue
        drifted = True
        if arguments.check:
            sys.stdout.writelines(
                difflib.unified_diff(
                    present.splitlines(keepends=True), wanted.splitlines(keepends=True), str(path.name), "the table of options"
                )
            )
        else:
            path.write_text(wanted, encoding="utf-8")
    if arguments.check and drifted:
        print("The documentation fragments drifted from plugins/module_utils/_argspec.py: run python tests/tools/update_doc_fragments.py")
    return int(arguments.check and drifted)


if __name__ == "__main__":
    sys.exit(main())
