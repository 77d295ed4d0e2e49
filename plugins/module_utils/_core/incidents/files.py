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
import json
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any, BinaryIO, Protocol

from ..errors import OptionError, PartnerError
from .rows import json_text
from .writers import FORMATS, Writer, make_writer

_TENANT_MARK = "{tenant_id}"
_SPOOL_BYTES = 1 << 20
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
    :raises OptionError: on entry, where the destination cannot be written or is there already.
    """

    def __init__(self, path: str, file_format: str, *, force: bool = False, raw: bool = False) -> None:
        self.path = path
        self._format = file_format
        self._force = force
        self._raw = raw
        self._lock = threading.Lock()

    def __enter__(self) -> IncidentFile:
        self.check()
        try:
            descriptor, self._draft = tempfile.mkstemp(prefix=f".{os.path.basename(self.path)}.", dir=os.path.dirname(self.path) or ".")
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

    def check(self) -> None:
        """Raise `OptionError` where the destination is a directory, has none, or is there already and may not be replaced."""
        if os.path.isdir(self.path):
            raise OptionError(f"dest '{self.path}' is a directory.", next_step="Name a file in it.")
        directory = os.path.dirname(self.path) or "."
        if not os.path.isdir(directory) or not os.access(directory, os.W_OK | os.X_OK):
            raise OptionError(f"dest cannot be written: no file can be made in '{directory}'.", next_step="Choose a writable directory.")
        if os.path.lexists(self.path) and not self._force:
            raise _exists(self.path)

    def _open_writer(self, file: BinaryIO) -> Writer:
        return make_writer(file, self._format, raw=self._raw)

    def write(self, incident: Mapping[str, Any]) -> None:
        """Add one incident; raise `PartnerError` where the file system refuses."""
        with self._lock, _explained(self.path):
            self._writer.write(incident)

    def part(self) -> FilePart:
        """Return a place for the incidents of one tenant, which come into the file all together or not at all."""
        return FilePart(self)

    def take_over(self, spool: IO[bytes]) -> None:
        """Add the incidents of a part; nobody else writes meanwhile."""
        with self._lock, _explained(self.path):
            spool.seek(0)
            for line in spool:
                self._writer.write(json.loads(line))

    def commit(self, *, dry_run: bool = False) -> Written:
        """Give the file its name and return what became of it; in a dry run only the latter.

        :raises OptionError: where a file of that name came into being meanwhile.
        """
        with _explained(self.path):
            self._writer.finish()
            self._file.flush()
            os.fsync(self._file.fileno())
            checksum = _checksum(self._file)
            size = self._file.seek(0, os.SEEK_END)
            changed = not (os.path.exists(self.path) and _checksum_of(self.path) == checksum)
            if changed and not dry_run:
                self._publish()
        return Written(path=self.path, size=size, checksum=checksum, changed=changed)

    def _publish(self) -> None:
        if self._force:
            os.replace(self._draft, self.path)
            return
        try:
            # Unlike a rename, a link never replaces a file that came into being meanwhile.
            os.link(self._draft, self.path)
        except FileExistsError as exc:
            raise _exists(self.path) from exc
        except OSError:
            os.replace(self._draft, self.path)

    def _discard(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._file.close()
        with contextlib.suppress(OSError):
            os.unlink(self._draft)


class FilePart:
    """The incidents of one tenant on their way into a file that several tenants share. Use as a context."""

    def __init__(self, file: IncidentFile) -> None:
        self._target = file
        directory = os.path.dirname(file.path) or "."
        self._spool: IO[bytes] = tempfile.SpooledTemporaryFile(_SPOOL_BYTES, dir=directory)  # noqa: SIM115 - __exit__ closes it

    def __enter__(self) -> FilePart:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._spool.close()

    def write(self, incident: Mapping[str, Any]) -> None:
        """Keep one incident; raise `PartnerError` where the file system refuses."""
        with _explained(self._target.path):
            self._spool.write(json_text(incident).encode("ascii") + b"\n")

    def deliver(self) -> None:
        """Hand all incidents over to the file."""
        self._target.take_over(self._spool)


@contextlib.contextmanager
def _explained(path: str) -> Iterator[None]:
    """Turn what the file system refuses into an error with a next step."""
    try:
        yield
    except OSError as exc:
        # Every tenant that writes there would fail alike.
        raise PartnerError(
            f"'{path}' could not be written: {exc.strerror or exc}. The file is as it was before.",
            next_step="Make room, or choose another dest.",
            scope="credential",
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
