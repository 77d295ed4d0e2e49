# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Reading the files that credentials are kept in, with one sentence for each way in which that fails.

A pipe is read too, since a shell hands over what a vault prints as one (`<(vault read …)`); but it gives its content once, and
one that nobody writes to must not hold up a run. Devices and whatever else a path can name are refused.
"""

from __future__ import annotations

import os
import select
import stat
import time

from ..errors import CredentialError

_LARGEST_FILE = 1024 * 1024
# How long whoever writes to a pipe may take until its end.
_PIPE_SECONDS = 10.0


def read_credential_file(path: str, *, option: str) -> bytes:
    """Return the content of a file that an option names.

    :raises CredentialError: when it is missing, unreadable, empty, far too large, or no file.
    """
    expanded = os.path.expanduser(path)
    try:
        with open(expanded, "rb", opener=_at_once) as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISREG(mode):
                content = file.read(_LARGEST_FILE + 1)
            elif stat.S_ISFIFO(mode):
                content = _read_pipe(file.fileno(), path, option=option)
            else:
                raise unusable(f"'{path}' of {option} is a device and no file.", f"Check {option}.")
    except OSError as exc:
        raise unusable(f"The file '{path}' of {option} cannot be read: {(exc.strerror or str(exc)).lower()}.", f"Check {option}.") from exc
    except ValueError as exc:
        raise unusable(f"The file of {option} has a name that no file can have.", f"Check {option}.") from exc
    if not content.strip():
        raise unusable(f"The file '{path}' of {option} is empty.", f"Check what writes it, and {option}.")
    if len(content) > _LARGEST_FILE:
        raise unusable(f"The file '{path}' of {option} is too large to be a credential.", f"Check {option}.")
    return content


def _at_once(path: str, flags: int) -> int:
    """Open without waiting for the other end of a pipe, and without making a terminal one's own."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def _read_pipe(handle: int, path: str, *, option: str) -> bytes:
    """Return all that is written to a pipe."""
    content, end = b"", time.monotonic() + _PIPE_SECONDS
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    while len(content) <= _LARGEST_FILE:
        if not poll.poll(max(0.0, end - time.monotonic()) * 1000):
            raise unusable(
                f"'{path}' of {option} is a pipe, and nobody finished writing to it within {_PIPE_SECONDS:g} s.",
                f"Check what writes to it, or name a file in {option}.",
            )
        part = os.read(handle, _LARGEST_FILE)
        if not part:
            break
        content += part
    if not content:
        raise unusable(
            f"'{path}' of {option} is a pipe with nothing in it.", f"A pipe can be read once, by one process: name a file in {option}."
        )
    return content


def unusable(message: str, next_step: str) -> CredentialError:
    """Return the error for a credential that is found to be wrong on this machine, before anybody was asked."""
    return CredentialError(message, state="credential_error", next_step=next_step)
