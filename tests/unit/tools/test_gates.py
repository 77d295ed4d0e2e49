# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import environments
import gates
import matrix
import pytest
import run_emulator
import run_gates
import working_copy
from gates import Counts, Gate, Step

ROOT = Path(__file__).resolve().parents[3]
# The interpreter below the virtual environment that these tests run in.
BASE_PYTHON = str(getattr(sys, "_base_executable", sys.executable))
SANITY = """\
Running sanity test "compile" on Python 3.12
Running sanity test "pep8"
WARNING: Skipping sanity test "pslint" due to missing PowerShell.
Running sanity test "pslint"
Running sanity test "shebang"
"""
BAD = "FATAL: The 2 sanity test(s) listed below (out of 4) failed. See error output above for details.\npep8\nshebang\n"


def launcher(directory: Path, name: str, body: str) -> Path:
    """An executable script."""
    directory.mkdir(exist_ok=True)
    path = directory / name
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def gate_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of its own for logs."""
    monkeypatch.setattr(run_gates, "LOGS", tmp_path)
    monkeypatch.setattr(run_gates, "ROOT", tmp_path)
    return tmp_path


def shell_gate(name: str, *commands: str) -> Gate:
    """A gate of shell commands."""
    return Gate(name=name, steps=lambda: [Step(command=("/bin/sh", "-c", command)) for command in commands], roots=(Path(sys.prefix),))


@pytest.mark.parametrize(
    ("output", "ok", "expected"),
    [
        (SANITY, True, Counts(passed=3, skipped=1)),
        (SANITY + BAD, False, Counts(passed=1, failed=2, skipped=1)),
        ("Downloading get-pip failed\n", False, Counts(failed=1)),
        ("WARNING: All targets skipped.\n", True, Counts(failed=1)),
    ],
)
def test_each_sanity_test_counts_and_a_run_without_any_is_a_failure(output: str, ok: bool, expected: Counts) -> None:
    sanity = next(gate for gate in gates.GATES if gate.name == "sanity")
    assert sanity.count(output, ok) == expected


@pytest.mark.parametrize(
    ("report", "ok", "expected"),
    [
        ('<testsuite tests="5" failures="1" errors="1" skipped="1"/>', False, Counts(passed=2, failed=2, skipped=1)),
        ('<testsuite tests="5" failures="0" errors="0" skipped="0"/>', True, Counts(passed=5)),
        ('<testsuite tests="5" failures="0" errors="0" skipped="0"/>', False, Counts(passed=5, failed=1)),
        ('<testsuite tests="0" failures="0" errors="0" skipped="0"/>', False, Counts(failed=1)),
        (None, True, Counts(failed=1)),
    ],
)
def test_pytest_is_counted_by_its_report_and_never_passes_without_one(
    report: str | None, ok: bool, expected: Counts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gates, "LOGS", tmp_path)
    if report is not None:
        (tmp_path / "some.xml").write_text(f"<testsuites>{report}</testsuites>", encoding="utf-8")
    assert gates.count_pytest("some")("", ok) == expected


def test_all_gates_run_though_one_fails_and_the_last_line_holds_nothing_but_the_counts(
    gate_logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = [shell_gate("bad", "echo the reason; exit 3", "echo never"), shell_gate("good", "echo fine")]
    assert run_gates.run_and_close(chosen, jobs=2, started=0.0, before=Counts(skipped=2)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "1 passed, 1 failed, 2 skipped"
    assert "    | the reason" in lines
    assert "    | fine" not in lines
    assert "never\n" not in (gate_logs / "bad.log").read_text(encoding="utf-8")


def test_a_gate_that_cannot_even_start_is_a_failed_gate(gate_logs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def broken() -> list[Step]:
        raise gates.GateError("two files differ")

    chosen = [Gate(name="broken", steps=broken, roots=(Path(sys.prefix),)), shell_gate("good", "true")]
    assert run_gates.run_and_close(chosen, jobs=1, started=0.0) == 1
    output = capsys.readouterr().out
    assert "two files differ" in output
    assert output.splitlines()[-1] == "1 passed, 1 failed, 0 skipped"


def test_a_gate_gets_none_of_the_users_credentials_and_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_CLIENT_SECRET", "M365D_CLIENT_ID", "ANSIBLE_CONFIG", "PYTHONPATH"):
        monkeypatch.setenv(name, "the user's")
    monkeypatch.setenv("NO_PROXY", "intranet.example")
    env = gates.gate_environment([Path("/first"), Path("/second")], {"EXTRA": "1"})
    assert "the user's" not in env.values()
    assert env["PATH"].startswith("/first/bin:/second/bin:")
    assert env["NO_PROXY"] == "intranet.example,localhost,127.0.0.1,::1"
    assert env["EXTRA"] == "1"


def test_a_directory_that_offers_a_python_which_does_not_run_is_left_off_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launcher(tmp_path / "broken", "python3.13", "exit 127")
    launcher(tmp_path / "sound", "python3.12", "exit 0")
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "broken"), str(tmp_path / "sound")]))
    gates.usable_path.cache_clear()
    try:
        assert gates.usable_path() == str(tmp_path / "sound")
    finally:
        gates.usable_path.cache_clear()


def test_the_newest_python_that_runs_is_chosen_and_a_dead_launcher_is_passed_over(tmp_path: Path) -> None:
    launcher(tmp_path / "first", "python3.14", "echo 'no such version installed' >&2; exit 127")
    working = launcher(tmp_path / "second", "python3.11", f'exec {shlex.quote(BASE_PYTHON)} "$@"')
    command = ["/bin/sh", str(ROOT / "tests" / "tools" / "find_python.sh")]
    path = os.pathsep.join([str(tmp_path / "first"), str(tmp_path / "second")])
    found = subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(working)
    nothing = subprocess.run(command, env={"PATH": str(tmp_path / "first")}, capture_output=True, text=True, check=False)
    assert nothing.returncode == 1
    assert "make PYTHON=" in nothing.stderr


def test_the_python_of_an_active_virtual_environment_gives_way_to_the_one_it_was_made_from(tmp_path: Path) -> None:
    """Set-up may delete that environment, and would be running from it."""
    active = tmp_path / "active"
    venv.create(active, with_pip=False, symlinks=True)
    command = ["/bin/sh", str(ROOT / "tests" / "tools" / "find_python.sh")]
    found = subprocess.run(command, env={"PATH": str(active / "bin")}, capture_output=True, text=True, check=True).stdout.strip()
    assert not Path(found).is_relative_to(active)
    asked = [found, "-c", "import sys; print(sys.prefix == sys.base_prefix)"]
    assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip() == "True"


def test_a_copy_follows_the_checkout_and_keeps_what_tools_left_for_the_next_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = tmp_path / "checkout"
    (checkout / "plugins").mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet"], cwd=checkout, check=True)
    (checkout / ".gitignore").write_text("/secret.txt\n", encoding="utf-8")
    (checkout / "secret.txt").write_text("not for the copy", encoding="utf-8")
    (checkout / "plugins" / "gone.py").write_text("1", encoding="utf-8")
    monkeypatch.setattr(working_copy, "ROOT", checkout)
    monkeypatch.setattr(working_copy, "CACHE", tmp_path / "cache")
    copy = working_copy.make_copy("test")
    (copy / "tests" / "output").mkdir(parents=True)
    (copy / "tests" / "output" / "kept").touch()
    (checkout / "plugins" / "gone.py").rename(checkout / "plugins" / "new.py")
    assert working_copy.make_copy("test") == copy
    assert copy.parts[-3:] == ("ansible_collections", "m365d", "partner")
    files = {str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file() and ".git" not in path.parts}
    assert files == {".gitignore", "plugins/new.py", "tests/output/kept"}
    top = subprocess.run(["git", "rev-parse", "--show-toplevel"], cwd=copy, capture_output=True, text=True, check=True)
    assert Path(top.stdout.strip()) == copy.resolve()


@pytest.mark.parametrize("changed", ["requirements", "python", "nothing"])
def test_an_environment_is_made_anew_only_when_something_it_depends_on_changed(
    changed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needs.txt").write_text("one\n", encoding="utf-8")
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    before = environments.fingerprint(sys.executable, ("needs.txt",), ())
    if changed == "requirements":
        (tmp_path / "needs.txt").write_text("two\n", encoding="utf-8")
    if changed == "python":
        monkeypatch.setattr(environments, "interpreter_identity", lambda _python: ["3.99.0", "/elsewhere"])
    assert (environments.fingerprint(sys.executable, ("needs.txt",), ()) == before) == (changed == "nothing")


def test_every_environment_that_a_gate_names_can_be_made() -> None:
    known = {*environments.ENVIRONMENTS, *environments.FILLS}
    named = {name for gate in (*gates.GATES, *gates.EXTRA_GATES) for name in (*gate.environments, *gate.witnesses)}
    assert named == known


def test_a_witness_is_filled_by_its_own_recipe_and_anew_when_that_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environments, "ROOT", tmp_path)
    monkeypatch.setattr(environments, "run_logged", lambda command, **_options: Path(command[-1]).mkdir(parents=True, exist_ok=True))
    filled: list[Path] = []

    def fill(target: Path, log: Path) -> None:
        assert log.is_file()
        filled.append(target)

    target = tmp_path / "venvs" / "witness"
    made = [environments.ensure_environment(target, (), extra=(need,), fill=fill) for need in ("one", "one", "two")]
    assert (made, filled) == ([True, False, True], [target, target])


def test_the_matrix_tries_each_core_with_its_oldest_and_newest_python_and_names_what_it_cannot_try() -> None:
    chosen, without = matrix.choose({(3, 10): "a", (3, 11): "b", (3, 12): "c"})
    assert ("2.16", (3, 10)) in chosen
    assert ("2.16", (3, 12)) in chosen
    assert ("2.16", (3, 11)) not in chosen
    assert ("2.21", (3, 12)) in chosen
    assert without == []
    assert [reason.split(":")[0] for reason in matrix.choose({(3, 11): "b"})[1]] == ["ansible-core 2.20", "ansible-core 2.21"]


def emulated(tmp_path: Path) -> dict[str, Any]:
    """What an emulator says about itself."""
    home = "11111111-1111-4111-8111-000000000001"
    tenants = [(home, "contoso"), ("11111111-1111-4111-8111-000000000011", "fabrikam")]
    return {
        "pid": 1,
        "tenants": [{"tenant_id": number, "domain": f"{name}.example", "display_name": name.title()} for number, name in tenants],
        "login_url": "https://localhost:1",
        "graph_url": "https://localhost:1",
        "defender_url": "https://localhost:1",
        "ca_path": str(tmp_path / "ca.pem"),
        "home_tenant_id": home,
        "bootstrap": {"client_id": "22222222-2222-4222-8222-000000000001", "client_secret": "never-in-a-file; rm -rf '$HOME'"},
    }


def test_the_files_that_point_at_the_emulator_hold_no_secret(tmp_path: Path) -> None:
    endpoints = emulated(tmp_path)
    (tmp_path / "endpoints.json").write_text(json.dumps(endpoints), encoding="utf-8")
    script, variables = run_emulator.shell_settings(endpoints, tmp_path), run_emulator.variable_settings(endpoints)
    assert "never-in-a-file" not in script + variables
    shell = f'{script}\nprintf "%s" "$M365D_CLIENT_SECRET"'
    result = subprocess.run(["/bin/sh", "-c", shell], capture_output=True, text=True, check=True)
    assert result.stdout == endpoints["bootstrap"]["client_secret"]


def test_extra_variables_for_the_emulator_name_no_app_so_that_customers_are_asked_with_their_own(tmp_path: Path) -> None:
    """Extra variables beat those of the inventory: an app among them would be the customers' too."""
    assert json.loads(run_emulator.variable_settings(emulated(tmp_path))).keys() == {
        "m365d_login_url",
        "m365d_graph_url",
        "m365d_defender_url",
        "m365d_ca_path",
    }


