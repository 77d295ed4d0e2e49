# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drives real runs of Ansible in a home of their own, and the emulator that they talk to.

`M365D_TEST_ANSIBLE` names the directory of another Ansible's commands (`…/bin`), to run the same tests on another ansible-core.
"""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible_collections.m365d
import yaml

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent
SCENARIO = HERE / "scenario.yml"
# Where the collection under test is found, and the one with the probe.
COLLECTIONS = (Path(next(iter(ansible_collections.m365d.__path__))).parents[1], HERE / "collections")
ANSIBLE = Path(os.environ.get("M365D_TEST_ANSIBLE") or Path(sys.executable).parent)
RUN_SECONDS = 180

HOME = "11111111-1111-4111-8111-000000000001"
FABRIKAM = "11111111-1111-4111-8111-000000000002"
NORTHWIND = "11111111-1111-4111-8111-000000000003"
TAILSPIN = "11111111-1111-4111-8111-000000000004"
WINGTIP = "11111111-1111-4111-8111-000000000005"
CLIENT_ID = "33333333-3333-4333-8333-000000000001"

# Commands by which Ansible would log in to a machine.
_LOGINS = ("ssh", "scp", "sftp")


@dataclass(frozen=True)
class Emulator:
    """The emulated Microsoft cloud, as a process of its own.

    :param endpoints: what it said about itself when it was ready.
    """

    endpoints: Mapping[str, Any]
    process: subprocess.Popen[str]

    @classmethod
    def start(cls, state: Path, scenario: Path = SCENARIO) -> Emulator:
        """Start it and wait until it accepts connections."""
        command = [sys.executable, "-m", "emulator", "--port", "0", "--scenario", str(scenario), "--state-dir", str(state)]
        with (state.parent / "emulator-stderr.log").open("w", encoding="utf-8") as errors:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=TESTS, env={**os.environ, "PYTHONPATH": str(TESTS)}
            )
        assert process.stdout is not None
        return cls(json.loads(process.stdout.readline()), process)

    def stop(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=15)
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def client_secret(self) -> str:
        """The secret of the prepared app."""
        return str(self.endpoints["apps"][0]["client_secret"])

    @property
    def connection(self) -> dict[str, str]:
        """The connection options as variables of an inventory."""
        return {f"m365d_{name}": str(self.endpoints[name]) for name in ("login_url", "graph_url", "defender_url", "ca_path")}

    @property
    def reader(self) -> dict[str, str]:
        """The connection and the prepared app's credential as variables of an inventory."""
        return {**self.connection, "m365d_client_id": CLIENT_ID, "m365d_client_secret": self.client_secret}

    def admin(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Call the admin API and return its answer."""
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(  # noqa: S310 - the emulator's own https URL
            f"{self.endpoints['admin_url']}{path}", data=data, method=method, headers={"Content-Type": "application/json"}
        )
        trust = ssl.create_default_context(cafile=self.endpoints["ca_path"])
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust))
        with opener.open(request, timeout=10) as answer:
            return json.load(answer)

    def forget_requests(self) -> None:
        """Empty the request log."""
        self.admin("DELETE", "/requests")

    def requests(self, **wanted: str) -> list[dict[str, Any]]:
        """Return the logged requests whose members equal `wanted`, see the emulator's `/requests`."""
        found: list[dict[str, Any]] = self.admin("GET", f"/requests?{urllib.parse.urlencode(wanted)}")["requests"]
        return found

    def token_requests(self) -> int:
        """Return how many requests the token endpoint has had."""
        return len(self.requests(operation="token"))


@dataclass(frozen=True)
class Run:
    """One run of Ansible that has ended.

    :param status: its exit status.
    :param process: the id that its process had.
    :param output: what it wrote to the terminal.
    :param log: what it wrote to its log file.
    :param events: what callbacks were handed, in order.
    :param logins: the command lines of attempts to log in to a machine.
    """

    status: int
    process: int
    output: str
    log: str
    events: Sequence[Mapping[str, Any]]
    logins: Sequence[str]
    home: Path = field(repr=False)

    def results(self, task: str, *, event: str = "") -> list[dict[str, Any]]:
        """Return what callbacks were handed for a task, by all hosts."""
        found = (entry for entry in self.events if entry["task"] == task and (not event or entry["event"] == event))
        return [dict(entry["result"]) for entry in found]

    def result(self, task: str, *, host: str = "", event: str = "") -> dict[str, Any]:
        """Return the one result of a task."""
        found = [
            dict(entry["result"])
            for entry in self.events
            if entry["task"] == task and (not host or entry["host"] == host) and (not event or entry["event"] == event)
        ]
        assert len(found) == 1, f"{task}: {len(found)} results\n{self.output}"
        return found[0]

    def everything_shown(self) -> str:
        """Return all that the run made visible: terminal, log file, callbacks."""
        return "\n".join((self.output, self.log, json.dumps(list(self.events))))

    def files_left(self) -> Iterable[tuple[Path, bytes]]:
        """Yield the files that the run left in its home."""
        for path in sorted(self.home.rglob("*")):
            if path.is_file():
                yield path, path.read_bytes()


@dataclass
class Ansible:
    """Runs Ansible's commands below one directory, with nothing of the user's own configuration.

    :param environment: environment variables of all runs, on top of the basic ones.
    """

    directory: Path
    environment: dict[str, str] = field(default_factory=dict)
    count: int = 0

    def __post_init__(self) -> None:
        self.home = self.directory / "home"
        self.home.mkdir()
        (self.directory / "ansible.cfg").write_text("[defaults]\n", encoding="utf-8")
        self.commands = self.directory / "commands"
        self.commands.mkdir()
        for name in _LOGINS:
            command = self.commands / name
            command.write_text(f'#!/bin/sh\necho "$0 $*" >> "{self.directory}/logins"\nexit 255\n', encoding="utf-8")
            command.chmod(0o755)

    def inventory(self, hosts: Mapping[str, Mapping[str, Any]], variables: Mapping[str, Any]) -> Path:
        """Write an inventory with the group `customers` and return its path."""
        path = self.directory / "inventory.yml"
        content = {"customers": {"hosts": {name: dict(values) for name, values in hosts.items()}, "vars": dict(variables)}}
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return path

    def playbook(self, text: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Run:
        """Run a playbook given as text."""
        path = self.directory / "playbook.yml"
        path.write_text(text, encoding="utf-8")
        return self._run("ansible-playbook", "-i", str(self.directory / "inventory.yml"), str(path), *arguments, environment=environment)

    def adhoc(self, pattern: str, module: str, options: str = "", *arguments: str, environment: Mapping[str, str] | None = None) -> Run:
        """Run one task by the command `ansible`."""
        inventory = str(self.directory / "inventory.yml")
        return self._run("ansible", "-i", inventory, pattern, "-m", module, "-a", options, *arguments, environment=environment)

    def vault_string(self, text: str, password: Path) -> list[str]:
        """Return the lines of a text encrypted by Ansible Vault, header first."""
        environment = self.environment_of(self.directory / "vault-log", self.directory / "vault-record", {})
        done = subprocess.run(
            [str(ANSIBLE / "ansible-vault"), "encrypt", "--vault-password-file", str(password), "--output", "-", "-"],
            env=environment,
            input=text,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=True,
        )
        return done.stdout.splitlines()

    def environment_of(self, log: Path, record: Path, more: Mapping[str, str]) -> dict[str, str]:
        """Return the whole environment of a run."""
        return {
            "HOME": str(self.home),
            "PATH": f"{self.commands}:{ANSIBLE}:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            "ANSIBLE_COLLECTIONS_PATH": ":".join(str(path) for path in COLLECTIONS),
            "ANSIBLE_CALLBACKS_ENABLED": "contoso.probe.record",
            "ANSIBLE_CONFIG": str(self.directory / "ansible.cfg"),
            "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
            "ANSIBLE_LOG_PATH": str(log),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_RETRY_FILES_ENABLED": "0",
            "PROBE_RECORD": str(record),
            **self.environment,
            **more,
        }

    def _run(self, command: str, *arguments: str, environment: Mapping[str, str] | None) -> Run:
        self.count += 1
        log, record = (self.directory / f"{name}-{self.count}" for name in ("log", "record"))
        logins = self.directory / "logins"
        logins.unlink(missing_ok=True)
        with subprocess.Popen(
            [str(ANSIBLE / command), *arguments],
            env=self.environment_of(log, record, environment or {}),
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            output, _nothing = process.communicate(timeout=RUN_SECONDS)
        return Run(
            status=process.returncode,
            process=process.pid,
            output=output,
            log=log.read_text(encoding="utf-8") if log.exists() else "",
            events=[json.loads(line) for line in record.read_text(encoding="utf-8").splitlines()] if record.exists() else [],
            logins=logins.read_text(encoding="utf-8").splitlines() if logins.exists() else [],
            home=self.home,
        )
