# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A file that the tenants of a fleet share: all that a tenant has or nothing, and an interrupted run can be continued.

What is done is kept as lines of JSON in `<dest>.partial`, beside a journal of the tenants that it holds (`journal`). At the end
that file takes the name of the destination, or is written anew in another format. Nobody ever reads half a file.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import IO, Any

from ..errors import FleetStopped, PartnerError
from .files import IncidentFile, Written, publish
from .journal import Entry, Journal, open_own
from .rows import json_text

_ENDING = ".partial"
_SPOOL_BYTES = 1 << 20
_COPY_BYTES = 1 << 20


class FilePart:
    """What one tenant has, on its way into the file. Use as a context."""

    def __init__(self, file: FleetFile) -> None:
        self._file = file
        self.names: tuple[str, ...] | None = None
        self.spool: IO[bytes] = tempfile.SpooledTemporaryFile(_SPOOL_BYTES, dir=file.directory)  # noqa: SIM115 - __exit__ closes it

    def __enter__(self) -> FilePart:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.spool.close()

    def begin(self, names: tuple[str, ...]) -> None:
        """Take the columns of the rows that follow; raise `PartnerError` where the file cannot hold them."""
        self._file.check_names(names)
        self.names = names

    def write(self, incident: Mapping[str, Any]) -> None:
        """Keep one incident or row; raise `FleetStopped` where the file system refuses."""
        with self._file.explained():
            self.spool.write(json_text(incident).encode("ascii") + b"\n")


class FleetFile:
    """Use as a context: the destination is as it was until `commit()`.

    :param target: the destination.
    :param journal: entered already; continued where it has entries.
    :param dry_run: predict; nothing stays.
    """

    def __init__(self, target: IncidentFile, journal: Journal, *, dry_run: bool) -> None:
        self._target = target
        self._journal = journal
        self._dry_run = dry_run
        self._lock = threading.Lock()
        self._names: tuple[str, ...] | None = None
        self.path = target.path + _ENDING
        self.directory = os.path.dirname(target.path) or "."

    def __enter__(self) -> FleetFile:
        with self.explained():
            self._file = self._open()
            if not self._holds_lines():
                # The file is gone, has been cut short or is another one: there is nothing to go on with.
                self._journal.restart()
            self._end, self._names = self._journal.end, self._journal.names
            os.ftruncate(self._file.fileno(), self._end)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self._file.close()
        if not self._dry_run and not (kind and self._journal.count):
            with contextlib.suppress(OSError):
                os.unlink(self.path)

    def _open(self) -> Any:
        """Return the file without a buffer, whose leavings would come after a tenant that did not fit."""
        if self._dry_run:
            return tempfile.TemporaryFile(buffering=0, dir=self.directory)
        return os.fdopen(open_own(self.path, os.O_RDWR), "r+b", buffering=0)

    def _holds_lines(self) -> bool:
        """Whether a line ends where the journal says that the last tenant ends."""
        end = self._journal.end
        if end <= 0:
            return end == 0
        return os.pread(self._file.fileno(), 1, end - 1) == b"\n"

    def part(self) -> FilePart:
        """Return a place for what one tenant has."""
        return FilePart(self)

    def check_names(self, names: tuple[str, ...]) -> None:
        """Raise `PartnerError` where the file is a table that has other columns."""
        if self._target.format == "csv" and self._names not in (None, names):
            raise PartnerError(
                "The columns of this tenant's result differ from those of the tenants before it, so that one CSV file cannot hold both.",
                next_step="Name the columns with project, write NDJSON, or have a file for each tenant with {tenant_id} in dest.",
            )

    def add(self, tenant_id: str, part: FilePart, result: dict[str, Any]) -> None:
        """Take what a tenant has into the file, and note that it is done.

        :raises FleetStopped: where the file system refuses; nothing of the tenant is in the file then.
        """
        with self._lock:
            if part.names is not None:
                self.check_names(part.names)
                self._names = part.names
            with self.explained():
                try:
                    self._file.seek(self._end)
                    end = self._end + self._copy(part.spool)
                    self._journal.add(tenant_id, Entry(result, end, part.names))
                except OSError:
                    self._cut()
                    raise
                self._end = end

    def _copy(self, spool: IO[bytes]) -> int:
        """Append all that is in a spool, and return how many bytes that are."""
        size = 0
        spool.seek(0)
        while chunk := spool.read(_COPY_BYTES):
            size += len(chunk)
            while chunk:
                chunk = chunk[self._file.write(chunk) :]
        return size

    def _cut(self) -> None:
        """Remove what is no whole tenant's."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._file.fileno(), self._end)

    def commit(self) -> Written:
        """Give the destination what is done, and return what became of it; in a dry run only the latter.

        :raises OptionError: where a file of that name came into being meanwhile.
        :raises FleetStopped: where the file system refuses.
        """
        with self.explained():
            if self._target.format == "ndjson":
                return publish(self._file, self.path, self._target.path, force=self._target.force, dry_run=self._dry_run)
            with self._target as target:
                self._convert(target)
                return target.commit(dry_run=self._dry_run)

    def _convert(self, target: Any) -> None:
        if self._names is not None:
            target.begin(self._names)
        with os.fdopen(os.dup(self._file.fileno()), "rb") as lines:
            lines.seek(0)
            for line in lines:
                target.write(json.loads(line))

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what the file system refuses into an error that says what is kept."""
        try:
            yield
        except OSError as exc:
            raise self._stopped(exc.strerror or str(exc)) from exc
        except FleetStopped as exc:
            raise self._stopped(getattr(exc.__cause__, "strerror", None) or exc.message) from exc

    def _stopped(self, why: str) -> FleetStopped:
        kept = self._journal.count
        if self._dry_run or not kept:
            return FleetStopped(
                f"'{self._target.path}' could not be written: {why.rstrip('.')}. The file is as it was before.",
                next_step="Make room, or choose another dest.",
            )
        return FleetStopped(
            f"'{self._target.path}' could not be written: {why.rstrip('.')}. The {kept} tenants that are done are kept in '{self.path}'.",
            next_step="Make room, and run the task again with resume set.",
        )
