# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Checks that an assertion which somebody else made can pass for one at all."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from .files import unusable
from .token import peek_claims

_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


def checked_assertion(content: bytes, *, origin: str, now: Callable[[], float] = time.time) -> str:
    """Return an assertion as text.

    :param origin: where it comes from, for messages ("The file '…' of client_assertion_path").
    :raises CredentialError: when it is no JWT, or has expired. Its content is never repeated.
    """
    text = content.decode("ascii", errors="replace").strip()
    if not _JWT.fullmatch(text) or not peek_claims(text):
        raise unusable(f"{origin} did not give a JWT.", "It must give the assertion alone: three parts joined by dots.")
    expiry = peek_claims(text).get("exp")
    if isinstance(expiry, (int, float)) and expiry <= now():
        raise unusable(f"{origin} gave an assertion that expired {now() - expiry:.0f} s ago.", "Have it renewed before each run.")
    return text
