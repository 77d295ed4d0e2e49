# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of shared options: what it gives to argument specs, to the environment and to the documentation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import AnsibleFallbackNotFound
from ansible_collections.m365d.partner.plugins.module_utils import _argspec
from ansible_collections.m365d.partner.plugins.module_utils._argspec import (
    BY_NAME,
    GROUPS,
    OPTIONS,
    complete_credential,
    environment_options,
    from_environment,
    refused_secrets,
    secrets_in,
    shared_options,
    shown_options,
)
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError

ROOT = Path(__file__).resolve().parents[3]
NAMES = tuple(BY_NAME)


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for option in OPTIONS:
        for name in option.env:
            monkeypatch.delenv(name, raising=False)


def test_groups_divide_the_options_among_them() -> None:
    assert sorted(name for group in GROUPS for name in shared_options(group)) == sorted(NAMES)
    assert shared_options("connection", "api").keys() == {option.name for option in OPTIONS if option.group in ("connection", "api")}
    assert shared_options().keys() == {option.name for option in OPTIONS if option.group != "fleet"}


def test_a_group_that_does_not_exist_is_refused() -> None:
    with pytest.raises(KeyError, match="no such group of options: autth"):
        shared_options("autth")


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_whatever_sounds_like_a_secret_says_whether_it_is_one(option: _argspec.Option) -> None:
    sounds = any(word in option.name for word in ("secret", "password", "token", "key", "assertion"))
    harmless = {"token_cache", "token_cache_directory", "client_private_key_path", "client_assertion_path", "client_assertion_command"}
    harmless |= {"federated_token_file"}
    assert option.spec()["no_log"] is (sounds and option.name not in harmless)


def test_no_option_takes_a_tenant_from_the_environment() -> None:
    read = {name for option in OPTIONS for name in option.env}
    assert not [name for name in read if "TENANT" in name and name != "M365D_ALLOWED_TENANTS"]
    assert BY_NAME["tenant_id"].env == ()


def test_the_spec_is_one_that_ansible_accepts_and_its_defaults_are_of_their_types() -> None:
    params = ArgumentSpecValidator(shared_options()).validate({}).validated_parameters
    usual = {
        "cloud": "global",
        "validate_certs": True,
        "timeout": 30.0,
        "deadline": 300.0,
        "auth_method": "auto",
        "endpoint_version": "v2",
        "api": "graph",
    }
    assert {name: params[name] for name in usual} == usual


def test_an_empty_variable_of_the_environment_counts_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("M365D_CLIENT_ID", "")
    with pytest.raises(AnsibleFallbackNotFound):
        from_environment("M365D_CLIENT_ID", "M365D_NOWHERE")
    monkeypatch.setenv("AZURE_CLIENT_ID", "second")
    assert from_environment("M365D_CLIENT_ID", "AZURE_CLIENT_ID") == "second"


# What is given, what the environment holds, what the environment adds.
ENVIRONMENT: list[tuple[str, dict[str, Any], dict[str, str], dict[str, Any]]] = [
    ("nothing adds nothing", {}, {}, {}),
    ("own names come before those of the Azure SDKs", {}, {"M365D_CLIENT_ID": "a", "AZURE_CLIENT_ID": "b"}, {"client_id": "a"}),
    ("names of the Azure SDKs are read", {}, {"AZURE_CLIENT_ID": "b"}, {"client_id": "b"}),
    ("what is given stays", {"client_id": "c"}, {"M365D_CLIENT_ID": "a"}, {}),
    ("an option given as nothing counts as not given", {"client_id": None}, {"M365D_CLIENT_ID": "a"}, {"client_id": "a"}),
    ("a falsy value is given", {"validate_certs": False}, {"M365D_VALIDATE_CERTS": "yes"}, {}),
    ("a tenant is never read", {}, {"M365D_TENANT_ID": "t", "AZURE_TENANT_ID": "t"}, {}),
    ("an empty value counts as missing", {}, {"M365D_CLIENT_SECRET": ""}, {}),
    ("a secret is read where no credential is given", {}, {"M365D_CLIENT_SECRET": "s"}, {"client_secret": "s"}),
    (
        "a given certificate is not joined by a secret",
        {"client_certificate_path": "/c.pem"},
        {"M365D_CLIENT_SECRET": "s", "AZURE_CLIENT_SECRET": "s"},
        {},
    ),
    (
        "a given certificate is completed by its password",
        {"client_certificate_path": "/c.pem"},
        {"M365D_CLIENT_CERTIFICATE_PASSWORD": "p"},
        {"client_certificate_password": "p"},
    ),
    (
        "own credentials come before those of the Azure SDKs, whatever their kind",
        {},
        {"M365D_CLIENT_CERTIFICATE_PATH": "/c.pem", "AZURE_CLIENT_SECRET": "s"},
        {"client_certificate_path": "/c.pem"},
    ),
    (
        "a chosen method takes its own credential only",
        {"auth_method": "certificate"},
        {"M365D_CLIENT_SECRET": "s", "AZURE_CLIENT_CERTIFICATE_PATH": "/c.pem"},
        {"client_certificate_path": "/c.pem"},
    ),
    (
        "a method chosen by the environment counts as chosen",
        {},
        {"M365D_AUTH_METHOD": "federated_token", "M365D_CLIENT_SECRET": "s", "AZURE_FEDERATED_TOKEN_FILE": "/f"},
        {"auth_method": "federated_token", "federated_token_file": "/f"},
    ),
    (
        "a method without options takes none",
        {"auth_method": "azure_cli"},
        {"M365D_CLIENT_SECRET": "s"},
        {},
    ),
    (
        "a command is split as a shell would",
        {},
        {"M365D_CLIENT_ASSERTION_COMMAND": "vault read -field='my token' sign"},
        {"client_assertion_command": ["vault", "read", "-field=my token", "sign"]},
    ),
]


