# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures whole runs of Ansible side by side against the emulator; see docs/docsite/rst/performance.rst for what came out.

    bench.py

Environment: BENCH_TENANTS (default 1000), BENCH_ROUNDS (default 3), BENCH_SLOW_ROUNDS (rounds that the two slow runs, c and d,
take part in; default all), BENCH_ONLY (letters of the runs to take part, default all), BENCH_FORKS (default 4),
BENCH_SCALING=0 leaves out the runs with 1/10 and 10 times as many tenants, BENCH_RETURN_TENANTS=all makes them with a result that
lists all tenants. Leaves build/bench/results.json, report.md and
plot.svg.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import ssl
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import yaml
from plot import bars

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parents[1]
OUTPUT = ROOT / "build" / "bench"
PLAYBOOKS = BENCH / "playbooks"
CLIENT_ID = "33333333-3333-4333-8333-000000000001"

WHAT = {
    "a": "Ansible's floor: a task that does nothing, per host",
    "b": "m365d_incidents, per host",
    "c": "m365d_incidents as an ordinary module, per host",
    "d": "ansible.builtin.uri, two tasks per host",
    "e": "m365d_incidents, one task for all tenants",
    "f": "hand-written asyncio script: the practical limit of one task",
    "g": "the requests by http.client in the worker: the practical limit of a loop over hosts",
    "h": "the requests by urllib3 in 16 threads, without Ansible: what the library of the fleet task costs",
    "i": "a task that does nothing, on one host: what Ansible's start costs",
}


@dataclass(frozen=True)
class Measured:
    """One run of a command, as the operating system accounts for it.

    :param seconds: wall clock.
    :param cpu: seconds of processor time, children included.
    :param peak_mb: the largest resident set of any one process, MiB.
    :param emulator_cpu: seconds of processor time of the emulator meanwhile.
    :param requests: how many requests the emulator answered meanwhile.
    """

    seconds: float
    cpu: float
    peak_mb: float
    emulator_cpu: float
    requests: int


@dataclass(frozen=True)
class Cloud:
    """The emulator and inventories of its tenants.

    :param inventory: a host for each tenant.
    :param shared: the options that all tenants have in common, as variables.
    :param tenants: their ids.
    """

    directory: Path
    inventory: Path
    shared: Mapping[str, Any]
    tenants: tuple[str, ...]
    admin_url: str
    pid: int

    def fleet(self, count: int) -> Path:
        """Return an inventory of one host that knows the first `count` tenants as a list."""
        variables = {**self.shared, "tenants_to_read": list(self.tenants[:count])}
        return _private(self.directory / f"fleet-{count}.yml", {"all": {"hosts": {"localhost": variables}}})

    def requests(self) -> int:
        """Return how many requests the emulator has answered."""
        with urllib.request.urlopen(f"{self.admin_url}/counters", context=self._trust()) as answer:  # noqa: S310 (the emulator)
            return int(json.load(answer)["total"])

    def _trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.shared["m365d_ca_path"])

    def cpu(self) -> float:
        """Return the seconds of processor time that the emulator has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def cloud(name: str, *, tenants: int, incidents: int) -> Iterator[Cloud]:
    """Start an emulator with that many tenants and write an inventory of them."""
    directory = OUTPUT / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    scenario = {
        "seed": 7,
        "clock": "now",
        "token_lifetime": 86000,
        "defaults": {"security": {"alerts_per_incident": 2, "pool": 16}},
        "home": {
            "tenant_id": "11111111-1111-4111-8111-000000000001",
            "domain": "partner.contoso.example",
            "display_name": "Contoso Partner",
        },
        "generate": {"tenants": tenants, "incidents": incidents},
        "apps": [
            {
                "display_name": "Reader",
                "client_id": CLIENT_ID,
                "permissions": ["MicrosoftGraph/SecurityIncident.Read.All"],
                "consented": "all",
            }
        ],
    }
    path = directory / "scenario.yml"
    path.write_text(yaml.safe_dump(scenario), encoding="utf-8")
    state = directory / "state"
    command = [sys.executable, "-m", "emulator", "--port", "0", "--scenario", str(path), "--state-dir", str(state)]
    with (directory / "stderr.log").open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(command, cwd=ROOT / "tests", stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        assert process.stdout is not None
        endpoints = json.loads(process.stdout.readline())
        yield _cloud(directory, endpoints, process.pid)
    finally:
        process.terminate()
        process.wait(timeout=30)


def _cloud(directory: Path, endpoints: Mapping[str, Any], pid: int) -> Cloud:
    tenants = tuple(tenant["tenant_id"] for tenant in endpoints["tenants"] if not tenant["home"])
    shared = {f"m365d_{name}": endpoints[name] for name in ("login_url", "graph_url", "defender_url", "ca_path")}
    shared |= {
        "m365d_client_id": CLIENT_ID,
        "m365d_client_secret": endpoints["apps"][0]["client_secret"],
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
    }
    hosts = {f"tenant{number:05d}": {"m365d_tenant_id": tenant} for number, tenant in enumerate(tenants)}
    inventory = _private(directory / "inventory.yml", {"customers": {"hosts": hosts, "vars": shared}})
    return Cloud(directory, inventory, shared, tenants, endpoints["admin_url"], pid)


def _private(path: Path, content: Any) -> Path:
    path.touch(mode=0o600)
    path.write_text(yaml.dump(content, Dumper=yaml.CSafeDumper), encoding="utf-8")
    return path


def measure(command: list[str], environment: Mapping[str, str], here: Cloud) -> Measured:
    """Run a command to its end; what it prints goes to a file, since a terminal would be measured too."""
    emulator_cpu, requests = here.cpu(), here.requests()
    with (OUTPUT / "output.log").open("w", encoding="utf-8") as output:
        begun = time.perf_counter()
        process = subprocess.Popen(command, cwd=OUTPUT, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        _pid, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        tail = (OUTPUT / "output.log").read_text(encoding="utf-8", errors="replace")[-2000:]
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{tail}")
    return Measured(
        seconds=seconds,
        cpu=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss / 1024,
        emulator_cpu=here.cpu() - emulator_cpu,
        requests=here.requests() - requests,
    )


def environment(here: Cloud, **more: str) -> dict[str, str]:
    """Return the environment of a run: the same for all, with nothing of the user's own configuration."""
    return {
        # As with the services themselves, whose authorities every platform knows before a worker is forked.
        "M365D_CA_PATH": here.shared["m365d_ca_path"],
        "HOME": str(OUTPUT),
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "build" / "collections"),
        "ANSIBLE_CONFIG": str(OUTPUT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORKS": os.environ.get("BENCH_FORKS", "4"),
        **more,
    }


