# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A file that grows: each version of an incident once, one JSON object per line, rotated by size and by day.

The file itself says what was delivered. A delivery that broke off is made again, since the cursor did not move; what the
file holds already is left out then. So that the whole file is not read for each delivery, a small file beside it (the
ledger) names, for each tenant, the cursor that the last delivery began at (`from`), the one that it led to (`to`), where in
the file it began, and what the file holds that these cursors do not know of (`ahead`, `left`). It is written before the
first line of the delivery:

- A delivery that begins at `to` follows the last one: nothing of it is there but what is in `left`. Something is left where
  an attempt that broke off had read more than the one that succeeded.
- One that begins at `from` is a repetition: what is there lies behind the place where the first attempt began, or was
  `ahead` of it.
- Any other begins at a cursor that was lost, restored or made by somebody else: all files are searched.

A version that is older than what a cursor will ever look at again need not be remembered.
A line that a crash tore is taken back before anything is added.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from typing import Any

from ..errors import OptionError
from .batch import Batch, Delivered, Version, version_in
from .durable import explained, locked, replace_file, sync_directory, write_all

_FORMAT = 1
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Rotation:
    """When a new file is begun, and how many old ones stay.

    :param max_bytes: a file does not grow beyond this, unless by a single line; None for no limit.
    :param daily: whether each day (UTC) has files of its own.
    :param keep: how many old files stay; None for all.
    """

    max_bytes: int | None = None
    daily: bool = False
    keep: int | None = None


@dataclass(frozen=True)
class Span:
    """The cursors that a delivery begins at and leads to, None where they are not known."""

    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None

    @cached_property
    def starts(self) -> dict[str, str]:
        """By tenant, the last update from which on later readings look at incidents again; empty for all of them."""
        if self.before is None or not self.after:
            return {}
        cursors = [self.after] if "tenant_id" in self.after else [entry for entry in self.after.values() if isinstance(entry, Mapping)]
        return {str(cursor.get("tenant_id") or "").lower(): str(cursor.get("seen_from") or "") for cursor in cursors}

    @property
    def stream(self) -> str | None:
        """The name under which the ledger knows the tenant, or the tenants, of these cursors."""
        return ",".join(sorted(self.starts)) or None

    def may_come_again(self, version: Version) -> bool:
        """Whether a reading that begins at the later cursor may bring this version."""
        start = self.starts.get(version[0])
        return start is not None and (not version[2] or version[2] >= start)


