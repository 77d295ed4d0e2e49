# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A client secret."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import SHORTEST_SECRET, OptionError
from ..guids import is_guid
from .base import Grant, TokenRequest
from .entra import request_token
from .fingerprints import fingerprint


@dataclass(frozen=True)
class ClientSecret:
    """The value of a client secret of the app."""

    secret: str = field(repr=False)
    kind: str = "client_secret"

    @property
    def fingerprint(self) -> str:
        """A one-way function of the secret. Entra ID makes secrets of 40 random characters, which nobody finds by trying."""
        return fingerprint(self.kind, self.secret.encode())

    @property
    def material(self) -> bytes:
        """The secret."""
        return self.secret.encode()

    def validate(self) -> None:
        """Find a secret that cannot be one. The message never repeats it."""
        if not self.secret.strip():
            raise _wrong("client_secret is empty.", "Check the variable, file or vault that it comes from.")
        if is_guid(self.secret):
            raise _wrong(
                "client_secret is a GUID: that is the secret's ID, not its value.",
                "Use the value, which is shown only once, when the secret is created; else create a new secret.",
            )
        if len(self.secret) < SHORTEST_SECRET:
            raise _wrong(
                f"client_secret has fewer than {SHORTEST_SECRET} characters, and a secret of Entra ID has about 40.",
                "Check the variable, file or vault that it comes from.",
            )
        if self.secret.lstrip().startswith("$ANSIBLE_VAULT"):
            raise _wrong(
                "client_secret is text that Ansible Vault encrypted and nobody decrypted.",
                "Load it as a vaulted variable (vars_files, or the !vault tag) and give the vault's password.",
            )
        if any(character.isspace() or not character.isprintable() for character in self.secret):
            raise _wrong(
                "client_secret contains a blank, a line break or a control character, which no secret of Entra ID does.",
                "Remove it; a file that was read ends in a line break (use the trim filter).",
            )

    def acquire(self, request: TokenRequest) -> Grant:
        """Send the secret to the tenant's token endpoint."""
        return request_token(request, secret=self.secret)


def _wrong(message: str, next_step: str) -> OptionError:
    return OptionError(message, next_step=next_step, state="credential_error", scope="credential")
