# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Whoever is signed in to Azure CLI on this machine: `az account get-access-token`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..errors import AuthenticationError, CredentialError, PartnerError, excerpt
from .base import Grant, TokenRequest
from .diagnosis import diagnose
from .files import unusable
from .fingerprints import fingerprint
from .token import peek_claims

_TIMEOUT_SECONDS = 60.0
_INSTALL = "Install Azure CLI and sign in with `az login`, or choose another auth_method."


@dataclass(frozen=True)
class AzureCli:
    """The account of Azure CLI, a user's or an app's. Never chosen by `auto`: it may be anybody's."""

    program: str = "az"
    timeout: float = _TIMEOUT_SECONDS
    now: Callable[[], float] = field(default=time.time, repr=False, compare=False)
    kind: str = "azure_cli"

    @property
    def fingerprint(self) -> str:
        """Names the profile and its state, so that another sign-in does not get the last one's tokens."""
        directory = os.environ.get("AZURE_CONFIG_DIR") or os.path.join(os.path.expanduser("~"), ".azure")
        try:
            state = str(os.stat(os.path.join(directory, "azureProfile.json")).st_mtime_ns)
        except OSError:
            state = "none"
        return fingerprint(self.kind, os.fsencode(directory), state.encode())

    @property
    def material(self) -> None:
        """None: Azure CLI keeps its secrets to itself."""
        return

    def validate(self) -> None:
        """Check that Azure CLI is installed."""
        if shutil.which(self.program) is None:
            raise unusable("Azure CLI (az) is not installed, or not on the PATH.", _INSTALL)

    def acquire(self, request: TokenRequest) -> Grant:
        """Ask Azure CLI for a token of the tenant."""
        argv = ["account", "get-access-token", "--resource", request.resource, "--tenant", request.tenant_id, "--output", "json"]
        try:
            done = subprocess.run(  # noqa: S603 (no shell; nothing here knows run_command)  # pylint: disable=ansible-bad-function
                [shutil.which(self.program) or self.program, *argv],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=self.timeout,
                check=False,
                encoding="utf-8",
                errors="replace",
            )
        except subprocess.TimeoutExpired:
            # Not chained: the exception of the library carries the output.
            raise unusable(f"Azure CLI did not answer within {self.timeout:g} s.", "Run `az account get-access-token` by hand.") from None
        except OSError as exc:
            raise unusable(f"Azure CLI cannot be run: {(exc.strerror or str(exc)).lower()}.", _INSTALL) from exc
        if done.returncode != 0:
            raise _refused(done.stderr, request)
        return self._grant(done.stdout, request)

    def _grant(self, output: str, request: TokenRequest) -> Grant:
        try:
            body: Any = json.loads(output)
            value = body["accessToken"]
        except (ValueError, KeyError, TypeError):
            value = None
        if not isinstance(value, str) or not value:
            raise unusable("Azure CLI gave no token.", "Run `az account get-access-token` by hand and see what it says.")
        # `expiresOn` is local time without a zone; `expires_on` (since 2.54) and the token's own claim are not ambiguous.
        ends = body.get("expires_on", peek_claims(value).get("exp"))
        try:
            left = float(ends) - self.now()
        except (TypeError, ValueError):
            left = 0.0
        return Grant(value, left)


def _refused(said: str, request: TokenRequest) -> PartnerError:
    """Return the error for a failure of Azure CLI; what it writes to standard error holds no token."""
    if "AADSTS" in said:
        error = diagnose({"error_description": said[said.index("AADSTS") :]}, attempted=request.attempted, tenant_id=request.tenant_id)
        # The account is a person's or another app's: what one tenant says about it says nothing about the next.
        return error if isinstance(error, AuthenticationError) else _for_tenant(error)
    if "az login" in said:
        return unusable("Nobody is signed in to Azure CLI.", "Sign in with `az login --tenant TENANT`.")
    return CredentialError(
        "Azure CLI failed.",
        attempted=request.attempted,
        tenant_id=request.tenant_id,
        state="credential_error",
        service_message=excerpt(said),
        scope="tenant",
        next_step="Run `az account get-access-token` by hand and see what it says.",
    )


def _for_tenant(error: PartnerError) -> PartnerError:
    error.scope = "tenant"
    return error
