# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The formats of a file of incidents or alerts. A writer takes one incident at a time and keeps no more than a few in memory."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any, BinaryIO, Protocol

from .._libraries import optional_library
from .rows import NUMBER_COLUMNS, TEXT_LIST_COLUMNS, TIME_COLUMNS, clean_text, columns, csv_row, json_text
from .schema import INCIDENT_KEYS
from .times import is_instant, microseconds_since_epoch

_ROWS_PER_GROUP = 1_000
_INT64 = range(-(2**63), 2**63)

FORMATS: Mapping[str, tuple[str, ...]] = {
    "ndjson": (".ndjson", ".jsonl", ".json"),
    "csv": (".csv",),
    "parquet": (".parquet",),
}


class Writer(Protocol):
    """Writes incidents to an open file."""

    def write(self, incident: Mapping[str, Any]) -> None:
        """Add one incident."""

    def finish(self) -> None:
        """Write what is still held back."""


class NdjsonWriter:
    """One JSON object per line (RFC 8259, in ASCII)."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, incident: Mapping[str, Any]) -> None:
        """Add one incident."""
        self._file.write(json_text(incident).encode("ascii") + b"\n")

    def finish(self) -> None:
        """Write what is still held back: nothing."""


class CsvWriter:
    """A header and one row per incident (RFC 4180, UTF-8)."""

    def __init__(self, file: BinaryIO, names: tuple[str, ...]) -> None:
        self._names = names
        self._text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="", write_through=True)
        self._rows = csv.writer(self._text)
        self._rows.writerow(self._names)

    def write(self, incident: Mapping[str, Any]) -> None:
        """Add one incident."""
        self._rows.writerow(csv_row(incident, self._names))

    def finish(self) -> None:
        """Write what is still held back, and leave the file open."""
        self._text.flush()
        self._text.detach()


class ParquetWriter:
    """A Parquet file: instants as timestamps (microseconds, UTC), tags as lists, objects as JSON.

    :raises LibraryMissing: where pyarrow is not installed.
    """

    def __init__(self, file: BinaryIO, names: tuple[str, ...]) -> None:
        self._arrow = optional_library("pyarrow", purpose="writing Parquet")
        parquet = optional_library("pyarrow.parquet", purpose="writing Parquet")
        self._names = names
        self._schema = self._arrow.schema([(name, self._type(name)) for name in self._names])
        self._file = parquet.ParquetWriter(file, self._schema)
        self._rows: list[dict[str, Any]] = []

    def write(self, incident: Mapping[str, Any]) -> None:
        """Add one incident."""
        self._rows.append({name: _parquet_value(name, incident.get(name)) for name in self._names})
        if len(self._rows) >= _ROWS_PER_GROUP:
            self._flush()

    def finish(self) -> None:
        """Write what is still held back, and the file's footer."""
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        if self._rows:
            self._file.write_table(self._arrow.Table.from_pylist(self._rows, schema=self._schema))
            self._rows.clear()

    def _type(self, name: str) -> Any:
        if name in TIME_COLUMNS:
            return self._arrow.timestamp("us", tz="UTC")
        if name in NUMBER_COLUMNS:
            return self._arrow.int64()
        return self._arrow.list_(self._arrow.string()) if name in TEXT_LIST_COLUMNS else self._arrow.string()


def _parquet_value(name: str, value: Any) -> Any:
    if name in TIME_COLUMNS:
        return microseconds_since_epoch(value) if is_instant(value) else None
    if name in NUMBER_COLUMNS:
        return value if isinstance(value, int) and not isinstance(value, bool) and value in _INT64 else None
    if name in TEXT_LIST_COLUMNS:
        return [clean_text(entry) for entry in value or ()]
    return clean_text(value)


def make_writer(file: BinaryIO, file_format: str, *, raw: bool, keys: tuple[str, ...] = INCIDENT_KEYS) -> Writer:
    """Return the writer of a format out of `FORMATS`; raise `LibraryMissing` where it needs a library that is missing.

    :param keys: the keys of the schema of what is written.
    """
    names = columns(keys, raw=raw)
    if file_format == "csv":
        return CsvWriter(file, names)
    return ParquetWriter(file, names) if file_format == "parquet" else NdjsonWriter(file)
