# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Which credential the options describe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..errors import OptionError
from .azure_cli import AzureCli
from .base import Credential
from .certificate import Certificate
from .client_assertion import AssertionCommand, AssertionFile
from .client_secret import ClientSecret
from .device_code import DeviceCode
from .federated_token import FederatedToken
from .managed_identity import ManagedIdentity
from .ready_token import ReadyToken

Notify = Callable[[str], None]

# The options that stand for a method by themselves. Azure CLI and device code have none: they must be asked for.
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "ready_token": ("access_token",),
    "client_secret": ("client_secret",),
    "certificate": ("client_certificate_path",),
    "client_assertion": ("client_assertion_path", "client_assertion_command"),
    "federated_token": ("federated_token_file",),
    "managed_identity": ("managed_identity_client_id",),
}
METHODS = (*_OPTIONS, "azure_cli", "device_code")


def credential_from_options(params: Mapping[str, Any], *, notify: Notify | None = None) -> Credential:
    """Return the credential that the shared authentication options describe; it is not validated yet.

    :param notify: shows a message at once, see `DeviceCode`.
    :raises OptionError: when none is given, when several are and `auth_method` does not choose, or when the one
        chosen lacks its option.
    """
    method = str(params.get("auth_method") or "auto")
    given = _given(params)
    if method == "auto":
        method = _only(given, params)
    return _build(method, params, notify)


def _given(params: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return method → its options that are present. An empty text is present: it is a mistake to be named, not a choice."""
    present = {method: [name for name in names if params.get(name) is not None] for method, names in _OPTIONS.items()}
    return {method: names for method, names in present.items() if names}


def _only(given: Mapping[str, list[str]], params: Mapping[str, Any]) -> str:
    if len(given) == 1:
        return next(iter(given))
    if not given:
        if params.get("client_private_key_path"):
            raise _wrong("client_private_key_path is given without client_certificate_path.", "Name the certificate of that key too.")
        raise _wrong(
            "No credential is given.",
            "Give client_secret, client_certificate_path, client_assertion_path, client_assertion_command, federated_token_file, "
            "managed_identity_client_id or access_token; or set auth_method to managed_identity, azure_cli or device_code.",
        )
    names = [name for options in given.values() for name in options]
    raise _wrong(
        f"{', '.join(names[:-1])} and {names[-1]} are given together, so that it is not clear which one counts.",
        f"Leave one, or set auth_method to {' or '.join(given)}.",
    )


def _build(method: str, params: Mapping[str, Any], notify: Notify | None) -> Credential:
    if method == "azure_cli":
        return AzureCli()
    if method == "device_code":
        return DeviceCode(notify=notify)
    if method == "managed_identity":
        return ManagedIdentity(params.get("managed_identity_client_id") or None)
    if method not in _OPTIONS:
        raise _wrong(f"Unknown auth_method '{method}'.", f"Choose one of auto, {', '.join(METHODS)}.")
    present = [name for name in _OPTIONS[method] if params.get(name) is not None]
    if not present:
        raise _wrong(f"auth_method={method} needs {' or '.join(_OPTIONS[method])}.", "Give it, or choose another auth_method.")
    if len(present) > 1:
        raise _wrong(f"{' and '.join(present)} are given together, so that it is not clear which one counts.", "Leave one.")
    return _of_option(method, present[0], params)


def _of_option(method: str, option: str, params: Mapping[str, Any]) -> Credential:
    if method == "certificate":
        return Certificate(
            path=str(params[option]),
            key_path=params.get("client_private_key_path") or None,
            password=params.get("client_certificate_password") or None,
            send_chain=bool(params.get("send_certificate_chain")),
        )
    if option == "client_assertion_command":
        return AssertionCommand(tuple(str(argument) for argument in params[option]))
    simple: Mapping[str, Callable[[str], Credential]] = {
        "access_token": ReadyToken,
        "client_secret": ClientSecret,
        "client_assertion_path": AssertionFile,
        "federated_token_file": FederatedToken,
    }
    return simple[option](str(params[option]))


def _wrong(message: str, next_step: str) -> OptionError:
    return OptionError(message, next_step=next_step, state="credential_error", scope="credential")
