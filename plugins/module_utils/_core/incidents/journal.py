# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Which tenants of a fleet are done, and with what result: what a run leaves that was interrupted, for the next one to go on.

The journal is a file beside the destination, with one line of JSON for each tenant, appended when the tenant's data is in its
place. A process may be killed at any instant: a line that is not whole is as good as none. The run that writes it holds a lock
on it, which ends with the process, so that no two runs write the same files.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from ..errors import OptionError

_FORMAT = 2
_ENDING = ".journal"


@dataclass(frozen=True)
class Entry:
    """One tenant that is done.

    :param result: what the task returns for it.
    :param end: where its data ends in the file that the tenants share.
    :param names: the columns of its rows, where they are not fixed.
    :param about: a fingerprint of what this tenant alone was asked for; empty where all were asked for the same.
    """

    result: dict[str, Any] = field(repr=False)
    end: int = 0
    names: tuple[str, ...] | None = None
    about: str = ""


def open_own(path: str, flags: int) -> int:
    """Open a file whose name is known beforehand, and make it where it is not there; return its descriptor.

    :raises OptionError: for a file that somebody else prepared, who could read what is written to it, or choose what is read.
    :raises OSError: where the file system refuses.
    """
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_nlink <= 1 and not found.st_mode & 0o077:
        return descriptor
    os.close(descriptor)
    raise OptionError(
        f"'{path}' is no file that only this user can read and write.", next_step="Remove it, or choose another directory for dest."
    )


