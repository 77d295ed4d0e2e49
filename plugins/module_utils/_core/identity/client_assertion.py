# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""An assertion that is signed elsewhere, so that the key can stay in a vault or a hardware module.

A command learns what to sign from its environment, since the audience is different for each tenant:
`M365D_ASSERTION_AUDIENCE` (the tenant's token endpoint), `M365D_ASSERTION_CLIENT_ID` and `M365D_ASSERTION_TENANT_ID`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from .assertions import checked_assertion
from .base import Grant, TokenRequest
from .entra import request_token
from .files import read_credential_file, unusable
from .fingerprints import fingerprint

_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class AssertionFile:
    """An assertion in a file, read anew for each token."""

    path: str
    now: Callable[[], float] = field(default=time.time, repr=False, compare=False)
    kind: str = "client_assertion"

    @property
    def fingerprint(self) -> str:
        """Names the file: the assertion in it changes all the time."""
        return fingerprint(self.kind, b"file", os.fsencode(os.path.abspath(os.path.expanduser(self.path))))

    @property
    def material(self) -> None:
        """None: nothing here outlives the next assertion."""
        return

    def validate(self) -> None:
        """Read the file and check that it holds an assertion that has not expired."""
        self._assertion()

    def acquire(self, request: TokenRequest) -> Grant:
        """Send the assertion to the tenant's token endpoint."""
        return request_token(request, assertion=self._assertion)

    def _assertion(self) -> str:
        origin = f"The file '{self.path}' of client_assertion_path"
        return checked_assertion(read_credential_file(self.path, option="client_assertion_path"), origin=origin, now=self.now)


@dataclass(frozen=True)
class AssertionCommand:
    """A command that prints an assertion. It is run without a shell; what it prints is used and never shown."""

    argv: Sequence[str] = field(repr=False)
    timeout: float = _TIMEOUT_SECONDS
    now: Callable[[], float] = field(default=time.time, repr=False, compare=False)
    kind: str = "client_assertion"

    @property
    def fingerprint(self) -> str:
        """Names the command with its arguments."""
        return fingerprint(self.kind, b"command", *(os.fsencode(argument) for argument in self.argv))

    @property
    def material(self) -> None:
        """None: nothing here outlives the next assertion."""
        return

    def validate(self) -> None:
        """Check that there is such a command; it is not run, since that may cost a signature in a vault."""
        if not self.argv or not self.argv[0].strip():
            raise unusable("client_assertion_command is empty.", "Give the command as a list: the program, then its arguments.")
        if not all(_can_be_passed(argument) for argument in self.argv):
            raise unusable("client_assertion_command holds a character that no command line can hold.", "Check its arguments.")
        if shutil.which(os.path.expanduser(self.argv[0])) is None:
            # Where the command was given as one text, its arguments are in it, and secrets may be in those.
            raise unusable(
                f"The program '{self.argv[0].split()[0]}' of client_assertion_command cannot be found or run.",
                "Give its full path, and each argument as an item of the list; it is not run by a shell.",
            )

    def acquire(self, request: TokenRequest) -> Grant:
        """Run the command and send what it printed to the tenant's token endpoint."""
        return request_token(request, assertion=lambda: self._assertion(request))

    def _assertion(self, request: TokenRequest) -> str:
        program = os.path.expanduser(self.argv[0])
        environment = {
            **os.environ,
            "M365D_ASSERTION_AUDIENCE": request.token_url,
            "M365D_ASSERTION_CLIENT_ID": request.client_id,
            "M365D_ASSERTION_TENANT_ID": request.tenant_id,
        }
        origin = f"The command '{self.argv[0]}' of client_assertion_command"
        try:
            done = subprocess.run(  # noqa: S603 (no shell; nothing here knows run_command)  # pylint: disable=ansible-bad-function
                [program, *self.argv[1:]],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self.timeout,
                check=False,
                env=environment,
            )
        except subprocess.TimeoutExpired:
            # Not chained: the exception of the library carries the output.
            raise unusable(f"{origin} did not end within {self.timeout:g} s.", "Check that it asks for no input.") from None
        except OSError as exc:
            raise unusable(f"{origin} cannot be run: {(exc.strerror or str(exc)).lower()}.", "Check client_assertion_command.") from exc
        if done.returncode != 0:
            raise unusable(
                f"{origin} failed with exit code {done.returncode}; its output is not shown, since it may hold a secret.",
                "Run it by hand to see why.",
            )
        return checked_assertion(done.stdout, origin=origin, now=self.now)


def _can_be_passed(argument: str) -> bool:
    """Whether a program can be given the argument: it has no zero byte and can be encoded."""
    try:
        return b"\0" not in os.fsencode(argument)
    except UnicodeEncodeError:
        return False
