# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options from variables, and Ansible's values made plain at the border of this collection's code.

Since ansible-core 2.19 an in-process plugin receives tagged types: `isinstance(x, str)` holds, `type(x) is str` does not. Before
it, vaulted and untrusted texts are classes of their own. Below the border, only plain types exist.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from ansible import errors as ansible_errors
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.parsing.vault import AnsibleVaultError
from ansible_collections.m365d.partner.plugins.module_utils._argspec import BY_NAME, VARIABLE_PREFIX
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import CredentialError

IN_PROCESS_VARIABLE = f"{VARIABLE_PREFIX}in_process"
IN_PROCESS_ENV = IN_PROCESS_VARIABLE.upper()

_TENANT_VARIABLE = BY_NAME["tenant_id"].variable

# Raised by ansible-core 2.19 and later where a template comes to `omit`; before it, a placeholder text is returned.
_Omitted: type[Exception] = getattr(ansible_errors, "AnsibleValueOmittedError", LookupError)


def plain(value: Any) -> Any:
    """Return `value` with all of Ansible's own types replaced by the plain ones; vaulted texts are decrypted.

    Dates become texts in ISO 8601, as they would on the way to a real module.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if getattr(value, "__ENCRYPTED__", False) or type(value).__name__ == "EncryptedString":
        return str.__str__(str(value))
    if isinstance(value, int):
        return int.__add__(value, 0)
    if isinstance(value, float):
        return float.__add__(value, 0.0)
    if isinstance(value, (datetime.datetime, datetime.date)):
        return str.__str__(value.isoformat())
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, AbstractSet)):
        return [plain(item) for item in value]
    return value


def options_from_variables(names: Iterable[str], *, given: Mapping[str, Any], variables: Mapping[str, Any], templar: Any) -> dict[str, Any]:
    """Return the shared options that the variables `m365d_<option>` add to those that are given.

    :param names: the options that the plugin takes.
    :param given: the options of the task; a variable does not replace them.
    :param templar: Ansible's templar; variables arrive as templates.
    :raises AnsibleUndefinedVariable: where a variable refers to one that does not exist.
    :raises CredentialError: where one is vaulted and this run cannot decrypt it.
    """
    found: dict[str, Any] = {}
    for name in names:
        if name not in BY_NAME or name in given or not BY_NAME[name].in_variables:
            continue
        value = variable_value(BY_NAME[name].variable, variables=variables, templar=templar)
        if value is not None:
            found[name] = value
    return found


def variable_value(name: str, *, variables: Mapping[str, Any], templar: Any) -> Any:
    """Return the plain value of a variable, or None where it is not set or omitted.

    :raises CredentialError: where it is vaulted and this run cannot decrypt it.
    """
    if name not in variables:
        return None
    try:
        value = plain(templar.template(variables[name]))
    except _Omitted:
        return None
    except ansible_errors.AnsibleError as exc:
        if not _is_undecryptable(exc):
            raise
        raise CredentialError(
            f"The variable {name} is vaulted, or refers to one that is, and this run cannot decrypt it.",
            tenant_id=None if name == _TENANT_VARIABLE else _tenant_of(variables, templar=templar),
            next_step="Give the vault's password: set ANSIBLE_VAULT_PASSWORD_FILE (again in each new shell), or add --ask-vault-pass.",
        ) from exc
    return None if isinstance(value, str) and value == variables.get("omit") else value


def _is_undecryptable(exc: BaseException | None) -> bool:
    """Tell whether a vault without its password is the cause; since ansible-core 2.19 the error of a template wraps it."""
    while exc is not None:
        if isinstance(exc, AnsibleVaultError) or "undecryptable" in str(exc):
            return True
        exc = exc.__cause__ or exc.__context__
    return False


def _tenant_of(variables: Mapping[str, Any], *, templar: Any) -> str | None:
    """Return the tenant of the host, as far as it can be told, for a diagnosis."""
    try:
        tenant = variable_value(_TENANT_VARIABLE, variables=variables, templar=templar)
    except (ansible_errors.AnsibleError, CredentialError):
        return None
    return None if tenant is None else str(tenant)


def wants_in_process(*, variables: Mapping[str, Any], templar: Any, environ: Mapping[str, str]) -> bool:
    """Tell whether operations may run inside Ansible's worker: variable `m365d_in_process`, else `M365D_IN_PROCESS`, else yes.

    :raises TypeError: for a value that is not a boolean.
    """
    value = variable_value(IN_PROCESS_VARIABLE, variables=variables, templar=templar)
    if value is None:
        value = environ.get(IN_PROCESS_ENV) or True
    return bool(boolean(value))
