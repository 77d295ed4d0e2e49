# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role incident_sync in real runs of Ansible: what is new goes to every sink, once, whatever dies on the way."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.harness import FABRIKAM, NORTHWIND, TAILSPIN, Ansible, Emulator, Run
from integration.hostile import run_seed_with
from integration.receiver import AUTHORIZATION, Receiver
from integration.sync import ROLE, Synchronisation

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def security(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An emulator of its own: its incidents move."""
    emulator = Emulator.start(tmp_path_factory.mktemp("sync") / "state")
    yield emulator
    emulator.stop()


@pytest.fixture
def tenants(security: Emulator) -> Emulator:
    """The emulator without faults, with a few incidents in two tenants."""
    security.admin("DELETE", "/faults")
    for tenant in (FABRIKAM, NORTHWIND):
        security.admin("PUT", f"/security/{tenant}/hostile", {})
        security.admin("PATCH", f"/security/{tenant}/settings", {"incidents": 4, "alerts_per_incident": 1})
    security.forget_requests()
    return security


@pytest.fixture
def sync(quiet_ansible: Ansible, tenants: Emulator) -> Synchronisation:
    """A synchronisation of two customers into a file."""
    return Synchronisation(quiet_ansible, tenants)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    """A webhook."""
    made = Receiver(tmp_path)
    yield made
    made.stop()


def update(emulator: Emulator, tenant: str = FABRIKAM) -> str:
    """Update one incident and return its id."""
    found = emulator.admin("GET", f"/security/{tenant}/incidents")["incidents"]
    number = str(found[0]["id"])
    emulator.admin("PATCH", f"/security/{tenant}/incidents/{number}", {"severity": "high" if found[0]["severity"] != "high" else "low"})
    return number


def changed(run: Run) -> bool:
    """Whether any task changed anything."""
    return any(entry["result"].get("changed") for entry in run.events if entry["event"] in ("ok", "item_ok"))


@pytest.mark.parametrize("in_process", ["1", "0"])
def test_runs_deliver_what_is_new_and_nothing_when_nothing_is(sync: Synchronisation, tenants: Emulator, in_process: str) -> None:
    sync.ansible.environment["M365D_IN_PROCESS"] = in_process
    first = sync.run()
    assert first.status == 0, first.output
    assert changed(first)
    everything = sync.lines()
    assert {row["tenant_id"] for row in everything} == {FABRIKAM, NORTHWIND}
    assert "versions delivered for 2 of 2 tenants" in first.output

    second = sync.run()
    assert (second.status, changed(second)) == (0, False), second.output
    assert sync.lines() == everything

    number, size = update(tenants), sync.file.stat().st_size
    third = sync.run()
    assert third.status == 0, third.output
    ledger = json.loads((sync.out / ".incidents.ndjson.ledger").read_text())
    assert ledger["streams"][FABRIKAM]["offset"] == size, "the run did not know that it follows the last one"
    (new,) = sync.lines()[len(everything) :]
    assert (new["tenant_id"], new["id"]) == (FABRIKAM, number)
    assert "1 versions delivered for 2 of 2 tenants" in third.output
    record = json.loads((sync.records / FABRIKAM / f"{number}.json").read_text())
    assert record == new
    assert sync.doubles() == set()
    # Nothing of what was read is left behind.
    assert not list(Path(sync.temporary).glob("m365d-incident-sync-*"))


def test_check_mode_tells_what_would_come_and_moves_nothing(sync: Synchronisation, tenants: Emulator) -> None:
    predicted = sync.run("--check", "--diff")
    assert predicted.status == 0, predicted.output
    assert changed(predicted)
    assert "8 versions would be delivered for 2 of 2 tenants" in predicted.output
    assert f"+tenant {FABRIKAM} incident " in predicted.output
    assert not sync.file.exists()
    assert not list(sync.records.iterdir())
    assert not any("incident_sync_cursor" in path.read_text() for path in sync.facts.glob("*"))
    assert not list(Path(sync.temporary).glob("m365d-incident-sync-*"))
    sync.run()
    assert len(sync.lines()) == 8


def test_a_run_that_is_killed_between_delivery_and_cursor_leaves_no_double(
    sync: Synchronisation, tenants: Emulator, receiver: Receiver
) -> None:
    sync.post_to(receiver)
    sync.options["incident_sync_task_files"] = [sync.killer()]
    killed = sync.run("--limit", "fabrikam")
    assert killed.status == -signal.SIGKILL, killed.output
    delivered = sync.lines()
    assert len(delivered) == 4
    assert sync.cursor("fabrikam") is None
    number = update(tenants)
    sync.options["incident_sync_task_files"] = []
    again = sync.run("--limit", "fabrikam")
    assert again.status == 0, again.output
    assert [row["id"] for row in sync.lines()[4:]] == [number]
    assert sync.doubles() == set()
    # At least once, and the key tells: five versions, the three that did not change were posted twice.
    assert (len(receiver.received), len(receiver.accepted())) == (8, 5)
    assert sync.cursor("fabrikam") is not None


@pytest.mark.parametrize("in_process", ["1", "0"])
def test_a_receiver_that_stumbles_gets_everything_and_one_that_refuses_holds_the_cursor(
    sync: Synchronisation, tenants: Emulator, receiver: Receiver, in_process: str
) -> None:
    sync.ansible.environment["M365D_IN_PROCESS"] = in_process
    sync.post_to(receiver)
    receiver.planned = [503, 429, 202, 500, 202, 400]
    refused = sync.run("--limit", "fabrikam", "-vvv")
    assert refused.status != 0
    assert sync.cursor("fabrikam") is None
    assert len(receiver.received) == 2
    assert len(sync.lines()) == 4
    assert "HTTP 400" in refused.output
    again = sync.run("--limit", "fabrikam", "-vvv", "--diff")
    assert again.status == 0, again.output
    assert {body["id"] for body in receiver.accepted().values()} == {row["id"] for row in sync.lines()}
    assert len(receiver.accepted()) == 4
    assert sync.doubles() == set()
    for run in (refused, again):
        for secret in (AUTHORIZATION, receiver.path, tenants.client_secret):
            assert secret not in run.everything_shown()
            assert all(secret not in path.read_text() for path in sync.facts.glob("*"))


def test_a_token_of_a_tenant_never_goes_to_the_receiver(sync: Synchronisation, receiver: Receiver) -> None:
    sync.post_to(receiver)
    assert sync.run().status == 0
    assert {headers["authorization"] for headers, _body in receiver.received} == {AUTHORIZATION}
    assert all("eyJ" not in json.dumps(headers) for headers, _body in receiver.received)


def test_a_tenant_that_fails_stops_no_other_and_is_unknown(sync: Synchronisation) -> None:
    sync.hosts["tailspin"] = {"m365d_tenant_id": TAILSPIN, "m365d_tenant_name": "Tailspin Toys"}
    run = sync.run("-v")
    assert run.status == 2, run.output
    assert "8 versions delivered for 2 of 3 tenants; of 1 nothing is known." in run.output
    row = run.result(f"{ROLE}Note why nothing is known of the tenant")["ansible_facts"]["incident_sync_row"]
    assert (row["tenant_name"], row["outcome"], row["count"], row["complete"]) == ("Tailspin Toys", "unknown", None, False)
    summary = run.result(f"{ROLE}Sum up all tenants")["ansible_facts"]["incident_sync_summary"]
    assert summary == {"tenants": 3, "ok": 2, "unknown": 1, "incidents": 8, "complete": False}
    assert row["next_step"]
    assert sync.cursor("northwind") is not None
    assert sync.cursor("tailspin") is None
    sync.options["incident_sync_fail_on"] = "never"
    assert sync.run().status == 0


def test_without_a_fact_cache_nothing_is_read_unless_that_is_wanted(sync: Synchronisation, tenants: Emulator) -> None:
    memory = {"ANSIBLE_CACHE_PLUGIN": "memory"}
    refused = sync.run(environment=memory)
    assert refused.status == 2
    assert "fact_caching to jsonfile" in refused.output
    assert tenants.requests(family="graph") == []
    sync.options["incident_sync_require_fact_cache"] = False
    run = sync.run(environment=memory)
    assert run.status == 0, run.output
    assert "the cursor is lost at its end" in run.output
    again = sync.run(environment=memory)
    assert again.status == 0, again.output
    assert sync.doubles() == set()
    assert len(sync.lines()) == 8


def test_a_fact_cache_that_forgets_is_named(sync: Synchronisation) -> None:
    run = sync.run(environment={"ANSIBLE_CACHE_PLUGIN_TIMEOUT": "86400"})
    assert run.status == 0, run.output
    assert "forgets the cursor when no run succeeded for 86400 seconds" in run.output
    assert "forgets the cursor" not in sync.run().output


def test_without_a_sink_nothing_is_read(sync: Synchronisation, tenants: Emulator) -> None:
    sync.options = {}
    run = sync.run()
    assert run.status == 2
    assert "nowhere to deliver to" in run.output
    assert tenants.requests(family="graph") == []


def test_the_file_is_rotated_and_the_limit_is_gone_on_from(sync: Synchronisation) -> None:
    sync.options.update(incident_sync_file_max_size="1", incident_sync_limit=3, incident_sync_file_keep=50)
    first = sync.run()
    assert first.status == 0, first.output
    assert len(sync.lines()) == 6
    assert sync.run().status == 0
    assert len(sync.lines()) == 8
    assert sync.doubles() == set()
    assert len(list(sync.file.parent.glob("incidents-*.ndjson"))) == 7


def test_tasks_of_the_user_get_the_batch_and_their_fault_holds_the_cursor(sync: Synchronisation, tmp_path: Path) -> None:
    tasks = [
        {
            "name": "Count",
            "ansible.builtin.assert": {
                "that": [
                    "incident_sync_batch.count | int == 4",
                    "lookup('ansible.builtin.file', incident_sync_batch.path).splitlines() | length == 4",
                    f"incident_sync_batch.tenant_id == '{FABRIKAM}'",
                ]
            },
        },
        {"name": "Refuse", "ansible.builtin.fail": {"msg": "the ticket system is closed"}, "when": "closed | default(false)"},
    ]
    (tmp_path / "tickets.yml").write_text(json.dumps(tasks), encoding="utf-8")
    sync.options["incident_sync_task_files"] = [str(tmp_path / "tickets.yml")]
    refused = sync.run("--limit", "fabrikam", "-e", '{"closed": true}')
    assert refused.status == 2
    assert "the ticket system is closed" in refused.output
    assert sync.cursor("fabrikam") is None
    taken = sync.run("--limit", "fabrikam")
    assert taken.status == 0, taken.output
    assert sync.cursor("fabrikam") is not None
    assert sync.doubles() == set()


def test_a_tenant_whose_host_cannot_be_reached_is_missing_in_no_sum(sync: Synchronisation, tmp_path: Path) -> None:
    task = {"name": "Log in", "ansible.builtin.command": "true", "when": "inventory_hostname == 'northwind'"}
    (tmp_path / "login.yml").write_text(json.dumps([task]), encoding="utf-8")
    sync.options["incident_sync_task_files"] = [str(tmp_path / "login.yml")]
    run = sync.run()
    assert run.status == 4, run.output
    assert "on the way: northwind." in run.output
    assert "4 versions delivered for 1 of 2 tenants; of 1 nothing is known." in run.output
    summary = run.result(f"{ROLE}Sum up all tenants")["ansible_facts"]["incident_sync_summary"]
    assert summary == {"tenants": 2, "ok": 1, "unknown": 1, "incidents": 4, "complete": False}
    assert sync.cursor("northwind") is None
    assert not list(Path(sync.temporary).glob("m365d-incident-sync-*"))


def test_runs_that_share_a_spool_have_files_of_their_own(sync: Synchronisation, tenants: Emulator, tmp_path: Path) -> None:
    task = {
        "name": "Note",
        "ansible.builtin.shell": f"echo {{{{ incident_sync_batch.path }}}} >> {tmp_path}/noted",
        "delegate_to": "localhost",
    }
    (tmp_path / "note.yml").write_text(json.dumps([task]), encoding="utf-8")
    spool = tmp_path / "spool"
    spool.mkdir()
    sync.options.update(incident_sync_task_files=[str(tmp_path / "note.yml")], incident_sync_spool=str(spool))
    assert sync.run("--limit", "fabrikam").status == 0
    update(tenants)
    assert sync.run("--limit", "fabrikam").status == 0
    noted = (tmp_path / "noted").read_text().split()
    assert len(noted) == len(set(noted)) == 2
    assert all(Path(path).parent.parent == spool for path in noted)
    assert list(spool.iterdir()) == []


def test_the_cursor_alone_is_kept_as_a_fact(sync: Synchronisation) -> None:
    sync.run()
    kept = sync.kept_facts("fabrikam")
    assert set(kept) == {"incident_sync_cursor"}
    assert kept["incident_sync_cursor"]["tenant_id"] == FABRIKAM
    assert os.stat(sync.file).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("seed", [3, 11])
def test_the_role_loses_nothing_and_doubles_nothing_of_a_hostile_service(quiet_ansible: Ansible, seed: int) -> None:
    emulator = Emulator.start(quiet_ansible.directory / "hostile-state")
    try:
        sync = Synchronisation(quiet_ansible, emulator, hosts=["fabrikam"])
        verdict = run_seed_with(sync.play, emulator, seed)
    finally:
        emulator.stop()
    assert verdict.good, verdict.line()
