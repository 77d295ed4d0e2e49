# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A synchronisation as a user sets it up: inventory, fact cache, sinks; and the hostile play with the role as its reader."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from integration.harness import FABRIKAM, NORTHWIND, Ansible, Emulator, Run
from integration.hostile import Play, Reading
from integration.receiver import AUTHORIZATION, Receiver

_HOSTS = {"fabrikam": FABRIKAM, "northwind": NORTHWIND}
ROLE = "m365d.partner.incident_sync : "
_PLAYBOOK = json.dumps([{"import_playbook": "m365d.partner.sync_incidents"}])
# The worker that runs this is a child of the run's main process.
_KILL = "kill -9 $(awk '{print $4}' /proc/$PPID/stat)"


class Synchronisation:
    """Runs the playbook, one process after the other, with a fact cache of files.

    :param options: the options of the role, as extra variables.
    """

    def __init__(self, ansible: Ansible, emulator: Emulator, *, hosts: list[str] | None = None) -> None:
        self.ansible = ansible
        self.emulator = emulator
        self.hosts: dict[str, dict[str, Any]] = {name: {"m365d_tenant_id": _HOSTS[name]} for name in hosts or _HOSTS}
        self.out, self.records, self.facts, self.temporary = (ansible.directory / name for name in ("out", "records", "facts", "temporary"))
        for directory in (self.out, self.records, self.facts, self.temporary):
            directory.mkdir()
        self.file = self.out / "incidents.ndjson"
        self.options: dict[str, Any] = {
            "incident_sync_file": str(self.file),
            "incident_sync_directory": str(self.records),
            "incident_sync_max_age": "3650d",
        }
        ansible.environment.update(
            ANSIBLE_CACHE_PLUGIN="jsonfile",
            ANSIBLE_CACHE_PLUGIN_CONNECTION=str(self.facts),
            ANSIBLE_CACHE_PLUGIN_TIMEOUT="0",
            TMPDIR=str(self.temporary),
        )

    def run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> Run:
        """Run the playbook once."""
        self.ansible.inventory(self.hosts, {**self.emulator.reader, "m365d_deadline": 8})
        variables = self.ansible.directory / "options.json"
        variables.write_text(json.dumps(self.options), encoding="utf-8")
        return self.ansible.playbook(_PLAYBOOK, "-e", f"@{variables}", *arguments, environment=environment)

    def post_to(self, receiver: Receiver) -> None:
        """Deliver to a webhook too."""
        self.options.update(
            incident_sync_webhook_url=receiver.url,
            incident_sync_webhook_authorization=AUTHORIZATION,
            incident_sync_webhook_ca_path=receiver.ca_path,
        )

    def killer(self) -> str:
        """Return a file of tasks that kills the whole run, at once."""
        path = self.ansible.directory / "killer.yml"
        task = {"name": "Die", "ansible.builtin.debug": {"msg": f"{{{{ lookup('ansible.builtin.pipe', {json.dumps(_KILL)}) }}}}"}}
        path.write_text(json.dumps([task]), encoding="utf-8")
        return str(path)

    def lines(self) -> list[dict[str, Any]]:
        """The incidents in the file and in those that were rotated, the oldest first; each line must be whole."""
        found = []
        for path in [*sorted(self.out.glob("incidents-*.ndjson"), key=lambda path: path.name.rpartition("-")[2]), self.file]:
            text = path.read_text(encoding="ascii") if path.exists() else ""
            assert not text or text.endswith("\n")
            found += [json.loads(line) for line in text.splitlines()]
        return found

    def versions(self) -> list[tuple[str, str, str]]:
        """The versions in the files."""
        return [(row["tenant_id"], row["id"], row["last_update_date_time"]) for row in self.lines()]

    def doubles(self) -> set[tuple[str, str, str]]:
        """The versions that the files hold more than once."""
        return {version for version, times in Counter(self.versions()).items() if times > 1}

    def kept_facts(self, host: str) -> dict[str, Any]:
        """What the fact cache keeps of a host; since ansible-core 2.19 with a prefix, in an envelope, and with tags."""
        path = next(iter(self.facts.glob(f"*{host}")), None)
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path else {}
        return _untagged(json.loads(content["__payload__"])) if "__payload__" in content else content

    def cursor(self, host: str) -> dict[str, Any] | None:
        """The cursor that the fact cache keeps."""
        return self.kept_facts(host).get("incident_sync_cursor")

    def play(self, emulator: Emulator, seed: int, tenant_id: str, directory: Path) -> Play:
        """Return the hostile play in which a run of the role is a reading."""
        return _RolePlay(self, emulator, seed, tenant_id, directory)


def _untagged(value: Any) -> Any:
    """Return a value as it was before ansible-core put tags to it."""
    if isinstance(value, dict):
        inner = value["value"] if str(value.get("__ansible_type", "")).startswith("_AnsibleTagged") else value
        return {name: _untagged(entry) for name, entry in inner.items()} if isinstance(inner, dict) else _untagged(inner)
    return [_untagged(entry) for entry in value] if isinstance(value, list) else value


class _RolePlay(Play):
    """Each reading is a run of the playbook; one that is to be killed dies between delivery and cursor."""

    def __init__(self, sync: Synchronisation, emulator: Emulator, seed: int, tenant_id: str, directory: Path) -> None:
        super().__init__(emulator, seed, tenant_id, directory)
        self._sync = sync

    def read_once(self, *, kill: bool, limit: int | None) -> Reading | None:
        self._sync.options.update(
            incident_sync_api=self.api,
            incident_sync_include_alerts=self.include_alerts,
            incident_sync_limit=limit or 0,
            incident_sync_task_files=[self._sync.killer()] if kill else [],
        )
        run = self._sync.run()
        if run.status != 0:
            assert run.status in (2, -9), run.output
            return None
        row = run.result(f"{ROLE}Note what became of the tenant")["ansible_facts"]["incident_sync_row"]
        return Reading(complete=bool(row["complete"]))

    def everything_delivered(self) -> list[tuple[str, str]]:
        return [(number, updated) for _tenant, number, updated in self._sync.versions()]
