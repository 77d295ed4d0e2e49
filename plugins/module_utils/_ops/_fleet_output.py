# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Where a fleet writes to: one file that all tenants share, or a file for each, and how an interrupted run goes on.

Both keep a journal of the tenants that are done while the run lasts. What is wrong with the destination is found before the
first request.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from typing import Any, Optional

from .._core.errors import FleetStopped, OptionError
from .._core.guids import is_guid
from .._core.incidents.files import IncidentFile, Written, destination_for, is_per_tenant
from .._core.incidents.fleet_file import FilePart, FleetFile
from .._core.incidents.journal import Entry, Journal
from ._fleet import is_lacking, shard_of
from ._task import Operation, Outcome, Task

# What `{tenant_id}` stands for in the name of the journal.
_ALL = "all-tenants"
# Options of an operation that do not change what is read.
_NOT_ABOUT = frozenset({"force", "resume", "dest", "return_tenants"})

# Options of which each tenant may have its own, and that change what is read.
_OF_TENANT = ("api", "cloud", "login_url", "graph_url", "defender_url")

# Runs the operation for one tenant, whose data go to the part where one is given.
Single = Callable[[Task, Optional[FilePart]], Outcome]  # noqa: UP045 (evaluated, also by Python 3.9 in tests of ansible-core)
# Turns the operation for one tenant into the one for a fleet.
AsFleet = Callable[[Callable[[Task], Outcome]], Operation]


def described(written: Written) -> dict[str, Any]:
    """Return what a result says about a file."""
    return {"dest": written.path, "size": written.size, "checksum": written.checksum}


def check_wanted(params: Mapping[str, Any]) -> None:
    """Raise `OptionError` where tenants would be left out of a result that alone holds what was read of them."""
    if params["return_tenants"] != "all" and params["tenants"] is not None and not params["dest"]:
        raise OptionError(
            f"return_tenants={params['return_tenants']} without dest would throw away what was read.",
            next_step="Give dest, or leave out return_tenants.",
        )


def as_wanted(outcome: Outcome, params: Mapping[str, Any]) -> Outcome:
    """Return the outcome of a fleet with those of its tenants that `return_tenants` asks for; whatever counts them counts all.

    Ansible holds each result several times over, so that ten thousand tenants would take more memory there than reading them takes.
    """
    if params["return_tenants"] == "all":
        return outcome
    result = dict(outcome.result)
    places = [place for place, entry in enumerate(result["tenants"]) if is_lacking(entry)]
    result["tenants"] = [result["tenants"][place] for place in places]
    result["summary"] = {**result["summary"], "listed": len(places)}
    if "shard" in result:
        positions = result["shard"]["positions"]
        result["shard"] = {**result["shard"], "listed": [positions[place] for place in places]}
    return replace(outcome, result=result)


def run_with_dest(
    task: Task, single: Single, *, as_fleet: AsFleet, file_at: Callable[[str], IncidentFile], options: Collection[str]
) -> Outcome:
    """Run a fleet whose tenants write to `dest`.

    :param file_at: returns the file at a path.
    :param options: the operation's own options, which decide what is read.
    :raises OptionError: before the first request, where the destination cannot be written or is there already.
    :raises FleetStopped: where the file system refuses while the fleet runs.
    """
    dest = task.params["dest"]
    per_tenant = is_per_tenant(dest)
    if not per_tenant:
        file_at(dest).check()
    journal = Journal(
        _journal_place(dest, task.params["shard"]),
        # What is in a shared file cannot be taken out again: it is continued with the same tenants alone.
        about=_about(task.params, (*options, "api", "cloud") if per_tenant else (*options, "api", "cloud", "tenants", "shard")),
        resume=bool(task.params["resume"]),
        force=bool(task.params["force"]),
        dry_run=task.check_mode,
    )
    with journal:
        if per_tenant:
            return _run_with_own_files(task, single, as_fleet=as_fleet, file_at=file_at, journal=journal)
        return _run_with_shared_file(task, single, as_fleet=as_fleet, target=file_at(dest), journal=journal)


def _run_with_shared_file(task: Task, single: Single, *, as_fleet: AsFleet, target: IncidentFile, journal: Journal) -> Outcome:
    with FleetFile(target, journal, dry_run=task.check_mode) as file:

        def _one(one: Task) -> Outcome:
            kept = journal.find(one.params["tenant_id"])
            if kept is not None:
                return _resumed(kept)
            with file.part() as part:
                outcome = single(one, part)
                file.add(one.params["tenant_id"], part, outcome.result)
            return outcome

        outcome = as_fleet(_one).run(task)
        if outcome.result["summary"]["total"] and not outcome.result["summary"]["ok"]:
            # Nothing is known of anybody. An empty file would say that there is nothing.
            return outcome
        written = file.commit()
    return replace(outcome, result={**outcome.result, **described(written)}, changed=written.changed)


