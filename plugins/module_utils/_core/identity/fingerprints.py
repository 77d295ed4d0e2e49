# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""One-way names for credentials."""

from __future__ import annotations

import hashlib
import hmac


def fingerprint(kind: str, *parts: bytes) -> str:
    """Return a stable name for a credential, from which its parts cannot be read back.

    Each part is hashed by itself first, so that no two lists of parts run together to the same name.
    """
    digest = hmac.new(b"m365d.partner credential", kind.encode(), hashlib.sha256)
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()
