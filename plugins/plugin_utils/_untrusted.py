# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeps what comes from a service from being taken for a template.

Since ansible-core 2.19 nothing is a template that is not trusted as one, and a plain text is not. Before it, a text that a
filter has made is templated again when a variable holds it, unless it is marked.
"""

from __future__ import annotations

from typing import Any

from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.m365d.partner.plugins.plugin_utils._options import plain


def untrusted(value: Any) -> Any:
    """Return `value` as plain types whose texts are not templated.

    :param value: what a filter returns, made of what a service said.
    """
    # Made plain first: since ansible-core 2.19 lists and mappings arrive as lazy containers, which cannot be rebuilt.
    return wrap_var(plain(value))
