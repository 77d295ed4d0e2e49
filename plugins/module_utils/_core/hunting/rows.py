# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Rows of a query in a file: NDJSON, or CSV with the columns of the query."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any, BinaryIO

from ..errors import OptionError
from ..incidents.files import IncidentFile, format_of
from ..incidents.fleet_file import FilePart
from ..incidents.rows import csv_row
from ..incidents.writers import NdjsonWriter, Writer
from .backends import Column

FORMATS = ("ndjson", "csv")


class CsvRows:
    """A header and one row per row (RFC 4180, UTF-8). The columns are those of the first answer, and of every other."""

    def __init__(self, file: BinaryIO) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="", write_through=True)
        self._rows = csv.writer(self._text)
        self._names: tuple[str, ...] | None = None

    def begin(self, names: tuple[str, ...]) -> None:
        """Write the header where it is not there yet."""
        if self._names is None:
            self._names = names
            # A query can make columns out of data, so their names are no safer than what they hold.
            self._rows.writerow(csv_row(dict(zip(names, names)), names))  # noqa: B905 - same length

    def write(self, incident: Mapping[str, Any]) -> None:
        """Add one row."""
        self.begin(tuple(incident))
        self._rows.writerow(csv_row(incident, tuple(incident)))

    def finish(self) -> None:
        """Write what is still held back, and leave the file open."""
        self._text.flush()
        self._text.detach()


class RowFile(IncidentFile):
    """A file of rows that appears when it is whole; see `IncidentFile`."""

    def __enter__(self) -> RowFile:
        super().__enter__()
        return self

    def _open_writer(self, file: BinaryIO) -> Writer:
        return CsvRows(file) if self.format == "csv" else NdjsonWriter(file)

    def begin(self, names: tuple[str, ...]) -> None:
        """Take the names of the columns, so that a file without rows has a header too."""
        if isinstance(self._writer, CsvRows):
            self._writer.begin(names)


def row_file(path: str, chosen: str | None, *, force: bool, sole: bool = False) -> RowFile:
    """Return the file at a path, in the chosen format or the one that its name tells; see `IncidentFile`.

    :raises OptionError: where there is no such format for rows.
    """
    found = format_of(path, chosen)
    if found not in FORMATS:
        raise OptionError(f"Rows cannot be written as {found}.", next_step=f"Set dest_format to one of {', '.join(FORMATS)}.")
    return RowFile(path, found, force=force, sole=sole)


class TenantRows:
    """Takes the rows of one tenant, each with the tenant's id before its columns, for a list or a file."""

    def __init__(self, tenant_id: str, *, place: RowFile | FilePart | None = None) -> None:
        self.rows: list[dict[str, Any]] = []
        self._tenant_id = tenant_id
        self._place = place

    def begin(self, columns: tuple[Column, ...]) -> None:
        """Take the columns of the rows that follow."""
        if self._place is not None:
            self._place.begin(("tenant_id", *(column.name for column in columns if column.name != "tenant_id")))

    def write(self, row: Mapping[str, Any]) -> None:
        """Take one row."""
        full = {"tenant_id": self._tenant_id, **{name: value for name, value in row.items() if name != "tenant_id"}}
        if self._place is None:
            self.rows.append(full)
        else:
            self._place.write(full)
