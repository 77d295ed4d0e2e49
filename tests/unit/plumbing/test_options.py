# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ansible's values made plain, and options from variables."""

from __future__ import annotations

import datetime
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import ansible.template
import pytest
from ansible.errors import AnsibleError
from ansible.parsing.vault import AnsibleVaultError
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import CredentialError
from ansible_collections.m365d.partner.plugins.plugin_utils._options import options_from_variables, plain, variable_value, wants_in_process


class Templar:
    """Resolves the names between braces, as far as these tests need it."""

    def __init__(self, variables: Mapping[str, Any]) -> None:
        self.variables = variables

    def template(self, value: Any) -> Any:
        if isinstance(value, str) and value.startswith("{{"):
            return self.variables[value.strip("{} ")]
        return value


def tagged(value: Any) -> Any:
    """Return a value as a plugin receives it: tagged from ansible-core 2.19 on, of a class of its own before."""
    if isinstance(value, str):
        trust = getattr(ansible.template, "trust_as_template", None)
        if trust is not None:
            return trust(value)
        from ansible.utils.unsafe_proxy import AnsibleUnsafeText

        return AnsibleUnsafeText(value)
    if isinstance(value, dict):
        return OrderedDict((tagged(key), tagged(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return type(value)(tagged(item) for item in value)
    return value


class SubInt(int):
    """An integer of a class of its own."""


class SubFloat(float):
    """A number of a class of its own."""


PLAIN = [
    ("text", "text"),
    (tagged("text"), "text"),
    (SubInt(7), 7),
    (SubFloat(2.5), 2.5),
    (True, True),
    (None, None),
    (tagged({"key": ["a", {"b": "c"}]}), {"key": ["a", {"b": "c"}]}),
    (("a", "b"), ["a", "b"]),
    (datetime.date(2026, 11, 1), "2026-11-01"),
    (datetime.datetime(2026, 11, 1, 2, 3, tzinfo=datetime.timezone.utc), "2026-11-01T02:03:00+00:00"),
]


def names_of_types(value: Any) -> list[str]:
    """Return the names of all types in a value."""
    inner = [*value.keys(), *value.values()] if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else []
    return [type(value).__name__, *(name for part in inner for name in names_of_types(part))]


@pytest.mark.parametrize(("value", "wanted"), PLAIN, ids=lambda value: type(value).__name__)
def test_values_become_equal_and_plain(value: Any, wanted: Any) -> None:
    result = plain(value)
    assert result == wanted
    assert names_of_types(result) == names_of_types(wanted)
    assert set(names_of_types(result)) <= {"NoneType", "bool", "dict", "float", "int", "list", "str"}


def test_variables_add_the_options_that_are_not_given() -> None:
    variables = {
        "m365d_client_id": tagged("from-variable"),
        "m365d_cloud": "{{ own_cloud }}",
        "own_cloud": "gcc",
        "m365d_timeout": 5,
        "m365d_own_option": "not shared",
        "m365d_proxy": None,
    }
    found = options_from_variables(
        ["client_id", "cloud", "timeout", "own_option", "proxy", "api"],
        given={"timeout": 9},
        variables=variables,
        templar=Templar(variables),
    )
    assert found == {"client_id": "from-variable", "cloud": "gcc"}
    assert type(found["client_id"]).__name__ == "str"


def test_a_variable_that_was_omitted_is_not_set() -> None:
    variables = {"omit": "__omit_place_holder__0815", "m365d_cloud": "{{ omit }}"}
    assert variable_value("m365d_cloud", variables=variables, templar=Templar(variables)) is None


SWITCH: list[tuple[Any, str | None, bool]] = [
    (None, None, True),
    (None, "", True),
    (None, "0", False),
    (None, "no", False),
    (None, "1", True),
    (False, "1", False),
    ("no", None, False),
    (True, "0", True),
]


@pytest.mark.parametrize(("variable", "environment", "wanted"), SWITCH)
def test_the_variable_decides_before_the_environment_whether_the_worker_may_run_it(
    variable: Any, environment: str | None, wanted: bool
) -> None:
    variables = {} if variable is None else {"m365d_in_process": variable}
    environ = {} if environment is None else {"M365D_IN_PROCESS": environment}
    assert wants_in_process(variables=variables, templar=Templar(variables), environ=environ) is wanted


def test_a_switch_that_is_no_boolean_is_an_error() -> None:
    with pytest.raises(TypeError, match="perhaps"):
        wants_in_process(variables={}, templar=Templar({}), environ={"M365D_IN_PROCESS": "perhaps"})


class LockedTemplar(Templar):
    """A templar without the vault's password, as ansible-core raises it: bare before 2.19, wrapped since."""

    def __init__(self, variables: Mapping[str, Any], *, wrapped: bool, word: str = "vaulted") -> None:
        super().__init__(variables)
        self.wrapped = wrapped
        self.word = word

    def template(self, value: Any) -> Any:
        if value != self.word:
            return super().template(value)
        try:
            raise AnsibleVaultError("Attempting to decrypt but no vault secrets found.")
        except AnsibleVaultError as exc:
            if not self.wrapped:
                raise
            raise AnsibleError("Error rendering template.") from exc


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("tenant", ["fabrikam.example", "vaulted", None])
def test_a_vaulted_variable_without_the_password_names_itself_the_tenant_and_the_remedy(wrapped: bool, tenant: str | None) -> None:
    variables = {"m365d_client_secret": "vaulted", **({"m365d_tenant_id": tenant} if tenant else {})}
    with pytest.raises(CredentialError, match="The variable m365d_client_secret is vaulted") as caught:
        options_from_variables(["client_secret"], given={}, variables=variables, templar=LockedTemplar(variables, wrapped=wrapped))
    assert caught.value.tenant_id == (None if tenant == "vaulted" else tenant)
    assert "ANSIBLE_VAULT_PASSWORD_FILE" in str(caught.value)
    assert "--ask-vault-pass" in str(caught.value)


def test_any_other_error_of_a_template_stays_what_it_is() -> None:
    class Broken(Templar):
        def template(self, value: Any) -> Any:
            raise AnsibleError(f"cannot render {value}")

    with pytest.raises(AnsibleError, match="cannot render x"):
        variable_value("m365d_cloud", variables={"m365d_cloud": "x"}, templar=Broken({}))
