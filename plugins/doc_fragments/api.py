# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Written by tests/tools/update_doc_fragments.py from plugins/module_utils/_argspec.py; edit that file instead.

"""Documentation of the shared options: api."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of the group api, for modules and for plugins."""

    DOCUMENTATION = r"""
options:
  api:
    description:
      - The service that is asked.
      - V(graph) is the security API of Microsoft Graph.
      - V(defender) is the API of Microsoft Defender XDR, which Microsoft retires on 2027-02-01.
    type: str
    choices:
      - graph
      - defender
    default: graph
"""

    PLUGIN = r"""
options:
  api:
    description:
      - The service that is asked.
      - V(graph) is the security API of Microsoft Graph.
      - V(defender) is the API of Microsoft Defender XDR, which Microsoft retires on 2027-02-01.
    type: str
    choices:
      - graph
      - defender
    default: graph
    env:
      - name: M365D_API
    ini:
      - section: m365d
        key: api
    vars:
      - name: m365d_api
"""
