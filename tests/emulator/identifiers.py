# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ids and secret values in the shapes the real services give them."""

from __future__ import annotations

import random
import secrets
import string
import uuid

from .entra.keys import b64url

_ALPHABET = string.ascii_letters + string.digits + ".~_-"


def opaque_id(rng: random.Random) -> str:
    """The id of an app role assignment or a permission grant: 43 characters of base64url, not a GUID."""
    return b64url(rng.randbytes(32))


def secret_text(length: int = 40) -> str:
    """A client secret: three characters, `8Q~`, then the rest. Truly random, whatever the seed."""
    head = "".join(secrets.choice(string.ascii_letters + string.digits) for _unused in range(3))
    return f"{head}8Q~" + "".join(secrets.choice(_ALPHABET) for _unused in range(length - 6))


def is_guid(text: object) -> bool:
    """Whether `text` is a GUID in its usual form."""
    try:
        return isinstance(text, str) and len(text) == 36 and bool(uuid.UUID(text))
    except ValueError:
        return False