def playbook(name: str, inventory: Path, **variables: str) -> list[str]:
    """Return the command that runs one of the playbooks of this directory."""
    extra = ["-e", json.dumps(variables)] if variables else []
    return [str(Path(sys.executable).parent / "ansible-playbook"), "-i", str(inventory), str(PLAYBOOKS / f"{name}.yml"), *extra]


def command_of(letter: str, here: Cloud) -> tuple[list[str], dict[str, str]]:
    """Return command and environment of one of the runs that are compared."""
    dest = str(OUTPUT / f"incidents-{letter}.ndjson")
    fleet = here.directory / f"fleet-{len(here.tenants)}.yml"
    if letter in "fh":
        script = {"f": "practical_limit.py", "h": "library_limit.py"}[letter]
        return [sys.executable, str(BENCH / script), str(fleet), dest], environment(here)
    if letter == "e":
        return playbook("fleet", fleet, dest=dest), environment(here)
    if letter == "i":
        return playbook("noop", here.fleet(1)), environment(here)
    name = {"a": "noop", "b": "host_loop", "c": "host_loop", "d": "uri", "g": "host_loop_limit"}[letter]
    return playbook(name, here.inventory), environment(here, M365D_IN_PROCESS="0" if letter == "c" else "1")


def compare(tenants: int, rounds: int, slow_rounds: int, letters: str) -> dict[str, list[Measured]]:
    """Run the contenders in turn, `rounds` times, against one emulator."""
    runs: dict[str, list[Measured]] = {letter: [] for letter in letters}
    with cloud("compare", tenants=tenants, incidents=10) as here:
        here.fleet(tenants)
        for number in range(1, rounds + 1):
            for letter in letters:
                if letter in "cd" and number > slow_rounds:
                    continue
                runs[letter].append(measure(*command_of(letter, here), here))
                print(f"round {number} ({letter}) {_line(runs[letter][-1])}  {WHAT[letter]}", flush=True)
    for letter in set("efh") & set(letters):
        _check_lines(OUTPUT / f"incidents-{letter}.ndjson", 10 * tenants)
    return runs


def _line(run: Measured) -> str:
    return (
        f"{run.seconds:8.2f} s  {run.cpu:7.2f} s CPU  {run.peak_mb:4.0f} MiB  "
        f"emulator {run.emulator_cpu:6.2f} s CPU  {run.requests:6d} requests"
    )


def _check_lines(path: Path, wanted: int) -> None:
    """A fast run that loses incidents is no result."""
    with path.open("rb") as file:
        found = sum(1 for _line in file)
    if found != wanted:
        raise SystemExit(f"{path} holds {found} incidents instead of {wanted}.")


