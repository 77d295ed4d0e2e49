# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the gates, all of them even when one fails, and close with one line of counts.

    python tests/tools/run_gates.py [--jobs N] [GATE …]

Sets up what the gates need first. Each gate's output goes to ``build/test/GATE.log`` and is shown when the gate fails. The last line
is ``N passed, N failed, N skipped``: every pytest test and every sanity test counts, any other gate counts as one.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from environments import ROOT, SetupError, ensure, locked
from gates import EXTRA_GATES, GATES, LOGS, Counts, Gate, GateError, Step, gate_environment, usable_path

# Far above what any gate takes; a gate that hangs must not take the whole run with it.
GATE_TIMEOUT_SECONDS = 1800
# More of a log than this helps nobody on a terminal; the file has all of it.
SHOWN_LINES = 150


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a gate."""

    gate: Gate
    counts: Counts
    seconds: float
    log: Path
    output: str


class Processes:
    """The commands that run now, so that an interrupt ends them and what they started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def run(self, step: Step, *, env: dict[str, str], output: TextIO, timeout: float) -> bool:
        """Run one step with its output in ``output``; True when it ended with 0 in time."""
        with self._lock:
            if self._stopped:
                return False
            process = subprocess.Popen(
                step.command,
                cwd=step.cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running.add(process)
        try:
            return process.wait(timeout=timeout) == 0
        except subprocess.TimeoutExpired:
            self._end(process)
            output.write(f"\nended: the gate took longer than {GATE_TIMEOUT_SECONDS} s\n")
            return False
        finally:
            with self._lock:
                self._running.discard(process)

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(timeout=10)
            except ProcessLookupError:
                return
            except subprocess.TimeoutExpired:
                continue
            return

    def stop(self) -> None:
        """End everything and start nothing more."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for process in running:
            self._end(process)


def run_gate(gate: Gate, processes: Processes) -> Outcome:
    """Run the steps of one gate until one fails; wait while another run of this checkout has the same gate in hand."""
    with locked(LOGS / f"{gate.name}.lock"):
        return _run_steps(gate, processes)


def _run_steps(gate: Gate, processes: Processes) -> Outcome:
    started = time.monotonic()
    log = LOGS / f"{gate.name}.log"
    ok = True
    with log.open("w", encoding="utf-8") as output:
        try:
            for step in gate.steps():
                output.write(f"$ {' '.join(step.command)}\n")
                output.flush()
                left = GATE_TIMEOUT_SECONDS - (time.monotonic() - started)
                ok = processes.run(step, env=gate_environment(gate.paths(), step.env), output=output, timeout=left)
                if not ok:
                    break
        except GateError as exc:
            ok = False
            output.write(f"{exc}\n")
        except Exception:  # noqa: BLE001 - a broken gate is a failed gate; the others still run
            ok = False
            output.write(traceback.format_exc())
    text = log.read_text(encoding="utf-8", errors="replace")
    return Outcome(gate=gate, counts=gate.count(text, ok), seconds=time.monotonic() - started, log=log, output=text)


def show(outcome: Outcome) -> None:
    """Print a gate's line, and its output when it failed."""
    word = "FAILED" if outcome.counts.failed else "ok"
    details = ", ".join(part for part in (str(outcome.counts), outcome.gate.summary(outcome.output)) if part)
    print(f"{word:<7}{outcome.gate.name:<24}{outcome.seconds:>6.1f} s   {details}", flush=True)
    if outcome.counts.failed:
        noise = outcome.gate.noise
        lines = [line for line in outcome.output.splitlines() if not noise or not re.match(noise, line)]
        if len(lines) > SHOWN_LINES:
            print(f"        … {len(lines) - SHOWN_LINES} lines more in {outcome.log.relative_to(ROOT)}")
        for line in lines[-SHOWN_LINES:]:
            print(f"    | {line}")
        sys.stdout.flush()


def run(gates: Sequence[Gate], *, jobs: int) -> list[Outcome]:
    """Run the gates, ``jobs`` at a time, and show each as it ends."""
    processes = Processes()
    outcomes: list[Outcome] = []
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        futures = [pool.submit(run_gate, gate, processes) for gate in gates]
        try:
            for future in as_completed(futures):
                outcomes.append(future.result())
                show(outcomes[-1])
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            processes.stop()
            raise
    return outcomes


def run_and_close(gates: Sequence[Gate], *, jobs: int, started: float, before: Counts = Counts()) -> int:  # noqa: B008 - frozen
    """Run the gates, print the closing lines and return the exit status.

    :param started: when the work began, as ``time.monotonic()`` says it.
    :param before: what is already known and belongs into the counts.
    """
    LOGS.mkdir(parents=True, exist_ok=True)
    usable_path()
    print(f"running {len(gates)} gates, {jobs} at a time; logs in {LOGS.relative_to(ROOT)}", flush=True)
    try:
        outcomes = run(gates, jobs=jobs)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    total = sum((outcome.counts for outcome in outcomes), before)
    failed = [outcome.gate.name for outcome in outcomes if outcome.counts.failed]
    print(f"{len(outcomes)} gates in {time.monotonic() - started:.0f} s" + (f"; failed: {', '.join(failed)}" if failed else ""))
    # The closing line: alone, in the plain form that tools read.
    print(total, flush=True)
    return 1 if total.failed else 0


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    known = [gate.name for gate in (*GATES, *EXTRA_GATES)]
    parser = argparse.ArgumentParser(description="Run the gates of this repository.")
    parser.add_argument("names", nargs="*", metavar="GATE", help=f"gates to run, in place of all: {', '.join(known)}")
    parser.add_argument(
        "--jobs", type=int, default=max(1, min(2, os.cpu_count() or 1)), help="gates at the same time (default: %(default)s)"
    )
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(known))
    if unknown:
        parser.error(f"no such gate: {', '.join(unknown)}; there are {', '.join(known)}")
    return arguments


def main() -> int:
    """Command line entry."""
    arguments = parse_arguments()
    gates = [gate for gate in (*GATES, *EXTRA_GATES) if gate.name in arguments.names] if arguments.names else list(GATES)
    started = time.monotonic()
    try:
        ensure(sorted({name for gate in gates for name in (*gate.environments, *gate.witnesses)}))
    except SetupError as exc:
        print(f"set-up failed: {exc}", file=sys.stderr)
        return 1
    return run_and_close(gates, jobs=arguments.jobs, started=started)


if __name__ == "__main__":
    sys.exit(main())
