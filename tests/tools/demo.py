# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole partner journey against the emulated Microsoft cloud; what ``make demo`` runs.

    python tests/tools/demo.py [--directory DIR]

Leaves ``build/demo/`` with ``demo.log`` (all runs at ``-vvv``), ``report.html`` and ``results.json``, and ends with a status other than 0
when anything that the demo promises does not hold.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from demo_emulator import EmulatorError, emulator, stop
from demo_output import Progress, changed_tasks, recap
from demo_workspace import Workspace, ansible_environment, files_under, host_name, leaks, make_workspace
from environments import COLLECTIONS, ROOT, link_collection

HOME = ROOT / "build" / "demo"
SCENARIO = ROOT / "tests" / "emulator" / "scenarios" / "demo.yml"
RUN_SECONDS = 420
# What the demo's customers come to, by what they do.
EXPECTED_STATES: Mapping[str, str] = {
    "wingtip": "not_consented",
    "proseware": "missing_roles",
    "northwind": "disabled",
    "alpine_ski_house": "not_licensed",
}


class DemoError(Exception):
    """The demo cannot go on, or does not show what it promises."""


@contextlib.contextmanager
def exclusive(root: Path) -> Iterator[None]:
    """Hold the directory for this demo alone.

    :raises DemoError: when another demo holds it.
    """
    root.parent.mkdir(parents=True, exist_ok=True)
    with root.with_name(f"{root.name}.lock").open("w", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise DemoError(f"another demo is running in {shown(root)}; wait for it, or choose another place with --directory") from exc
        yield


def shown(path: Path) -> str:
    """The path as a person in the checkout would type it."""
    return os.path.relpath(path, ROOT) if path.is_relative_to(ROOT) else str(path)


class Runner:
    """Runs Ansible's commands in the workspace: everything into the log, a line for each task on the terminal."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.log = workspace.root / "demo.log"
        self.environment = ansible_environment(workspace.root, COLLECTIONS)

    def run(self, title: str, program: str, *arguments: str, allowed: Iterable[int] = (0,), quiet: bool = False) -> str:
        """Run a command and return its output.

        :param allowed: exit codes that are as they should be.
        :param quiet: show the title alone.
        :raises DemoError: for another exit code, or when it takes too long.
        """
        command = [str(Path(sys.executable).parent / program), *arguments, "-vvv"]
        typed = f"$ {program} {' '.join(arguments)}"
        print(f"\n\033[1m{title}\033[0m\n{typed}" if sys.stdout.isatty() else f"\n{title}\n{typed}", flush=True)
        progress = Progress(quiet=quiet)
        lines: list[str] = []
        limit = time.monotonic() + RUN_SECONDS
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"\n{typed}\n")
            process = subprocess.Popen(
                command,
                cwd=self.workspace.root,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    log.write(line)
                    lines.append(line)
                    progress.feed(line)
                    if time.monotonic() > limit:
                        raise DemoError(f"{typed} takes longer than {RUN_SECONDS} s")
                code = process.wait(timeout=30)
            finally:
                if process.poll() is None:
                    stop(process)
        progress.close()
        if code not in allowed:
            raise DemoError(f"{typed} ended with {code}; see {shown(self.log)}")
        return "".join(lines)


def journey(workspace: Workspace) -> None:
    """Do everything, and check what is promised."""
    runner = Runner(workspace)
    predicted = runner.run(
        "What the registration would do (--check --diff)", "ansible-playbook", "m365d.partner.register_app", "--check", "--diff", quiet=True
    )
    reports = ["-e", f"incident_report_directory={workspace.root}"]
    done = runner.run("The partner journey", "ansible-playbook", "m365d.partner.demo", *reports)
    check_prediction(predicted, done)
    check_results(workspace)
    adhoc = runner.run(
        "One command for all customers, with what the inventory holds now",
        "ansible",
        "customers",
        "-m",
        "m365d.partner.m365d_incidents",
        "-a",
        "status=active",
        allowed=(0, 2),
        quiet=True,
    )
    check_adhoc(workspace, adhoc)
    for title, playbook in (("register_app", "register_app"), ("onboard_tenants", "onboard_tenants")):
        output = runner.run(f"A second time: {title}", "ansible-playbook", f"m365d.partner.{playbook}", quiet=True)
        changes = {host: counts["changed"] for host, counts in recap(output).items() if counts["changed"]}
        if changes:
            raise DemoError(f"a second run of {playbook} changed something: {changes}")
        print("  changed=0", flush=True)


def check_prediction(predicted: str, done: str) -> None:
    """The tasks that check mode said would change something are those that did."""
    role = "app_registration"
    before, after = changed_tasks(predicted, role), changed_tasks(done, role)
    if before != after:
        raise DemoError(f"check mode predicted {sorted(before)}, the run changed {sorted(after)}")
    print(f"\n  --check had predicted all {len(after)} changes of the registration", flush=True)


def check_results(workspace: Workspace) -> None:
    """Every customer has the state that its behaviour leads to; no tenant that was not read counts as zero."""
    results = {entry["tenant_id"]: entry for entry in read_results(workspace)}
    for tenant in workspace.customers():
        entry = results.get(tenant["tenant_id"])
        name = host_name(tenant)
        expected = EXPECTED_STATES.get(name, "ready")
        if entry is None or entry["consent_state"] != expected:
            raise DemoError(f"{tenant['display_name']} should be {expected} and is {entry and entry['consent_state']}")
        known = entry["incidents_by_severity"] is not None
        if known is not (expected == "ready") or not (known or entry["reason"]):
            raise DemoError(
                f"{tenant['display_name']} is {expected}, and its incidents are {'known' if known else 'unknown without a reason'}"
            )


def check_adhoc(workspace: Workspace, output: str) -> None:
    """The command read each customer that is ready, and failed with a sentence for each that is not."""
    for tenant in workspace.customers():
        ready = host_name(tenant) not in EXPECTED_STATES
        found = re.search(rf"^{host_name(tenant)} \| (\w+)", output, re.MULTILINE)
        outcome = found.group(1).rstrip("!") if found else "nothing"
        if (outcome == "SUCCESS") is not ready:
            raise DemoError(f"the ad-hoc command said {outcome} for {tenant['display_name']}")
        print(f"  {host_name(tenant)} | {outcome}", flush=True)


def read_results(workspace: Workspace) -> list[dict[str, Any]]:
    """The rows of `results.json`, the most urgent first."""
    rows: list[dict[str, Any]] = json.loads((workspace.root / "results.json").read_text(encoding="utf-8"))
    return rows


def show_table(workspace: Workspace) -> None:
    """Print the closing table, made from what `results.json` holds."""
    sys.path.insert(0, str(COLLECTIONS))
    from ansible_collections.m365d.partner.plugins.filter.text_table import text_table

    rows = []
    for entry in read_results(workspace):
        counts = entry["incidents_by_severity"]
        text = "unknown" if counts is None else ", ".join(f"{number} {severity}" for severity, number in counts.items() if number) or "none"
        rows.append(
            [entry["tenant_name"], entry["consent_state"], [role.partition("/")[2] for role in entry["roles"]], text, entry["next_step"]]
        )
    print("\n" + text_table(rows, heads=["Tenant", "Consent state", "Roles", "Incidents by severity", "Next step"], width=46))


def check_leaks(workspace: Workspace, state: Path) -> None:
    """Nothing that the demo wrote holds a secret or a token, except the files that are there to keep one."""
    private = [state / "endpoints.json", workspace.root / "vault-password"]
    found = leaks(workspace, files_under(workspace.root, private=private))
    if found:
        raise DemoError("secrets where none may be: " + "; ".join(found))
    print(f"\nNo secret and no token in {shown(workspace.root / 'demo.log')}, which holds all runs at -vvv.")


def demonstrate(root: Path) -> None:
    """Run the demo in `root`, which is made anew."""
    if root.exists() and root != HOME and any(root.iterdir()) and not (root / "demo.log").exists():
        raise DemoError(f"{root} is not empty and not from a demo")
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    (root / "demo.log").touch()
    state = root / "emulator"
    with emulator(SCENARIO, state) as endpoints:
        workspace = make_workspace(root, endpoints, endpoints_file=state / "endpoints.json")
        print(f"The emulated Microsoft cloud is at {endpoints['login_url']}.", flush=True)
        journey(workspace)
    show_table(workspace)
    check_leaks(workspace, state)


def main() -> int:
    """Run the demo; return 1 when something that it promises does not hold."""
    parser = argparse.ArgumentParser(description="The whole partner journey against the emulated Microsoft cloud.")
    parser.add_argument("--directory", type=Path, default=HOME, help="where to work; it is emptied first (default: build/demo)")
    root = parser.parse_args().directory.resolve()
    started = time.monotonic()
    link_collection()
    try:
        with exclusive(root):
            demonstrate(root)
    except (DemoError, EmulatorError) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    for name in ("demo.log", "report.html", "results.json"):
        print(f"  {shown(root / name)}")
    print(f"Done in {time.monotonic() - started:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
