# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads incidents from a service that does its worst, and counts what was lost and what came twice.

Each seed reads incrementally, as a SIEM would, and in between whole lists with a filter that incidents join and leave meanwhile.

`make hostile SEEDS=20` runs seeds and closes with `20 seeds, 0 lost, 0 duplicated`; `make hostile SEEDS=1 FIRST=17` replays one.
A seed decides the data, the service's behaviour, the faults, the steps of the clock and when the reader is killed. What had to be
delivered is counted from the versions that the emulator recorded, by rules that know nothing of the reader.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.m365d.partner.plugins.module_utils._core.errors import PartnerError
from ansible_collections.m365d.partner.plugins.module_utils._core.transport import Response, Transport
from ansible_collections.m365d.partner.plugins.module_utils._ops import _session
from ansible_collections.m365d.partner.plugins.module_utils._ops._task import Task
from ansible_collections.m365d.partner.plugins.module_utils._ops.incidents import OPERATION
from integration.harness import FABRIKAM, Emulator

Version = tuple[str, str]

_KILLED = 137
_ROUNDS = 4
_OVERLAP_SECONDS = 900
# How much later than its last update a version may become visible; with the steps of the clock, well inside the overlap.
_LATE_SECONDS = 120
_CLOCK_STEP_SECONDS = 300
# Each eighth seed has a thousand incidents with one and the same last update.
_CROWDED_EVERY = 8
_QUIET = {
    "updates_per_page": 0,
    "adds_per_page": 0,
    "late_per_page": 0,
    "partial": 0,
    "warning": 0,
    "expand_fails_always": False,
    "expand_fails_above": None,
}


@dataclass
class Verdict:
    """What one seed came to."""

    seed: int
    lost: set[Version] = field(default_factory=set)
    duplicated: set[Version] = field(default_factory=set)
    invented: set[Version] = field(default_factory=set)
    delivered: int = 0
    readings: int = 0
    broken_off: int = 0
    passed_over: set[str] = field(default_factory=set)
    lists: int = 0

    @property
    def good(self) -> bool:
        """Whether everything came, once."""
        return not (self.lost or self.duplicated or self.invented or self.passed_over)

    def line(self) -> str:
        """One line for people, with the way to replay it where it is needed."""
        text = (
            f"seed {self.seed}: {self.delivered} delivered in {self.readings} readings, {self.broken_off} of them broken off, "
            f"and {self.lists} lists that were called complete"
        )
        if self.good:
            return text
        faults = {"lost": self.lost, "twice": self.duplicated, "never there": self.invented, "not in a complete list": self.passed_over}
        named = "; ".join(f"{len(found)} {name}: {sorted(found)[:5]}" for name, found in faults.items() if found)
        return f"{text}; {named}; replay it with: make hostile SEEDS=1 FIRST={self.seed}"


def run_seed(seed: int) -> Verdict:
    """Play one seed and return its verdict. The cloud is a new one, so that a seed goes the same way whatever was played before."""
    with tempfile.TemporaryDirectory() as directory:
        emulator = Emulator.start(Path(directory) / "state")
        try:
            return run_seed_with(Play, emulator, seed)
        finally:
            emulator.stop()


def run_seed_with(play: Callable[[Emulator, int, str, Path], Play], emulator: Emulator, seed: int, *, tenant_id: str = FABRIKAM) -> Verdict:
    """Play one seed with another reader and return its verdict."""
    with tempfile.TemporaryDirectory() as directory:
        return play(emulator, seed, tenant_id, Path(directory)).run()


@dataclass(frozen=True)
class Reading:
    """A reading that ended well."""

    complete: bool