class Journal:
    """Use as a context. At its end the file is removed, unless an exception or `keep` says that the work is not finished.

    :param dest: the destination that it belongs to.
    :param about: a fingerprint of what is read; a journal of something else is not continued.
    :param resume: whether to go on where a run was interrupted.
    :param force: whether to begin anew although a run was interrupted.
    :param dry_run: write nothing; look at what `resume` would go on with.
    :raises OptionError: on entry, where a run was interrupted and neither `resume` nor `force` says what to do, where it read
        something else, and where another run is at work.
    """

    def __init__(self, dest: str, *, about: str, resume: bool, force: bool, dry_run: bool = False) -> None:
        self.path = dest + _ENDING
        self.keep = False
        self._dest = dest
        self._about = about
        self._resume = resume
        self._force = force
        self._dry_run = dry_run
        self._descriptor = -1
        # Those of the run before. What this run adds is not looked for again, and ten thousand results would stay in memory.
        self._entries: dict[str, Entry] = {}
        self._added = 0
        self._end = 0
        self._names: tuple[str, ...] | None = None
        self._begun: set[str] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Journal:
        if self._dry_run and not (self._resume and os.path.lexists(self.path)):
            return self
        try:
            # Without the lock: a run that is at work may go on.
            self._descriptor = open_own(self.path, os.O_RDONLY) if self._dry_run else self._locked()
            self._load()
        except OSError as exc:
            self._close()
            raise OptionError(f"dest cannot be written: {exc}.", next_step="Choose a writable directory with some room.") from exc
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._dry_run:
            self._close()
            return
        if not (self.count or self._begun) or not (self.keep or kind):
            with contextlib.suppress(OSError):
                os.unlink(self.path)
        self._close()

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    @property
    def count(self) -> int:
        """How many tenants are done."""
        return len(self._entries) + self._added

    @property
    def end(self) -> int:
        """Where the data of the tenants that are done ends in the file that they share."""
        return self._end

    @property
    def names(self) -> tuple[str, ...] | None:
        """The columns that the tenants that are done share; None where there are none."""
        return self._names

    def find(self, tenant_id: str) -> Entry | None:
        """Return what is known of a tenant that a run before this one has done, None for any other."""
        return self._entries.get(tenant_id)

    def was_begun(self, tenant_id: str) -> bool:
        """Whether a run was killed while it gave a file to a tenant that had none. One that is there now is of that run."""
        return tenant_id in self._begun

    def begin(self, tenant_id: str) -> None:
        """Note that a tenant has no file, and is about to get one.

        A process may be killed when the file has its name, and the journal does not yet say that the tenant is done.

        :raises OSError: where the line could not be written; nothing of it is left then.
        """
        with self._lock:
            if not self._dry_run:
                self._append({"begun": tenant_id})

    def give_up(self, tenant_id: str) -> None:
        """Note that a tenant that was begun has got no file."""
        with self._lock, contextlib.suppress(OSError):
            if not self._dry_run:
                self._append({"given_up": tenant_id})

    def add(self, tenant_id: str, entry: Entry) -> None:
        """Note that a tenant is done.

        :raises OSError: where the line could not be written; nothing of it is left then.
        """
        with self._lock:
            if not self._dry_run:
                self._append({"tenant_id": tenant_id, "end": entry.end, "names": entry.names, "about": entry.about, "result": entry.result})
            self._entries.pop(tenant_id, None)
            self._added += 1
            self._keep_place(entry)

    def _keep_place(self, entry: Entry) -> None:
        self._end = max(self._end, entry.end)
        self._names = self._names or entry.names

    def _locked(self) -> int:
        """Return the journal, opened and locked."""
        while True:
            descriptor = open_own(self.path, os.O_RDWR | os.O_APPEND)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                os.close(descriptor)
                raise OptionError(
                    f"Another run is writing '{self._dest}'.", next_step="Wait until it has ended, or choose another dest."
                ) from exc
            # Whoever had the lock before may have removed the file meanwhile.
            if os.path.exists(self.path) and os.path.samestat(os.stat(self.path), os.fstat(descriptor)):
                return descriptor
            os.close(descriptor)

    def _load(self) -> None:
        about, entries, begun, whole = self._read()
        if (entries or begun) and not self._resume and not self._force:
            raise OptionError(
                f"A run that was interrupted, or that could not read all tenants, has left '{self.path}', with {len(entries)} tenants "
                "that are done.",
                next_step="Set resume to go on with the others, or force to begin anew.",
            )
        if (entries or begun) and self._resume:
            if about != self._about:
                raise OptionError(
                    f"The run that was interrupted and left '{self.path}' read something else: its options differ.",
                    next_step="Give the same options as then, or set force, without resume, to begin anew.",
                )
            if not self._dry_run:
                os.ftruncate(self._descriptor, whole)
            self._entries, self._begun = entries, begun
            for entry in entries.values():
                self._keep_place(entry)
            return
        self.restart()

    def restart(self) -> None:
        """Begin anew: no tenant is done."""
        self._entries = {}
        self._added, self._end, self._names = 0, 0, None
        self._begun = set()
        if not self._dry_run:
            os.ftruncate(self._descriptor, 0)
            self._append({"format": _FORMAT, "about": self._about})

    def _read(self) -> tuple[str | None, dict[str, Entry], set[str], int]:
        """Return what the journal is about, its entries, the tenants that were begun, and how many of its bytes are whole lines."""
        about: str | None = None
        entries: dict[str, Entry] = {}
        begun: set[str] = set()
        whole = 0
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            file.seek(0)
            for line in file:
                try:
                    said: Any = json.loads(line) if line.endswith(b"\n") else None
                    if about is None:
                        about = said["about"] if said["format"] == _FORMAT else ""
                    elif "begun" in said:
                        begun.add(said["begun"])
                        # Its file was gone: what is there now is not the one that an earlier line speaks of.
                        entries.pop(said["begun"], None)
                    elif "given_up" in said:
                        begun.discard(said["given_up"])
                    else:
                        names = None if said["names"] is None else tuple(said["names"])
                        entries[said["tenant_id"]] = Entry({**said["result"]}, int(said["end"]), names, str(said["about"]))
                        begun.discard(said["tenant_id"])
                except (ValueError, TypeError, KeyError):
                    break
                whole += len(line)
        return about, entries, begun, whole

    def _append(self, said: Mapping[str, Any]) -> None:
        before = os.fstat(self._descriptor).st_size
        left = json.dumps(said).encode() + b"\n"
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError:
            os.ftruncate(self._descriptor, before)
            raise
