# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.certificate import Certificate
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.client_assertion import AssertionCommand, AssertionFile
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.client_secret import ClientSecret
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.device_code import DeviceCode
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.managed_identity import ManagedIdentity
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.select import METHODS, credential_from_options
from unit.identity.tokens import SECRET


@pytest.mark.parametrize(
    ("params", "method"),
    [
        ({"client_secret": SECRET}, "client_secret"),
        ({"client_secret": ""}, "client_secret"),
        ({"client_certificate_path": "/a.pem"}, "certificate"),
        ({"client_assertion_path": "/a"}, "client_assertion"),
        ({"client_assertion_command": ["sign"]}, "client_assertion"),
        ({"federated_token_file": "/a"}, "federated_token"),
        ({"managed_identity_client_id": "44444444-4444-4444-8444-000000000001"}, "managed_identity"),
        ({"access_token": "a.b.c"}, "ready_token"),
        ({"client_secret": None, "client_certificate_path": "/a.pem", "client_assertion_path": None}, "certificate"),
    ],
)
@pytest.mark.parametrize("asked", [None, "auto"])
def test_auto_chooses_by_what_is_given(params: dict[str, Any], method: str, asked: str | None) -> None:
    assert credential_from_options({"auth_method": asked, **params}).kind == method


@pytest.mark.parametrize("method", ["azure_cli", "device_code", "managed_identity"])
def test_some_methods_need_no_option_but_must_be_asked_for(method: str) -> None:
    assert credential_from_options({"auth_method": method}).kind == method


def test_the_method_that_is_asked_for_wins_over_what_else_is_given() -> None:
    both = {"client_secret": SECRET, "client_certificate_path": "/a.pem"}
    assert credential_from_options({**both, "auth_method": "client_secret"}) == ClientSecret(SECRET)
    assert credential_from_options({**both, "auth_method": "certificate"}) == Certificate("/a.pem")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "No credential is given"),
        ({"client_secret": None}, "No credential is given"),
        ({"client_private_key_path": "/a.key"}, "without client_certificate_path"),
        ({"client_secret": SECRET, "client_certificate_path": "/a.pem"}, "client_secret and client_certificate_path are given together"),
        (
            {"client_secret": SECRET, "access_token": "a.b.c", "federated_token_file": "/a"},
            "access_token, client_secret and federated_token_file are given together",
        ),
        (
            {"client_assertion_path": "/a", "client_assertion_command": ["sign"]},
            "client_assertion_path and client_assertion_command are given",
        ),
        ({"auth_method": "client_secret"}, "auth_method=client_secret needs client_secret"),
        ({"auth_method": "certificate", "client_secret": SECRET}, "auth_method=certificate needs client_certificate_path"),
        ({"auth_method": "client_assertion"}, "needs client_assertion_path or client_assertion_command"),
        ({"auth_method": "kerberos"}, "Unknown auth_method 'kerberos'"),
    ],
)
def test_every_wrong_combination_is_one_clear_sentence(params: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message) as caught:
        credential_from_options(params)
    assert caught.value.scope == "credential"
    assert SECRET not in str(caught.value)
    assert caught.value.next_step


def test_options_reach_their_credential() -> None:
    shown: list[str] = []
    params = {
        "client_certificate_path": "/a.pem",
        "client_private_key_path": "/a.key",
        "client_certificate_password": "p",
        "send_certificate_chain": True,
    }
    assert credential_from_options(params) == Certificate("/a.pem", key_path="/a.key", password="p", send_chain=True)
    assert credential_from_options({"client_assertion_command": ["sign", 1]}) == AssertionCommand(("sign", "1"))
    assert credential_from_options({"client_assertion_path": "/a"}) == AssertionFile("/a")
    assert credential_from_options({"auth_method": "managed_identity"}) == ManagedIdentity()
    device = credential_from_options({"auth_method": "device_code"}, notify=shown.append)
    assert isinstance(device, DeviceCode)
    device.validate()


def test_the_methods_are_those_of_the_option() -> None:
    from ansible_collections.m365d.partner.plugins.module_utils._argspec import BY_NAME

    assert set(BY_NAME["auth_method"].choices) == {"auto", *METHODS}
