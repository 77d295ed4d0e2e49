# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the first use of a library costs, paid once in Ansible's main process instead of by each worker.

Ansible forks a worker per task and host. Whatever a library sets up when it is used first (TLS contexts, the algorithms of
OpenSSL, codecs, the caches of abstract base classes) is inherited if it happened before, and is repeated for each host if not.
"""

from __future__ import annotations

import contextlib
import os

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import PartnerError
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.store import prepare_cipher
from ansible_collections.m365d.partner.plugins.module_utils._core.wire import prepare_tls
from ansible_collections.m365d.partner.plugins.plugin_utils._options import plain

_SPEC = {"text": {"type": "str"}, "list": {"type": "list", "elements": "dict"}, "switch": {"type": "bool", "default": True}}


def prepare_workers() -> None:
    """Use everything once. What is wrong (a library missing, authorities unreadable) is said by the task that needs it."""
    with contextlib.suppress(PartnerError):
        prepare_tls(ca_path=os.environ.get("M365D_CA_PATH") or None)
        prepare_cipher()
    validation = ArgumentSpecValidator(_SPEC).validate(plain({"text": "a", "list": [{"number": 1, "fraction": 1.5, "nothing": None}]}))
    remove_values(validation.validated_parameters, {"not in there"})