class Play:
    """One seed; a subclass may read in another way."""

    def __init__(self, emulator: Emulator, seed: int, tenant_id: str, directory: Path) -> None:
        self.emulator = emulator
        self.rng = random.Random(seed)
        self.tenant_id = tenant_id
        self.directory = directory
        self.api = self.rng.choice(["graph", "graph", "defender"])
        self.include_alerts = self.rng.random() < 0.3
        self.cursor: dict[str, Any] = {}
        self.delivered: list[Version] = []
        self.owed: set[Version] = set()
        self.verdict = Verdict(seed)

    def run(self) -> Verdict:
        """Read in rounds while the service does its worst, then until it is quiet, and count."""
        self._prepare()
        try:
            for _round in range(_ROUNDS):
                self._misbehave()
                self._read(kill=self.rng.random() < 0.4, limit=self.rng.choice([None, None, 20, 75]))
                self._list()
        finally:
            self._calm_down()
        for _reading in range(2):
            self._read(kill=False, limit=None)
        self._count()
        return self.verdict

    def _prepare(self) -> None:
        crowded = self.verdict.seed % _CROWDED_EVERY == 0
        settings = {
            "incidents": 1_040 if crowded else self.rng.choice([0, 7, 60, 260]) + self.rng.randrange(5),
            "same_timestamp": 1_000 if crowded else self.rng.choice([0, 0, 30, 130]),
            "alerts_per_incident": 1,
            "next_link": self.rng.choice(["skip", "skiptoken"]),
            "defender_next_link": self.rng.random() < 0.3,
            "order": self.rng.choice(["lastUpdate", "created"]),
            "max_skip": self.rng.choice([None, None, 100]),
        }
        settings["same_timestamp"] = min(settings["same_timestamp"], settings["incidents"])
        self._security("PATCH", "settings", settings)

    def _misbehave(self) -> None:
        self._security(
            "PUT",
            "hostile",
            {
                "seed": self.rng.randrange(2**31),
                "updates_per_page": self.rng.choice([0, 0.5, 3]),
                "adds_per_page": self.rng.choice([0, 1]),
                "late_per_page": self.rng.choice([0, 0.5]),
                "late_seconds": _LATE_SECONDS,
                "same_tick": self.rng.choice([0, 0.5]),
                "event_limit": 300,
                "partial": self.rng.choice([0, 0, 0.2]),
                "warning": self.rng.choice([0, 0, 0.2]),
                "missing_fields": self.rng.choice([0, 0.3]),
                "pascal_case": self.rng.choice([0, 0.3]),
                "extra_fields": self.rng.choice([0, 0.3]),
                "shuffle_ties": self.rng.random() < 0.5,
                "expand_fails_above": self.rng.choice([None, 20]),
                "expand_fails_always": self.rng.random() < 0.1,
            },
        )
        faults: list[dict[str, Any]] = [{"status": 500}, {"status": 503}, {"throttle": None}, {"reset": True}, {"truncate": 0.5}]
        for fault in self.rng.sample(faults, self.rng.randrange(4)):
            rule = {"family": self.api, "tenant": self.tenant_id, "probability": 0.08, **fault}
            self.emulator.admin("POST", "/faults", rule)
        if self.rng.random() < 0.3:
            self.emulator.admin("POST", "/clock", {"step": self.rng.choice([-1, 1, 3]) * _CLOCK_STEP_SECONDS})

    def _calm_down(self) -> None:
        self.emulator.admin("DELETE", "/faults")
        self._security("PUT", "hostile", _QUIET)

    def _read(self, *, kill: bool, limit: int | None) -> None:
        before = self._present()
        reading = self.read_once(kill=kill, limit=limit)
        self.verdict.readings += 1
        if reading is None:
            self.verdict.broken_off += 1
        elif reading.complete:
            # What was there all the time cannot have been overlooked.
            self.owed |= before & self._present()

    def read_once(self, *, kill: bool, limit: int | None) -> Reading | None:
        """Read what was not delivered yet, keep it and the cursor; None where the reading broke off."""
        dest = self.directory / f"{self.verdict.readings}.ndjson"
        result = _in_a_process(self._params(dest, limit), kill_after=self.rng.randrange(1, 12) if kill else None)
        if result is None:
            assert not dest.exists(), "a reading that broke off left a file"
            return None
        incidents = [json.loads(line) for line in dest.read_text(encoding="ascii").splitlines()]
        assert len(incidents) == result["count"]
        self.delivered += [(incident["id"], incident["last_update_date_time"]) for incident in incidents]
        self.cursor = result["cursor"]
        return Reading(complete=result["complete"])

    def everything_delivered(self) -> list[Version]:
        """Return every version that was delivered, as often as it was."""
        return self.delivered

    def _list(self) -> None:
        """Read what is active as one list; what was active all the time has to be in it where it says that it is complete."""
        order = self.rng.choice(["updated_desc", "updated_desc", "updated_asc", "created_desc"])
        before = self._versions()
        own = {"cursor": None, "dest": None, "status": ["active"], "order_by": order}
        result = _in_a_process({**self._params(self.directory / "none", None), **own}, kill_after=None)
        after = self._versions()
        if result is None or not result["complete"]:
            return
        found = [incident["id"] for incident in result["incidents"]]
        assert len(found) == len(set(found)), "a list holds an incident twice"
        # What appears late in the middle of a list can make up, in the count, for what left it: only Graph's count is fooled by that.
        if self.api == "graph" and any(version["late"] for version in after[len(before) :]):
            return
        self.verdict.lists += 1
        active = {entry["id"]: entry["status"] == "active" for entry in sorted(before, key=lambda entry: entry["sequence"])}
        changed = {version["id"] for version in after[len(before) :] if version["status"] != "active"}
        self.verdict.passed_over |= {number for number, kept in active.items() if kept} - changed - set(found)

    def _params(self, dest: Path, limit: int | None) -> dict[str, Any]:
        defaults = {name: spec.get("default") for name, spec in OPERATION.argument_spec.items()}
        connection = {name.removeprefix("m365d_"): value for name, value in self.emulator.reader.items()}
        own = {
            "tenant_id": self.tenant_id,
            "api": self.api,
            "include_alerts": self.include_alerts,
            "cursor": self.cursor,
            "overlap": str(_OVERLAP_SECONDS),
            "limit": limit,
            "dest": str(dest),
        }
        return {**defaults, **connection, **own}

    def _present(self) -> set[Version]:
        """Return the present version of each incident, as the emulator knows it."""
        latest: dict[str, str] = {}
        for version in sorted(self._versions(), key=lambda entry: entry["sequence"]):
            latest[version["id"]] = version["lastUpdateDateTime"]
        return {(incident_id, _canonical(updated)) for incident_id, updated in latest.items()}

    def _versions(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._security("GET", "versions")["versions"]
        return found

    def _count(self) -> None:
        delivered = self.everything_delivered()
        unique = set(delivered)
        existed = {(entry["id"], _canonical(entry["lastUpdateDateTime"])) for entry in self._versions()}
        self.verdict.delivered = len(delivered)
        self.verdict.lost = (self.owed | self._present()) - unique
        self.verdict.duplicated = {version for version in unique if delivered.count(version) > 1}
        self.verdict.invented = unique - existed

    def _security(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return self.emulator.admin(method, f"/security/{self.tenant_id}/{path}", body)


def _canonical(updated: str) -> str:
    """Return an instant of the emulator (up to seven digits) with all seven."""
    whole, _point, fraction = updated.rstrip("Z").partition(".")
    return f"{whole}.{fraction:0<7}Z"


def _in_a_process(params: Mapping[str, Any], *, kill_after: int | None) -> dict[str, Any] | None:
    """Run the operation in a process of its own, which ends at once with the given request; None where it did not end well."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        status = 1
        try:
            _die_with_request(kill_after)
            with os.fdopen(writing, "w", encoding="utf-8") as pipe:
                json.dump(OPERATION.run(Task(params=params)).result, pipe)
            status = 0
        except PartnerError:
            status = 2
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        text = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 2, _KILLED), f"the reader ended with status {status}"
    return json.loads(text) if status == 0 else None


def _die_with_request(number: int | None) -> None:
    """Let nothing wait in this process, and let it die with one of its requests."""
    original = Transport._send_once
    left = [number]

    def _counted(self: Transport, *args: Any, **options: Any) -> Response:
        if left[0] is not None:
            left[0] -= 1
            if left[0] == 0:
                os._exit(_KILLED)
        return original(self, *args, **options)

    Transport._send_once = _counted  # type: ignore[method-assign]
    _session._transport.cache_clear()
    make = _session._transport.__wrapped__

    def _impatient(*args: Any) -> Transport:
        transport = make(*args)
        transport._sleep = lambda _seconds: None
        return transport

    _session._transport = _impatient  # type: ignore[assignment]


def main(arguments: list[str]) -> int:
    """Run seeds and say how they went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--seed", type=int, help="replay this one alone")
    options = parser.parse_args(arguments)
    seeds = [options.seed] if options.seed is not None else list(range(options.first, options.first + options.seeds))
    lost = duplicated = 0
    for seed in seeds:
        verdict = run_seed(seed)
        lost += len(verdict.lost) + len(verdict.passed_over)
        duplicated += len(verdict.duplicated) + len(verdict.invented)
        print(verdict.line(), flush=True)
    print(f"{len(seeds)} seeds, {lost} lost, {duplicated} duplicated")
    return 1 if lost or duplicated else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