def scale(tenants: int) -> dict[int, Measured]:
    """Run the fleet task with a file as its destination for a tenth, for all and for ten times the tenants, 100 incidents each."""
    found = {}
    returned = os.environ.get("BENCH_RETURN_TENANTS") or "lacking"
    with cloud("scaling", tenants=10 * tenants, incidents=100) as here:
        for count in (max(1, tenants // 10), tenants, 10 * tenants):
            dest = OUTPUT / f"incidents-{count}.ndjson"
            command = playbook("fleet", here.fleet(count), dest=str(dest), return_tenants=returned)
            found[count] = measure(command, environment(here), here)
            _check_lines(dest, 100 * count)
            dest.unlink()
            print(f"{count:6d} tenants x 100 incidents: {_line(found[count])}", flush=True)
    return found


def results_of(runs: Mapping[str, list[Measured]], scaling: Mapping[int, Measured], tenants: int) -> dict[str, Any]:
    """Return the medians and the ratios that are promised."""
    medians = {letter: statistics.median(run.seconds for run in measured) for letter, measured in runs.items()}

    def ratio(over: str, under: str) -> float | None:
        return round(medians[over] / medians[under], 3) if over in medians and under in medians else None

    results: dict[str, Any] = {
        "tenants": tenants,
        "rounds": {letter: len(measured) for letter, measured in runs.items()},
        "machine": f"{processor()}, {os.cpu_count()} cores",
        "software": f"Python {platform.python_version()}, ansible-core {metadata.version('ansible-core')}",
        **{letter: round(seconds, 3) for letter, seconds in medians.items()},
        "host_loop_vs_noop": ratio("b", "a"),
        "module_vs_host_loop": ratio("c", "b"),
        "uri_vs_host_loop": ratio("d", "b"),
        "fleet_vs_aiohttp": ratio("e", "f"),
        "uri_vs_fleet": ratio("d", "e"),
        "host_loop_limit_vs_noop": ratio("g", "a"),
        "host_loop_vs_limit": ratio("b", "g"),
        "library_vs_aiohttp": ratio("h", "f"),
        "fleet_vs_library": ratio("e", "h"),
        "fleet_vs_library_and_start": round(medians["e"] / (medians["h"] + medians["i"]), 3) if {"e", "h", "i"} <= set(medians) else None,
        "cpu_ms_per_tenant": {letter: _median(measured, "cpu") / tenants * 1000 for letter, measured in runs.items()},
        "emulator_cpu_ms_per_tenant": {letter: _median(measured, "emulator_cpu") / tenants * 1000 for letter, measured in runs.items()},
        "requests_per_tenant": {letter: _median(measured, "requests") / tenants for letter, measured in runs.items()},
    }
    if scaling:
        most, middle = scaling[10 * tenants], scaling[tenants]
        results["time_10k_vs_1k"] = round(most.seconds / middle.seconds, 3)
        results["peak_mb_10k"] = round(most.peak_mb, 1)
        results["peak_10k_vs_1k"] = round(most.peak_mb / middle.peak_mb, 3)
        results["scaling"] = {
            str(count): {
                "seconds": round(run.seconds, 2),
                "peak_mb": round(run.peak_mb, 1),
                "cpu": round(run.cpu, 2),
                "emulator_cpu": round(run.emulator_cpu, 2),
                "requests": run.requests,
            }
            for count, run in scaling.items()
        }
    return results


def processor() -> str:
    """Return the name of the processor, where the system tells it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _median(measured: Sequence[Measured], name: str) -> float:
    return round(float(statistics.median(getattr(run, name) for run in measured)), 3)


def report(results: Mapping[str, Any]) -> str:
    """Return the results as tables in Markdown."""
    lines = [
        f"{results['tenants']} tenants, medians of the rounds; {results['machine']}, {results['software']}.",
        "",
        "| | run | rounds | seconds | CPU ms per tenant | emulator's CPU ms per tenant | requests per tenant |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {letter} | {WHAT[letter]} | {results['rounds'][letter]} | {results[letter]:.2f} | {results['cpu_ms_per_tenant'][letter]:.2f}"
        f" | {results['emulator_cpu_ms_per_tenant'][letter]:.2f} | {results['requests_per_tenant'][letter]:.2f} |"
        for letter in WHAT
        if letter in results
    ]
    lines += ["", "| ratio | value |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in results.items() if "_vs_" in name or name == "peak_mb_10k"]
    if "scaling" in results:
        lines += ["", "| tenants x 100 incidents | seconds | CPU s | emulator's CPU s | peak MiB | requests |", "|---|---|---|---|---|---|"]
        lines += [
            f"| {count} | {run['seconds']} | {run['cpu']} | {run['emulator_cpu']} | {run['peak_mb']} | {run['requests']} |"
            for count, run in results["scaling"].items()
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print and keep."""
    tenants = int(os.environ.get("BENCH_TENANTS") or 1000)
    rounds = int(os.environ.get("BENCH_ROUNDS") or 3)
    letters = "".join(letter for letter in os.environ.get("BENCH_ONLY") or "abcdefghi" if letter in WHAT)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    (OUTPUT / "ansible.cfg").write_text("[defaults]\n", encoding="utf-8")
    slow_rounds = int(os.environ.get("BENCH_SLOW_ROUNDS") or rounds)
    runs = compare(tenants, rounds, slow_rounds, letters) if letters else {}
    scaling = scale(tenants) if os.environ.get("BENCH_SCALING", "1") != "0" else {}
    results = results_of(runs, scaling, tenants)
    (OUTPUT / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    text = report(results)
    (OUTPUT / "report.md").write_text(text, encoding="utf-8")
    (OUTPUT / "plot.svg").write_text(bars(results), encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
