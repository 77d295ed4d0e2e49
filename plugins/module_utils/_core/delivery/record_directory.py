# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A directory with a file for each incident, which holds its newest version.

`<directory>/<tenant id>/<incident id>.json`: ids of incidents are unique within a tenant only.
"""

from __future__ import annotations

import hashlib
import os
import stat

from ..errors import OptionError
from .batch import Batch, Delivered, Entry, version_in
from .durable import directory_mode, explained, locked, replace_file, sync_directory

_LOCK = ".lock"
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
_LONGEST_NAME = 200


class RecordDirectory:
    """The directory.

    :param mode: the mode of new files; who may read them may enter the directory of their tenant.
    """

    def __init__(self, path: str, *, mode: int) -> None:
        self.path = path
        self._mode = mode

    def check(self) -> None:
        """Raise `OptionError` where the path is no directory."""
        if not os.path.isdir(self.path):
            raise OptionError(f"directory.path '{self.path}' is no directory.", next_step="Make it, for the user that runs Ansible.")

    def deliver(self, batch: Batch, *, dry_run: bool = False) -> Delivered:
        """Write each incident that is newer than what is there, and return what became of the batch.

        :raises PartnerError: where the file system refuses; what was written stays.
        """
        self.check()
        report = Delivered()
        # In a dry run, what would be there after the versions that came before.
        promised: dict[str, str] | None = {} if dry_run else None
        with explained("directory.path", self.path), locked(os.path.join(self.path, _LOCK), dry_run=dry_run):
            for entry in batch:
                self._take(entry, report, promised=promised)
        return report

    def _take(self, entry: Entry, report: Delivered, *, promised: dict[str, str] | None) -> None:
        """Write one version, unless a newer one is there."""
        tenant, incident_id, last_update = entry.version
        place = os.path.join(self.path, safe_name(tenant))
        path = os.path.join(place, f"{safe_name(incident_id)}.json")
        content = entry.line + b"\n"
        there = _content(path)
        present = _last_update(there)
        if promised is not None and path in promised:
            present = promised[path]
        if present is not None and present > last_update:
            report.outdated += 1
        elif there == content:
            report.known += 1
        else:
            if promised is not None:
                promised[path] = last_update
            else:
                self._make(place)
                replace_file(path, content, mode=self._mode)
            report.took(entry)

    def _make(self, place: str) -> None:
        """Make the directory of a tenant where it is not there."""
        if os.path.isdir(place):
            return
        os.mkdir(place, 0o700)
        os.chmod(place, directory_mode(self._mode))
        sync_directory(self.path)


def _last_update(content: bytes | None) -> str | None:
    """Return the last update of the incident that a file holds; None where it holds none."""
    version = None if content is None else version_in(content)
    return None if version is None else version[2]


def _content(path: str) -> bytes | None:
    """Return the content of a plain file, None where there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, f"{os.path.basename(path)} is not a plain file")
        return file.read()


def safe_name(text: str) -> str:
    """Return a name of a file for an id that a service chose: all but letters, digits, hyphen and underscore as %XX."""
    name = "".join(character if character in _PLAIN else "".join(f"%{byte:02X}" for byte in _bytes(character)) for character in text)
    if len(name) > _LONGEST_NAME:
        # What is cut off still tells one id from another.
        name = f"{name[: _LONGEST_NAME - 65]}%{hashlib.sha256(name.encode()).hexdigest()}"
    return name or "%"


def _bytes(character: str) -> bytes:
    return character.encode("utf-8", "surrogatepass")
