# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet of which a fifth fails, in ten ways at once: the others are complete, and each that failed is told why."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from integration.harness import HOME, Ansible, Emulator, Run

TENANTS = tuple(f"11111111-1111-4111-8111-{number:012d}" for number in range(100, 150))
READER, SECOND_READER = "33333333-3333-4333-8333-000000000001", "33333333-3333-4333-8333-000000000002"
DEADLINE, FLEET_DEADLINE, TIMEOUT = 12, 30, 2
LIST = "/security/incidents"


@dataclass(frozen=True)
class Case:
    """One way to fail.

    :param faults: rules of the emulator for the tenant.
    :param entry: what its entry in `tenants` says beside its id.
    :param outcome, state, says: the diagnosis.
    :param requests: how many requests for incidents may meet the fault.
    """

    name: str
    outcome: str
    state: str
    says: tuple[str, ...]
    faults: tuple[dict[str, Any], ...] = ()
    entry: dict[str, Any] = field(default_factory=dict)
    requests: range = range(1)


CASES = (
    Case("refused consent", "failed", "not_consented", ("AADSTS700016", "consent")),
    Case("disabled app", "failed", "disabled", ("AADSTS7000112",)),
    Case(
        "429 for a minute",
        "unknown",
        "unreachable",
        ("limits the number of requests", "HTTP 429", "Try again in 60 s"),
        ({"family": "graph", "path": LIST, "throttle": 60},),
        requests=range(1, 2),
    ),
    Case(
        "resets",
        "unknown",
        "unreachable",
        ("cannot be reached",),
        ({"family": "graph", "path": LIST, "reset": True},),
        requests=range(5, 7),
    ),
    Case(
        "slow answers",
        "unknown",
        "unreachable",
        (f"did not answer in time ({TIMEOUT} s)",),
        ({"family": "graph", "path": LIST, "delay": 60},),
        requests=range(2, 7),
    ),
    Case(
        "bad JSON",
        "unknown",
        "unreachable",
        ("not JSON", "text/html"),
        ({"family": "graph", "path": LIST, "non_json": True},),
        requests=range(1, 2),
    ),
    Case(
        "TLS failure",
        "unknown",
        "unreachable",
        ("certificate", "could not be verified"),
        entry={"graph_url": "https://localhost:{tls_port}"},
    ),
    Case("DNS failure", "unknown", "unreachable", ("cannot be resolved",), entry={"graph_url": "https://graph.contoso.invalid"}),
    Case(
        "500s",
        "unknown",
        "unreachable",
        ("internal fault", "HTTP 500"),
        ({"family": "graph", "path": LIST, "status": 500},),
        requests=range(5, 7),
    ),
    # The first page is read; for the second one the service wants another token, and by then the secret is expired.
    Case(
        "credential revoked mid-run",
        "failed",
        "credential_error",
        ("AADSTS7000222",),
        (
            {"family": "graph", "path": LIST, "status": 401, "skip": 1},
            {"family": "login", "path": "/token$", "aadsts": 7000222, "skip": 1},
        ),
        entry={"credential": "second"},
        requests=range(1, 2),
    ),
)
# Every fifth tenant fails, so that the faulty ones are met all along.
FAULTY = {TENANTS[5 * index + 2]: case for index, case in enumerate(CASES)}
HEALTHY = [tenant for tenant in TENANTS if tenant not in FAULTY]
# Healthy ones that have trouble which passes.
HICCUPS = (
    {"tenant": HEALTHY[0], "family": "graph", "path": LIST, "throttle": 2, "times": 1},
    {"tenant": HEALTHY[7], "family": "graph", "path": LIST, "reset": True, "times": 2},
    {"tenant": HEALTHY[13], "family": "graph", "path": LIST, "unavailable": 1, "times": 1},
    {"tenant": HEALTHY[22], "family": "login", "path": "/token$", "status": 503, "times": 1},
    {"tenant": HEALTHY[31], "family": "graph", "path": LIST, "truncate": 0.5, "times": 1},
)