@pytest.mark.parametrize(("given", "environ", "added"), [case[1:] for case in ENVIRONMENT], ids=[case[0] for case in ENVIRONMENT])
def test_the_environment_adds(given: dict[str, Any], environ: dict[str, str], added: dict[str, Any]) -> None:
    assert environment_options(given, NAMES, environ) == added


def test_a_command_in_the_environment_that_cannot_be_read_is_a_sentence() -> None:
    with pytest.raises(OptionError, match="M365D_CLIENT_ASSERTION_COMMAND is no command: no closing quotation"):
        environment_options({}, NAMES, {"M365D_CLIENT_ASSERTION_COMMAND": "sign 'x"})


def test_a_path_of_the_environment_is_expanded() -> None:
    found = environment_options({}, NAMES, {"M365D_CLIENT_CERTIFICATE_PATH": "~/partner.pem"})
    assert found["client_certificate_path"] == str(Path("~/partner.pem").expanduser())


def test_only_options_that_the_operation_takes_are_added() -> None:
    assert environment_options({}, ["cloud", "own_option"], {"M365D_CLIENT_ID": "a", "M365D_CLOUD": "gcc"}) == {"cloud": "gcc"}


def test_a_module_takes_the_credential_of_the_environment_by_the_same_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("M365D_CLOUD", "gcc")
    environ = {"M365D_CLIENT_SECRET": "s"}
    params = ArgumentSpecValidator(shared_options()).validate({}).validated_parameters
    assert params["cloud"] == "gcc"
    assert complete_credential(params, environ)["client_secret"] == "s"
    assert complete_credential({**params, "access_token": "t"}, environ)["client_secret"] is None
    assert "client_secret" not in complete_credential({"own_option": 1}, environ)


def test_the_secrets_among_the_options_are_known_by_value() -> None:
    params = {"client_secret": "s", "access_token": "t", "client_certificate_password": None, "client_id": "c"}
    assert secrets_in(params) == {"s", "t"}


def test_secrets_in_the_entries_of_tenants_are_known_by_value_too() -> None:
    entries = ["contoso.example", {"proxy": "http://u:abcdefgh@proxy"}, {"client_secret": "given here by mistake"}]
    assert {"abcdefgh", "given here by mistake"} <= secrets_in({"tenants": entries})
    assert secrets_in({"tenants": "contoso.example"}) == secrets_in({"tenants": None}) == set()


def test_a_text_that_is_too_short_to_be_a_secret_is_kept_out_of_what_is_shown_instead_of_masked_letter_by_letter() -> None:
    params = {"client_secret": "e", "client_id": "c", "credentials": [{"name": "gov", "client_secret": "1234567"}, {"name": "e"}]}
    assert refused_secrets(params) == {"e", "1234567"}
    shown = shown_options(params)
    hidden = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    assert shown == {"client_secret": hidden, "client_id": "c", "credentials": [{"name": "gov", "client_secret": hidden}, {"name": "e"}]}
    assert params["client_secret"] == "e"


@pytest.mark.parametrize(
    "params", [{}, {"client_secret": None}, {"client_secret": ""}, {"client_secret": "12345678"}, {"credentials": "x"}]
)
def test_all_other_secrets_stay_masked(params: dict[str, Any]) -> None:
    assert refused_secrets(params) == set()
    assert shown_options(params) == params


def test_of_a_long_list_of_tenants_the_beginning_is_shown() -> None:
    tenants = [f"11111111-1111-4111-8111-{number:012d}" for number in range(1, 121)]
    assert shown_options({"tenants": tenants[:100]}) == {"tenants": tenants[:100]}
    assert shown_options({"tenants": tenants}) == {"tenants": [*tenants[:100], "and 20 more"]}
    assert shown_options({"tenants": tenants, "client_secret": "e"})["tenants"][-1] == "and 20 more"
    assert len(tenants) == 120


def test_the_documentation_fragments_say_what_the_table_says() -> None:
    tool = ROOT / "tests" / "tools" / "update_doc_fragments.py"
    done = subprocess.run([sys.executable, str(tool), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_drift_of_the_documentation_is_noticed(tmp_path: Path) -> None:
    tool = (ROOT / "tests" / "tools" / "update_doc_fragments.py").read_text(encoding="utf-8")
    code = f"""
import sys
sys.argv = ["update_doc_fragments.py", "--check"]
import ansible_collections.m365d.partner.plugins.module_utils._argspec as table
from dataclasses import replace
table.OPTIONS = tuple(replace(option, default="gcc") if option.name == "cloud" else option for option in table.OPTIONS)
__file__ = {str(ROOT / "tests" / "tools" / "update_doc_fragments.py")!r}
exec(compile({tool!r}, __file__, "exec"))
"""
    path = ":".join(entry for entry in sys.path if entry)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env={"PYTHONPATH": path})
    assert done.returncode == 1, done.stdout + done.stderr
    assert "+    default: gcc" in done.stdout
