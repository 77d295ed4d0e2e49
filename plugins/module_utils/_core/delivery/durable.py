# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What keeps a file whole when two runs meet, or when one of them dies: locks, atomic replacement, durable names."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from ..errors import OptionError, PartnerError

_READ_BITS = 0o444


@contextlib.contextmanager
def locked(path: str, *, dry_run: bool = False) -> Iterator[None]:
    """Hold the lock that is the file `path`; wait for whoever holds it. A process that dies gives it back.

    A dry run changes nothing, so it takes none and makes no file.
    """
    if dry_run:
        yield
        return
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def replace_file(path: str, content: bytes, *, mode: int) -> None:
    """Give the file `path` new content at once, durably. The caller holds a lock, so that the draft's name is its own."""
    directory, name = os.path.split(path)
    draft = os.path.join(directory, f".{name}.new")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(draft)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        write_all(descriptor, content)
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.replace(draft, path)
    sync_directory(directory)


def write_all(descriptor: int, content: bytes) -> None:
    """Write all of `content`; a write may take a part of it."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync_directory(path: str) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_mode(option: str, value: str) -> int:
    """Return the bits of a mode such as `0640`.

    :raises OptionError: for anything else, and for a file that its owner could not write or that everybody could.
    """
    try:
        mode = int(value, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o777 or mode & 0o600 != 0o600 or mode & 0o113:
        raise OptionError(f"{option} is no mode of a file: '{value}'.", next_step="Give four octal digits, such as 0600 or 0640.")
    return mode


def directory_mode(mode: int) -> int:
    """Return the mode of a directory for files of this mode: who may read them may enter it."""
    return mode | (mode & _READ_BITS) >> 2


@contextlib.contextmanager
def explained(option: str, path: str) -> Iterator[None]:
    """Turn what the file system refuses into an error with a next step."""
    try:
        yield
    except OSError as exc:
        # Every tenant that is delivered there would fail alike.
        raise PartnerError(
            f"{option} '{path}' could not take the incidents: {exc.strerror or exc}.",
            next_step="Make room, or let the user that runs Ansible write there. The same incidents are delivered again then, each once.",
            scope="credential",
        ) from exc