def _scenario() -> dict[str, Any]:
    named = {case.name: tenant for tenant, case in FAULTY.items()}
    first = [tenant for tenant in TENANTS if tenant not in (named["refused consent"], named["disabled app"])]
    permissions = ["MicrosoftGraph/SecurityIncident.Read.All"]
    return {
        "seed": 31,
        "clock": "now",
        "defaults": {"security": {"incidents": 7, "alerts_per_incident": 1}},
        "home": {"tenant_id": HOME, "domain": "partner.contoso.example", "display_name": "Contoso Partner"},
        "tenants": [
            {
                "tenant_id": tenant,
                "domain": f"customer-{number}.example",
                "display_name": f"Customer {number}",
                # More than a page for some, and for the one whose credential ends between two pages.
                "security": {"incidents": 120 if FAULTY.get(tenant) is CASES[-1] or number % 11 == 0 else 3 + number % 9},
            }
            for number, tenant in enumerate(TENANTS)
        ],
        "apps": [
            {
                "display_name": "Partner reader",
                "client_id": READER,
                "permissions": permissions,
                "consented": [*first, {"tenant": named["disabled app"], "disabled": True}],
            },
            {"display_name": "Second reader", "client_id": SECOND_READER, "permissions": permissions, "consented": list(TENANTS)},
        ],
        "faults": [
            *HICCUPS,
            *({"id": f"{rule['family']} {tenant}", "tenant": tenant, **rule} for tenant, case in FAULTY.items() for rule in case.faults),
        ],
    }


@contextlib.contextmanager
def foreign_tls() -> Iterator[int]:
    """A server with a certificate that no client trusts; yields its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def _serve() -> None:
            while True:
                try:
                    connection, _address = server.accept()
                except OSError:
                    return
                with contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True):
                    pass

        threading.Thread(target=_serve, daemon=True).start()
        yield server.getsockname()[1]


@dataclass(frozen=True)
class Outcome:
    """One run of the fleet."""

    run: Run
    result: dict[str, Any]
    rows: list[dict[str, Any]]
    emulator: Emulator


@pytest.fixture(scope="module", params=["in_process", "real_module"])
def outcome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    """Run the fleet once in each way that tasks go."""
    directory = tmp_path_factory.mktemp("faults")
    (directory / "scenario.yml").write_text(yaml.safe_dump(_scenario()), encoding="utf-8")
    emulator = Emulator.start(directory / "state", scenario=directory / "scenario.yml")
    ansible = Ansible(tmp_path_factory.mktemp("ansible"))
    ansible.environment["M365D_IN_PROCESS"] = "1" if request.param == "in_process" else "0"
    try:
        with foreign_tls() as tls_port:
            tenants = [
                {"tenant_id": tenant} | {key: str(value).format(tls_port=tls_port) for key, value in FAULTY[tenant].entry.items()}
                if tenant in FAULTY
                else tenant
                for tenant in TENANTS
            ]
            second = emulator.endpoints["apps"][1]
            variables = {
                **emulator.reader,
                "fleet": tenants,
                "more": [{"name": "second", "client_id": SECOND_READER, "client_secret": second["client_secret"]}],
            }
            ansible.inventory({"partner": {}}, variables)
            dest = directory / "incidents.ndjson"
            run = ansible.playbook(_playbook(dest))
        result = run.result("read")
        rows = [json.loads(line) for line in dest.read_text(encoding="ascii").splitlines()]
        yield Outcome(run, result, rows, emulator)
    finally:
        emulator.stop()


def _playbook(dest: Path) -> str:
    return f"""
- hosts: partner
  gather_facts: false
  tasks:
    - name: read
      m365d.partner.m365d_incidents:
        tenants: "{{{{ fleet }}}}"
        credentials: "{{{{ more }}}}"
        dest: {dest}
        max_failed: 20%
        concurrency: 8
        timeout: {TIMEOUT}
        deadline: {DEADLINE}
        fleet_deadline: {FLEET_DEADLINE}