def test_the_working_directory_gives_the_bootstrap_app_to_the_home_tenant_alone_and_forgets_the_app_of_an_earlier_cloud(
    tmp_path: Path,
) -> None:
    endpoints = emulated(tmp_path)
    customers = tmp_path / "workspace" / "inventory" / "group_vars" / "customers"
    customers.mkdir(parents=True)
    for name in ("m365d_app.yml", "m365d_app_secret.yml", "of-the-user.yml"):
        (customers / name).touch()
    workspace = run_emulator.prepare_workspace(endpoints, tmp_path)
    holders = [
        path for path in workspace.inventory.rglob("*.yml") if endpoints["bootstrap"]["client_id"] in path.read_text(encoding="utf-8")
    ]
    assert holders == [workspace.inventory / "host_vars" / "home" / "vault.yml"]
    assert endpoints["bootstrap"]["client_secret"] not in holders[0].read_text(encoding="utf-8")
    assert [path.name for path in customers.iterdir()] == ["of-the-user.yml"]


def test_the_home_tenant_is_not_shown_among_the_customers(tmp_path: Path) -> None:
    shown = run_emulator.explain(emulated(tmp_path), tmp_path).partition("\ncustomers\n")[2]
    assert "fabrikam.example" in shown
    assert "contoso.example" not in shown
