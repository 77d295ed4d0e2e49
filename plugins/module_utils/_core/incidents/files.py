# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A file that incidents are written to as they come, and that appears only when it is whole.

The incidents go to a file beside the destination that takes its name at the end (rename(2) is atomic), so that nobody ever
reads half a file, and a reading that breaks off leaves everything as it was.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, BinaryIO, Protocol

from ..errors import FleetStopped, OptionError, PartnerError
from .schema import INCIDENT_KEYS
from .writers import FORMATS, Writer, make_writer

_TENANT_MARK = "{tenant_id}"
_READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Written:
    """What became of a file.

    :param changed: whether its content is another than before; in a dry run, whether it would be.
    :param checksum: SHA-256 of its content.
    """

    path: str
    size: int
    checksum: str
    changed: bool


class Sink(Protocol):
    """Takes incidents one at a time."""

    def write(self, incident: Mapping[str, Any]) -> None:
        """Take one incident."""


def destination_for(template: str, tenant_id: str) -> str:
    """Return the path of a tenant's file: `{tenant_id}` in the template stands for the tenant."""
    return template.replace(_TENANT_MARK, tenant_id)


def is_per_tenant(template: str) -> bool:
    """Whether each tenant has a file of its own."""
    return _TENANT_MARK in template


def format_of(path: str, chosen: str | None) -> str:
    """Return the format of a file: the chosen one, else the one that its name tells.

    :raises OptionError: where neither does.
    """
    if chosen:
        return chosen
    ending = os.path.splitext(path)[1].lower()
    for name, endings in FORMATS.items():
        if ending in endings:
            return name
    raise OptionError(
        f"The name '{path}' does not tell the format of the file.", next_step=f"Set dest_format to one of {', '.join(FORMATS)}."
    )


class IncidentFile:
    """Use as a context: what was not committed at its end is removed, and the destination is as it was.

    :param force: whether a file that is there may be replaced.
    :param keys: the keys of the schema of what is written: of incidents, unless said otherwise.
    :param sole: whether the caller sees to it that nobody else writes there. Then what a killed process left is replaced.
    :raises OptionError: on entry, where the destination cannot be written or is there already.
    """

    def __init__(
        self,
        path: str,
        file_format: str,
        *,
        force: bool = False,
        raw: bool = False,
        sole: bool = False,
        keys: tuple[str, ...] = INCIDENT_KEYS,
    ) -> None:
        self.path = path
        self.format = file_format
        self.force = force
        self._raw = raw
        self._keys = keys
        self._sole = sole

    def __enter__(self) -> IncidentFile:
        self.check()
        try:
            descriptor, self._draft = self._make_draft()
        except OSError as exc:
            raise OptionError(f"dest cannot be written: {exc}.", next_step="Choose a directory that exists and is writable.") from exc
        self._file: BinaryIO = os.fdopen(descriptor, "w+b")
        try:
            self._writer = self._open_writer(self._file)
        except PartnerError:
            self._discard()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._discard()

    def _make_draft(self) -> tuple[int, str]:
        directory, name = os.path.split(self.path)
        if not self._sole:
            return tempfile.mkstemp(prefix=f".{name}.", dir=directory or ".")
        draft = os.path.join(directory, f".{name}.draft")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft)
        return os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), draft

    def check(self) -> None:
        """Raise `OptionError` where the destination is a directory, has none, or is there already and may not be replaced."""
        if os.path.isdir(self.path):
            raise OptionError(f"dest '{self.path}' is a directory.", next_step="Name a file in it.")
        directory = os.path.dirname(self.path) or "."
        if not os.path.isdir(directory) or not os.access(directory, os.W_OK | os.X_OK):
            raise OptionError(f"dest cannot be written: no file can be made in '{directory}'.", next_step="Choose a writable directory.")
        if os.path.lexists(self.path) and not self.force:
            raise _exists(self.path)
        if os.path.lexists(self.path) and not os.path.isfile(self.path):
            # Its name would be taken from a device or a pipe.
            raise OptionError(f"dest '{self.path}' is no file.", next_step="Name a file, new or old.")

    def _open_writer(self, file: BinaryIO) -> Writer:
        return make_writer(file, self.format, raw=self._raw, keys=self._keys)

    def write(self, incident: Mapping[str, Any]) -> None:
        """Add one incident; raise `PartnerError` where the file system refuses."""
        with _explained(self.path):
            self._writer.write(incident)

    def commit(self, *, dry_run: bool = False) -> Written:
        """Give the file its name and return what became of it; in a dry run only the latter.

        :raises OptionError: where a file of that name came into being meanwhile.
        """
        with _explained(self.path):
            self._writer.finish()
            return publish(self._file, self._draft, self.path, force=self.force, dry_run=dry_run)

    def _discard(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._file.close()
        with contextlib.suppress(OSError):
            os.unlink(self._draft)


def publish(file: BinaryIO, draft: str, path: str, *, force: bool, dry_run: bool) -> Written:
    """Give a file that is whole its name, and return what became of it; in a dry run only the latter.

    :param file: the file, open for reading and writing.
    :param draft: the name that it has now, and may still have afterwards.
    :raises OptionError: where a file of that name came into being meanwhile.
    """
    file.flush()
    os.fsync(file.fileno())
    checksum = _checksum(file)
    size = file.seek(0, os.SEEK_END)
    changed = not (os.path.exists(path) and _checksum_of(path) == checksum)
    if changed and not dry_run:
        _rename(draft, path, force=force)
    return Written(path=path, size=size, checksum=checksum, changed=changed)


def _rename(draft: str, path: str, *, force: bool) -> None:
    if force:
        os.replace(draft, path)
        return
    try:
        # Unlike a rename, a link never replaces a file that came into being meanwhile.
        os.link(draft, path)
    except FileExistsError as exc:
        raise _exists(path) from exc
    except OSError:
        os.replace(draft, path)


@contextlib.contextmanager
def _explained(path: str) -> Iterator[None]:
    """Turn what the file system refuses into an error with a next step."""
    try:
        yield
    except OSError as exc:
        # No tenant is at fault, and every other one that writes there would fail alike.
        raise FleetStopped(
            f"'{path}' could not be written: {exc.strerror or exc}. The file is as it was before.",
            next_step="Make room, or choose another dest.",
        ) from exc


def _exists(path: str) -> OptionError:
    return OptionError(f"dest '{path}' is there already.", next_step="Remove it, choose another name, or set force to replace it.")


def _checksum(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(_READ_BYTES):
        digest.update(chunk)
    return digest.hexdigest()


def _checksum_of(path: str) -> str:
    with open(path, "rb") as file:
        return _checksum(file)