"""


def test_a_fifth_may_fail_without_failing_the_task_and_the_run_ends_in_time(outcome: Outcome) -> None:
    assert outcome.run.status == 0, outcome.run.output
    summary = outcome.result["summary"]
    assert (summary["total"], summary["ok"]) == (50, 40)
    assert (outcome.result["complete"], outcome.result["changed"]) == (False, True)
    assert summary["seconds"] <= FLEET_DEADLINE


def test_the_healthy_four_fifths_are_complete_and_correct(outcome: Outcome) -> None:
    by_tenant: dict[str, list[dict[str, Any]]] = {tenant: [] for tenant in HEALTHY}
    for row in outcome.rows:
        by_tenant[row["tenant_id"]].append(row)
    entries = {entry["tenant_id"]: entry for entry in outcome.result["tenants"]}
    for tenant, rows in by_tenant.items():
        truth = outcome.emulator.admin("GET", f"/security/{tenant}/incidents")["incidents"]
        assert sorted(_facts(row) for row in rows) == sorted(_truth(incident) for incident in truth)
        assert (entries[tenant]["outcome"], entries[tenant]["complete"], entries[tenant]["count"]) == ("ok", True, len(truth))
    assert outcome.result["count"] == len(outcome.rows)
    assert max(len(rows) for rows in by_tenant.values()) == 120


_COMPARED = {
    "id": "id",
    "status": "status",
    "severity": "severity",
    "assigned_to": "assignedTo",
    "custom_tags": "customTags",
    "created_date_time": "createdDateTime",
    "last_update_date_time": "lastUpdateDateTime",
}


def _facts(row: dict[str, Any]) -> list[str]:
    return [_plain(row[name]) for name in _COMPARED]


def _truth(incident: dict[str, Any]) -> list[str]:
    return [_plain(incident[name]) for name in _COMPARED.values()]


def _plain(value: Any) -> str:
    """Return a value as text, an instant without the zeros at the end of its fraction."""
    return re.sub(r"(\.\d*?)0+Z$", r"\1Z", str(value or "")).replace(".Z", "Z")


@pytest.mark.parametrize("tenant", list(FAULTY), ids=[case.name for case in CASES])
def test_each_that_failed_is_diagnosed(outcome: Outcome, tenant: str) -> None:
    case = FAULTY[tenant]
    entry = next(entry for entry in outcome.result["tenants"] if entry["tenant_id"] == tenant)
    assert (entry["outcome"], entry["consent_state"]) == (case.outcome, case.state), entry["msg"]
    for text in case.says:
        assert text in entry["msg"]
    assert tenant in entry["msg"]
    assert "Next step: " in entry["msg"]
    assert "count" not in entry


@pytest.mark.parametrize("tenant", list(FAULTY), ids=[case.name for case in CASES])
def test_who_failed_was_not_asked_more_often_than_sense_makes(outcome: Outcome, tenant: str) -> None:
    rules = {rule["id"]: rule["applied"] for rule in outcome.emulator.admin("GET", "/faults")["faults"]}
    assert rules.get(f"graph {tenant}", 0) in FAULTY[tenant].requests


def test_a_fault_of_one_credential_leaves_the_others_alone(outcome: Outcome) -> None:
    refused = [entry for entry in outcome.result["tenants"] if entry.get("consent_state") == "credential_error"]
    assert [FAULTY[entry["tenant_id"]].name for entry in refused] == ["credential revoked mid-run"]


def test_nothing_that_failed_shows_a_secret_or_a_traceback(outcome: Outcome) -> None:
    shown = outcome.run.everything_shown()
    assert "Traceback (most recent call last)" not in shown
    for app in outcome.emulator.endpoints["apps"]:
        assert app["client_secret"] not in shown
