# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Object and application ids: GUIDs, compared and shown in lower case."""

from __future__ import annotations

import re

from .errors import OptionError

# Stands for the id of an object that a task would create: check mode returns it, and so does Microsoft's documentation.
PLACEHOLDER = "00000000-0000-0000-0000-000000000000"

_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def is_guid(text: str) -> bool:
    """Whether `text` is a GUID in its usual form, in upper or lower case."""
    return bool(_GUID.fullmatch(text.strip().lower()))


def checked_guid(text: str, *, option: str, tenant_id: str | None = None) -> str:
    """Return `text` as a GUID in lower case.

    :param option: the option it was given in, named in the error.
    :raises OptionError: where it is none.
    """
    if is_guid(text):
        return text.strip().lower()
    bare = re.sub(r"[{}\s-]", "", text.lower())
    if re.fullmatch(r"[0-9a-f]{32}", bare):
        hint = "-".join((bare[:8], bare[8:12], bare[12:16], bare[16:20], bare[20:]))
        next_step = f"Write it as {hint}."
    else:
        next_step = f"Give {option} as 8-4-4-4-12 hexadecimal digits, as the portal's overview page of the app shows it."
    raise OptionError(f"{option} is not a GUID: '{text}'.", tenant_id=tenant_id, next_step=next_step)
