# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the emulated cloud in the foreground and say how to point a playbook at it.

    python tests/tools/run_emulator.py [--port N] [--scenario FILE] [--state-dir DIR]

Writes beside the emulator's own state: ``env.sh`` for single tasks in a shell, ``vars.yml`` for ``-e @…`` with an inventory of one's own,
and ``workspace``, a partner's working directory for the playbooks. No secret is in the two files: extra variables beat those of an
inventory, so a credential among them would be used for the customers too; the shell reads the bootstrap app's from ``endpoints.json``,
which only the user who started this can read. In the workspace it is vaulted, and belongs to the home tenant alone.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from demo_workspace import Workspace, make_workspace

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = ROOT / "tests" / "emulator" / "scenarios"


def shell_settings(endpoints: Mapping[str, Any], state_dir: Path) -> str:
    """A shell script that points the collection at the emulator."""
    read_secret = "import json, sys; print(json.load(open(sys.argv[1]))['bootstrap']['client_secret'])"
    reader = shlex.join([sys.executable, "-c", read_secret, str(state_dir / "endpoints.json")])
    values = {
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "collections"),
        "M365D_LOGIN_URL": endpoints["login_url"],
        "M365D_GRAPH_URL": endpoints["graph_url"],
        "M365D_DEFENDER_URL": endpoints["defender_url"],
        "M365D_CA_PATH": endpoints["ca_path"],
        "M365D_CLIENT_ID": endpoints["bootstrap"]["client_id"],
        # The home tenant is for the commands typed below; the collection never takes a tenant from the environment.
        "HOME_TENANT": endpoints["home_tenant_id"],
    }
    lines = [f"export {name}={shlex.quote(str(value))}" for name, value in values.items()]
    lines.append(f'M365D_CLIENT_SECRET="$({reader})" && export M365D_CLIENT_SECRET')
    lines.append(f"PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH")
    return "\n".join([f"# Source this:  . {shlex.quote(str(state_dir / 'env.sh'))}", *lines, ""])


def variable_settings(endpoints: Mapping[str, Any]) -> str:
    """Where the cloud is, as Ansible variables, without a credential; JSON is YAML, and needs no library to write."""
    values = {f"m365d_{name}": endpoints[name] for name in ("login_url", "graph_url", "defender_url", "ca_path")}
    return json.dumps(values, indent=2) + "\n"


def prepare_workspace(endpoints: Mapping[str, Any], state_dir: Path) -> Workspace:
    """Make the working directory for the playbooks; what a run against an earlier emulator wrote about its app is gone with that one."""
    workspace = make_workspace(state_dir / "workspace", endpoints, endpoints_file=state_dir / "endpoints.json")
    for stale in (workspace.secret_file, workspace.secret_file.with_name("m365d_app.yml")):
        stale.unlink(missing_ok=True)
    return workspace


def explain(endpoints: Mapping[str, Any], state_dir: Path) -> str:
    """What to type in another terminal."""
    customers = [tenant for tenant in endpoints.get("tenants", []) if tenant["tenant_id"] != endpoints["home_tenant_id"]]
    tenants = "\n".join(f"  {tenant['tenant_id']}  {tenant['domain']:<38} {tenant['display_name']}" for tenant in customers[:12])
    relative = os.path.relpath(state_dir)
    return f"""
The emulated Microsoft cloud is at {endpoints["login_url"]} (process {endpoints["pid"]}). Ctrl-C ends it.

home tenant         {endpoints["home_tenant_id"]}
its authority (CA)  {endpoints["ca_path"]}
bootstrap app       {endpoints["bootstrap"]["client_id"]}: may register apps in the home tenant and grant roles there
its secret          under "bootstrap" in {relative}/endpoints.json (readable by you alone), with each customer's administrator
customers
{tenants}

In another terminal, in this directory, a task as the bootstrap app:

  . {relative}/env.sh
  ansible localhost -m m365d.partner.m365d_token -a "tenant_id=$HOME_TENANT"

The playbooks, from the app to the incidents, with an inventory of these tenants (after the same env.sh):

  cd {relative}/workspace
  ansible-playbook m365d.partner.register_app
  ansible-playbook m365d.partner.onboard_tenants

An inventory of your own, with your own credentials; the file says only where the cloud is:

  ansible-playbook -i INVENTORY -e @{relative}/vars.yml YOUR-PLAYBOOK.yml
"""


def arguments_of() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Run the emulated Microsoft cloud.")
    parser.add_argument("--port", type=int, default=0, help="TCP port on localhost (default: any that is free)")
    parser.add_argument("--scenario", type=Path, default=SCENARIOS / "demo.yml", help="what the cloud holds (default: the demo's tenants)")
    parser.add_argument("--state-dir", type=Path, default=ROOT / "build" / "emulator", help="where it writes (default: build/emulator)")
    return parser.parse_args()


def main() -> int:
    """Command line entry: ends when the emulator does."""
    arguments = arguments_of()
    state_dir = arguments.state_dir.resolve()
    state_dir.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "emulator", "--port", str(arguments.port)]
    command += ["--scenario", str(arguments.scenario.resolve()), "--state-dir", str(state_dir)]
    # In a session of its own, so that Ctrl-C reaches this process alone, which then asks the server to end.
    process = subprocess.Popen(
        command, cwd=ROOT / "tests", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: process.terminate())
    assert process.stdout is not None
    ready = process.stdout.readline()
    if not ready:
        print(f"the emulator did not start; see above and {state_dir / 'emulator.log'}", file=sys.stderr)
        return process.wait() or 1
    endpoints = json.loads(ready)
    (state_dir / "env.sh").write_text(shell_settings(endpoints, state_dir), encoding="utf-8")
    (state_dir / "vars.yml").write_text(variable_settings(endpoints), encoding="utf-8")
    prepare_workspace(endpoints, state_dir)
    print(explain(endpoints, state_dir), flush=True)
    status = process.wait()
    # Being ended on request is the normal end of a server.
    return 0 if status in (0, -signal.SIGTERM, -signal.SIGINT) else status


if __name__ == "__main__":
    sys.exit(main())
