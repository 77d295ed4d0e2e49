# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A token that somebody else obtained."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ..errors import OptionError
from .base import Grant, TokenRequest
from .fingerprints import fingerprint
from .token import peek_claims

# The last instant that a date can hold, seconds since the epoch; JSON numbers go further (1e400).
_FAR_FUTURE = 253402300800


@dataclass(frozen=True)
class ReadyToken:
    """An access token as it is; good for the one tenant and resource that it was issued for.

    Whether it is for the tenant and resource that are asked for is `TokenSource`'s to check, and the contract's.
    """

    token: str = field(repr=False)
    now: Callable[[], float] = field(default=time.time, repr=False, compare=False)
    kind: str = "ready_token"

    @property
    def fingerprint(self) -> str:
        """A one-way function of the token."""
        return fingerprint(self.kind, self.token.encode(errors="surrogatepass"))

    @property
    def material(self) -> bytes | None:
        """None: a token that was given is never put into a cache."""
        return None

    def validate(self) -> None:
        """Refuse an empty token."""
        if not self.token.strip():
            raise OptionError(
                "access_token is empty.",
                next_step="Check the variable that it comes from, or use another credential.",
                state="credential_error",
                scope="credential",
            )

    def acquire(self, request: TokenRequest) -> Grant:
        """Return the token, with the life that its own claims tell; nothing is sent anywhere."""
        expiry = peek_claims(self.token.strip()).get("exp")
        left = float(expiry) - self.now() if isinstance(expiry, (int, float)) and abs(expiry) < _FAR_FUTURE else 0.0
        return Grant(self.token.strip(), left)
