# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Reading the files that credentials are kept in, with one sentence for each way in which that fails."""

from __future__ import annotations

import os

from ..errors import CredentialError

_LARGEST_FILE = 1024 * 1024


def read_credential_file(path: str, *, option: str) -> bytes:
    """Return the content of a file that an option names.

    :raises CredentialError: when it is missing, unreadable, empty or far too large.
    """
    expanded = os.path.expanduser(path)
    try:
        with open(expanded, "rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except OSError as exc:
        raise unusable(f"The file '{path}' of {option} cannot be read: {(exc.strerror or str(exc)).lower()}.", f"Check {option}.") from exc
    except ValueError as exc:
        raise unusable(f"The file of {option} has a name that no file can have.", f"Check {option}.") from exc
    if not content.strip():
        raise unusable(f"The file '{path}' of {option} is empty.", f"Check what writes it, and {option}.")
    if len(content) > _LARGEST_FILE:
        raise unusable(f"The file '{path}' of {option} is too large to be a credential.", f"Check {option}.")
    return content


def unusable(message: str, next_step: str) -> CredentialError:
    """Return the error for a credential that is found to be wrong on this machine, before anybody was asked."""
    return CredentialError(message, state="credential_error", next_step=next_step)