def digest(cursor: Mapping[str, Any]) -> str:
    """Return what the ledger knows a cursor by: the same for the same cursor."""
    return hashlib.sha256(json.dumps(cursor, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True)
class _Last:
    """The last delivery of a stream.

    :param begun, led: digests of the cursors that it began at and that it led to.
    :param generation, offset: where in the files the first attempt at it began.
    :param ahead: what the files held before that place although the first cursor does not know of it.
    :param left: what the files hold, the delivery included, although the second cursor does not know of it.
    """

    begun: str
    led: str
    generation: int
    offset: int
    ahead: frozenset[Version]
    left: frozenset[Version]

    @classmethod
    def read(cls, entry: Mapping[str, Any]) -> _Last:
        """Return what the ledger says; raise `KeyError`, `TypeError` or `ValueError` for anything else."""
        ahead, left = (frozenset(_version(version) for version in entry[name]) for name in ("ahead", "left"))
        offset = int(entry["offset"])
        if offset < 0:
            raise ValueError(offset)
        return cls(str(entry["from"]), str(entry["to"]), int(entry["generation"]), offset, ahead, left)

    def as_dict(self) -> dict[str, Any]:
        """Return what the ledger keeps."""
        return {
            "from": self.begun,
            "to": self.led,
            "generation": self.generation,
            "offset": self.offset,
            "ahead": sorted(self.ahead),
            "left": sorted(self.left),
        }


def _version(value: Any) -> Version:
    tenant, incident, update = value
    return str(tenant), str(incident), str(update)


@dataclass
class _Ledger:
    """What the ledger says.

    :param generation: the number that the file gets when it is rotated, as far as the ledger knows.
    """

    generation: int = 1
    streams: dict[str, _Last] = field(default_factory=dict)

    @classmethod
    def read(cls, path: str) -> _Ledger:
        """Return the ledger; an empty one, which leads to a search of all files, where there is none or it is damaged."""
        try:
            with open(path, "rb") as file:
                content = json.load(file)
            if content["format"] != _FORMAT:
                return cls()
            return cls(int(content["generation"]), {str(name): _Last.read(entry) for name, entry in content["streams"].items()})
        except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def text(self) -> bytes:
        """Return the ledger as it is kept."""
        streams = {name: last.as_dict() for name, last in self.streams.items()}
        content = {"format": _FORMAT, "generation": self.generation, "streams": streams}
        return json.dumps(content, sort_keys=True, separators=(",", ":")).encode() + b"\n"


@dataclass(frozen=True)
class _Found:
    """What the files hold before a delivery.

    :param present: which of the batch's versions.
    :param begins: generation and offset of the place behind which all of this delivery lies, but for `ahead`.
    :param searched: whether all files were searched, since nobody knows where the delivery began.
    """

    present: frozenset[Version]
    begins: tuple[int, int]
    ahead: frozenset[Version]
    left: frozenset[Version]
    searched: bool = False


class GrowingFile:
    """The file, its older generations and its ledger.

    :param path: the file that lines are added to.
    :param mode: the mode of new files.
    :param now: the present instant, aware.
    """

    def __init__(self, path: str, *, rotation: Rotation, mode: int, now: datetime) -> None:
        self.path = path
        self._rotation = rotation
        self._mode = mode
        self._today = _day(now.astimezone(timezone.utc))
        self._directory, self._name = os.path.split(os.path.abspath(path))
        self._stem, self._ending = os.path.splitext(self._name)
        self._old_name = re.compile(rf"{re.escape(self._stem)}-\d{{8}}-(\d{{6,}}){re.escape(self._ending)}")
        self.rotated: list[str] = []

    def check(self) -> None:
        """Raise `OptionError` where the path is no place for a file."""
        if not os.path.isdir(self._directory):
            raise OptionError(f"file.path '{self.path}' is in no directory.", next_step=f"Make the directory '{self._directory}'.")
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISREG(os.lstat(self.path).st_mode):
                raise OptionError(f"file.path '{self.path}' is not a plain file.", next_step="Name a plain file: links are not followed.")

    def deliver(self, batch: Batch, span: Span, *, dry_run: bool = False) -> Delivered:
        """Add what the file does not hold yet, and return what became of the batch.

        :raises PartnerError: where the file system refuses; what was added stays, and is not added again.
        """
        self.check()
        with explained("file.path", self.path), locked(self._beside("lock"), dry_run=dry_run):
            wanted = {entry.version for entry in batch}
            if not wanted:
                return Delivered()
            if not dry_run:
                self._repair()
            ledger = _Ledger.read(self._beside("ledger"))
            ledger.generation = max([ledger.generation, *(number + 1 for number, _path in self._old())])
            found = self._find(wanted, ledger, span)
            if dry_run:
                return _told(batch, found.present)
            self._note(ledger, span, found)
            if len(found.present) == len(wanted):
                return _told(batch, found.present)
            self._prune(before=ledger.generation if found.searched else found.begins[0])
            if self._is_of_another_day():
                self._rotate(ledger)
            return self._add(batch, found.present, ledger)

    def _beside(self, what: str) -> str:
        return os.path.join(self._directory, f".{self._name}.{what}")

    def _old(self) -> list[tuple[int, str]]:
        """Return the older generations, the oldest first."""
        found = [(match, name) for name in os.listdir(self._directory) if (match := self._old_name.fullmatch(name))]
        return sorted((int(match[1]), os.path.join(self._directory, name)) for match, name in found)

    def _size(self) -> int:
        try:
            return os.stat(self.path).st_size
        except FileNotFoundError:
            return 0

    def _repair(self) -> None:
        """Take back a last line that has no end: the process that wrote it died, and its cursor did not move."""
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return
        try:
            size = os.fstat(descriptor).st_size
            end = _end_of_last_line(descriptor, size)
            if end != size:
                os.ftruncate(descriptor, end)
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _find(self, wanted: set[Version], ledger: _Ledger, span: Span) -> _Found:
        """Return what the files hold of the wanted versions, and of what later readings may bring."""
        files = [*self._old(), (ledger.generation, self.path)]
        last = ledger.streams.get(span.stream or "")
        begun = None if span.before is None else digest(span.before)
        if last is not None and begun == last.led:
            here = (ledger.generation, self._size())
            return _Found(last.left & wanted, here, ahead=last.left, left=last.left - wanted)
        if last is not None and begun == last.begun and self._holds(files, last):
            behind = [entry for entry in files if entry[0] >= last.generation]
            present, left = _search(behind, last.offset, wanted, span)
            left |= {version for version in last.ahead if span.may_come_again(version)} - wanted
            return _Found(
                frozenset(present | (last.ahead & wanted)), (last.generation, last.offset), ahead=last.ahead, left=frozenset(left)
            )
        present, left = _search(files, 0, wanted, span)
        return _Found(frozenset(present), (files[0][0], 0), ahead=frozenset(), left=frozenset(left), searched=True)

    def _holds(self, files: list[tuple[int, str]], last: _Last) -> bool:
        """Whether the place is there that the last delivery began at: somebody may have taken files away."""
        path = dict(files).get(last.generation)
        return path is not None and last.offset <= (os.stat(path).st_size if os.path.exists(path) else 0)

    def _note(self, ledger: _Ledger, span: Span, found: _Found) -> None:
        """Write down where the delivery begins, before its first line."""
        if span.stream and span.before is not None and span.after is not None:
            left = frozenset(version for version in found.left if span.may_come_again(version))
            ledger.streams[span.stream] = _Last(digest(span.before), digest(span.after), *found.begins, found.ahead, left)
        self._keep(ledger)

    def _keep(self, ledger: _Ledger) -> None:
        replace_file(self._beside("ledger"), ledger.text(), mode=0o600)

    def _add(self, batch: Batch, present: frozenset[Version], ledger: _Ledger) -> Delivered:
        """Add the lines of what is not present, rotating on the way."""
        report = Delivered()
        seen = set(present)
        writer = _Lines(self, size=self._size())
        try:
            for entry in batch:
                if entry.version in seen:
                    report.known += 1
                    continue
                seen.add(entry.version)
                limit = self._rotation.max_bytes
                if limit is not None and writer.size and writer.size + len(entry.line) + 1 > limit:
                    writer.close()
                    self._rotate(ledger)
                    writer = _Lines(self, size=0)
                writer.add(entry.line)
                report.took(entry)
        finally:
            writer.close()
        return report

    def open_for_adding(self) -> int:
        """Open the file for lines at its end; make it, durably, where it is not there."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            return os.open(self.path, flags)
        except FileNotFoundError:
            descriptor = os.open(self.path, flags | os.O_CREAT | os.O_EXCL, 0o600)
            os.fchmod(descriptor, self._mode)
            sync_directory(self._directory)
            return descriptor

    def _is_of_another_day(self) -> bool:
        if not self._rotation.daily or not self._size():
            return False
        return _day(datetime.fromtimestamp(os.stat(self.path).st_mtime, timezone.utc)) != self._today

    def _rotate(self, ledger: _Ledger) -> None:
        """Give the file its number, and begin the next one."""
        written = datetime.fromtimestamp(os.stat(self.path).st_mtime, timezone.utc)
        old = os.path.join(self._directory, f"{self._stem}-{_day(written)}-{ledger.generation:06d}{self._ending}")
        os.rename(self.path, old)
        sync_directory(self._directory)
        self.rotated.append(old)
        ledger.generation += 1
        self._keep(ledger)

    def _prune(self, *, before: int) -> None:
        """Remove the oldest files beyond those that stay; never one that this delivery has lines in."""
        if self._rotation.keep is None:
            return
        old = self._old()
        for number, path in old[: max(0, len(old) - self._rotation.keep)]:
            if number < before:
                os.unlink(path)


class _Lines:
    """Adds whole lines to the file, in large pieces, and makes them durable at its end."""

    def __init__(self, file: GrowingFile, *, size: int) -> None:
        self._file = file
        self._descriptor: int | None = None
        self._buffer = bytearray()
        self.size = size

    def add(self, line: bytes) -> None:
        """Add a line."""
        self._buffer += line + b"\n"
        self.size += len(line) + 1
        if len(self._buffer) >= _CHUNK_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._buffer:
            if self._descriptor is None:
                self._descriptor = self._file.open_for_adding()
            content = bytes(self._buffer)
            self._buffer.clear()
            write_all(self._descriptor, content)

    def close(self) -> None:
        """Write what is left and wait until it is on the disk."""
        try:
            self._flush()
            if self._descriptor is not None:
                os.fsync(self._descriptor)
        finally:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None


def _told(batch: Batch, present: frozenset[Version]) -> Delivered:
    """Return what a delivery would come to."""
    report = Delivered()
    seen = set(present)
    for entry in batch:
        if entry.version in seen:
            report.known += 1
        else:
            seen.add(entry.version)
            report.took(entry)
    return report


def _search(files: list[tuple[int, str]], offset: int, wanted: set[Version], span: Span) -> tuple[set[Version], set[Version]]:
    """Return which of the wanted versions the files hold, from an offset in the first one on, and which of the others may come again."""
    present: set[Version] = set()
    others: set[Version] = set()
    for _number, path in files:
        for version in _versions(path, offset):
            if version in wanted:
                present.add(version)
            elif span.may_come_again(version):
                others.add(version)
        offset = 0
    return present, others


def _versions(path: str, offset: int) -> Iterator[Version]:
    """Yield the versions that a file holds from an offset on; what is no incident is somebody else's."""
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        file.seek(offset)
        for line in file:
            version = version_in(line) if line.endswith(b"\n") else None
            if version is not None:
                yield version


def _end_of_last_line(descriptor: int, size: int) -> int:
    """Return where the last whole line of a file ends."""
    end = size
    while end:
        begin = max(0, end - _CHUNK_BYTES)
        found = os.pread(descriptor, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0


def _day(moment: datetime) -> str:
    return f"{moment:%Y%m%d}"