def _run_with_own_files(
    task: Task, single: Single, *, as_fleet: AsFleet, file_at: Callable[[str], IncidentFile], journal: Journal
) -> Outcome:
    _check_own_files(task, file_at, journal)

    def _one(one: Task) -> Outcome:
        tenant_id = one.params["tenant_id"]
        path = destination_for(task.params["dest"], tenant_id)
        about = _about(one.params, _OF_TENANT)
        kept = _still_there(journal, task.params["dest"], tenant_id)
        if kept is not None and kept.about == about:
            return _resumed(kept)
        is_of_that_run = kept is not None or journal.was_begun(tenant_id)
        if is_of_that_run:
            one = replace(one, params={**one.params, "force": True})
        if one.params["force"] or not os.path.lexists(path):
            with _written(journal):
                journal.begin(tenant_id)
        try:
            outcome = single(one, None)
        except BaseException:
            # A file that the interrupted run had named already is still that run's: it must not be in the way of the next one.
            if not (is_of_that_run and os.path.lexists(path)):
                journal.give_up(tenant_id)
            raise
        with _written(journal):
            journal.add(tenant_id, Entry(outcome.result, about=about))
        return outcome

    try:
        outcome = as_fleet(_one).run(task)
    except FleetStopped as exc:
        if journal.count and not task.check_mode:
            exc.message = f"{exc.message} The files of {journal.count} tenants are done."
            exc.next_step = "Make room, and run the task again with resume set."
        raise
    journal.keep = outcome.result["summary"]["ok"] < outcome.result["summary"]["total"]
    return outcome


@contextlib.contextmanager
def _written(journal: Journal) -> Iterator[None]:
    """Turn what the file system refuses to the journal into an error."""
    try:
        yield
    except OSError as exc:
        raise FleetStopped(f"'{journal.path}' could not be written: {exc.strerror or exc}.", next_step="Make room.") from exc


def _check_own_files(task: Task, file_at: Callable[[str], IncidentFile], journal: Journal) -> None:
    """Raise `OptionError` where the file of a tenant cannot be written. Of one that is named by its domain that shows later."""
    dest = task.params["dest"]
    if os.path.normpath(destination_for(dest, "one")) == os.path.normpath(destination_for(dest, "another")):
        raise _same_file(dest)
    owners: dict[str, str] = {}
    places: dict[str, str] = {}
    there = []
    directories: set[str] = set()
    shard = shard_of(task.params["shard"])
    for given in task.params["tenants"]:
        tenant_id = str(given.get("tenant_id") if isinstance(given, Mapping) else given).strip().lower()
        path = destination_for(dest, tenant_id if is_guid(tenant_id) else _ALL)
        directory = os.path.dirname(path)
        if directory not in directories and (is_guid(tenant_id) or is_per_tenant(os.path.basename(dest))):
            file_at(os.path.join(directory, os.path.basename(destination_for(dest, _ALL)))).check()
            directories.add(directory)
        if directory not in places:
            places[directory] = os.path.realpath(directory)
        # By way of links, or of "..", the file of one tenant would replace that of another.
        if is_guid(tenant_id) and owners.setdefault(os.path.join(places[directory], os.path.basename(path)), tenant_id) != tenant_id:
            raise _same_file(path)
        # The files of the other parts are theirs.
        is_known = journal.was_begun(tenant_id) or _still_there(journal, dest, tenant_id) or (shard and not shard.holds(tenant_id))
        if is_guid(tenant_id) and os.path.lexists(path) and not is_known:
            there.append(path)
    if there and not task.params["force"]:
        more = f", and {len(there) - 1} other files" if len(there) > 1 else ""
        raise OptionError(
            f"dest '{there[0]}' is there already{more}.",
            next_step="Remove what is there, choose another name, or set force to replace it.",
        )


def _same_file(path: str) -> OptionError:
    return OptionError(f"dest '{path}' is one file for several tenants.", next_step="Have {tenant_id} lead to a file for each of them.")


def _still_there(journal: Journal, dest: str, tenant_id: str) -> Entry | None:
    """Return what is known of a tenant that is done; what is not in its place any more is not done."""
    kept = journal.find(tenant_id)
    if kept is None:
        return None
    path = destination_for(dest, tenant_id)
    if os.path.isfile(path) and os.path.getsize(path) == kept.result.get("size"):
        return kept
    return None


def _resumed(kept: Entry) -> Outcome:
    return Outcome({**kept.result, "resumed": True})


def _journal_place(dest: str, shard: str | None) -> str:
    """Return what the journal is named after: the destination, or the first part of it that is the same for all tenants.

    Shards whose tenants have files of their own may run at the same time, so that each has its journal.
    """
    if not is_per_tenant(dest):
        return dest
    part = shard_of(shard)
    everyone = f"{_ALL}-{part.number}-of-{part.parts}" if part else _ALL
    head, tail = os.path.split(dest)
    while is_per_tenant(head):
        head, tail = os.path.split(head)
    return os.path.join(head, destination_for(tail, everyone))


def _about(params: Mapping[str, Any], options: Collection[str]) -> str:
    """Return a fingerprint of what is read, whoever is asked for it."""
    said = {name: params[name] for name in options if name not in _NOT_ABOUT}
    return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()
