# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A token of another identity provider (Kubernetes, GitHub, …) that a federated credential of the app trusts."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .assertions import checked_assertion
from .base import Grant, TokenRequest
from .entra import request_token
from .files import read_credential_file
from .fingerprints import fingerprint


@dataclass(frozen=True)
class FederatedToken:
    """A token in a file. It is read anew for each token request, since its provider replaces it within the hour."""

    path: str
    now: Callable[[], float] = field(default=time.time, repr=False, compare=False)
    kind: str = "federated_token"

    @property
    def fingerprint(self) -> str:
        """Names the file: the token in it changes all the time."""
        return fingerprint(self.kind, os.fsencode(os.path.abspath(os.path.expanduser(self.path))))

    @property
    def material(self) -> None:
        """None: nothing here outlives the next token."""
        return

    def validate(self) -> None:
        """Read the file and check that it holds a token that has not expired."""
        self._token()

    def acquire(self, request: TokenRequest) -> Grant:
        """Send the token as an assertion to the tenant's token endpoint."""
        return request_token(request, assertion=self._token)

    def _token(self) -> str:
        origin = f"The file '{self.path}' of federated_token_file"
        return checked_assertion(read_credential_file(self.path, option="federated_token_file"), origin=origin, now=self.now)
