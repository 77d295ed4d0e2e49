# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: m365d_vault_encrypt
short_description: Encrypt text with the run's own vault secret
version_added: 0.1.0
description:
  - Encrypts each term with Ansible Vault, with the vault secret that this run was started with, however it was given
    (a password file, a client script, several vault ids, a prompt). So a secret that was made during a run is stored such that the
    next run can read it.
  - Use it in a task with C(no_log), as any task that holds a secret.
options:
  _terms:
    description:
      - The text to encrypt.
    type: list
    elements: string
    required: true
  vault_id:
    description:
      - The vault id to encrypt with. Without it Ansible's own choice holds, that is the setting C(vault_encrypt_identity), else the
        first secret.
    type: string
  when_missing:
    description:
      - What to do when the run has no vault secret.
      - V(error) fails; V(empty) returns an empty text, for asking whether there is one.
    type: string
    choices: [error, empty]
    default: error
notes:
  - The result is different each time, since Ansible Vault salts it. Write it only when the secret changed.
seealso:
  - plugin: ansible.builtin.vault
    plugin_type: filter
    description: Encrypts with a vault secret that the playbook names itself.
author:
  - m365d.partner contributors (@m365d)
"""

EXAMPLES = r"""
- name: Store a new secret where the next run finds it
  ansible.builtin.copy:
    content: |
      m365d_client_secret: !vault |
        {{ lookup('m365d.partner.m365d_vault_encrypt', credential.secret_text) | indent(2) }}
    dest: "{{ inventory_dir }}/group_vars/customers/app.yml"
    mode: "0600"
  delegate_to: localhost
  no_log: true
"""

RETURN = r"""
_raw:
  description: The encrypted texts, each with Ansible Vault's header line.
  type: list
  elements: string
"""

from typing import Any

from ansible import constants as C
from ansible.errors import AnsibleLookupError
from ansible.module_utils.common.text.converters import to_text
from ansible.parsing.vault import AnsibleVaultError, VaultLib, match_encrypt_secret
from ansible.plugins.lookup import LookupBase


class LookupModule(LookupBase):
    """Encrypt terms with the vault secrets that the run's data loader holds."""

    def run(self, terms: list[Any], variables: Any = None, **kwargs: Any) -> list[str]:
        self.set_options(var_options=variables, direct=kwargs)
        # The data loader is where ansible-core keeps the secrets that inventory files are decrypted with; there is no public way to
        # them from a lookup, so absence is treated like a run without vault secrets.
        secrets = getattr(getattr(self._loader, "_vault", None), "secrets", None)
        if not secrets:
            if self.get_option("when_missing") == "empty":
                return ["" for _term in terms]
            raise AnsibleLookupError(
                "This run has no vault secret to encrypt with. Give one with --vault-password-file, ANSIBLE_VAULT_PASSWORD_FILE or "
                "vault_password_file in ansible.cfg."
            )
        try:
            vault_id, secret = match_encrypt_secret(
                secrets, encrypt_vault_id=self.get_option("vault_id") or C.DEFAULT_VAULT_ENCRYPT_IDENTITY
            )
        except AnsibleVaultError as exc:
            raise AnsibleLookupError(f"No vault secret of this run can encrypt: {exc}") from exc
        vault = VaultLib(secrets)
        return [to_text(vault.encrypt(str(term), secret=secret, vault_id=vault_id)).rstrip("\n") for term in terms]
