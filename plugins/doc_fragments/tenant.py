# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Written by tests/tools/update_doc_fragments.py from plugins/module_utils/_argspec.py; edit that file instead.

"""Documentation of the shared options: tenant."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of the group tenant, for modules and for plugins."""

    DOCUMENTATION = r"""
options:
  tenant_id:
    description:
      - The tenant, by GUID or by a domain that is verified in it.
      - It must be given, on the task or as the variable C(m365d_tenant_id) of the host. It is never taken from the environment,
        and names that stand for no particular tenant (V(common), V(organizations), V(consumers)) are refused.
    type: str
  allowed_tenants:
    description:
      - When given, any other tenant is refused before a request is made.
      - 'A tenant is compared as it is given in O(tenant_id): list its domain if it is named by its domain.'
    type: list
    elements: str
"""

    PLUGIN = r"""
options:
  tenant_id:
    description:
      - The tenant, by GUID or by a domain that is verified in it.
      - It must be given, on the task or as the variable C(m365d_tenant_id) of the host. It is never taken from the environment,
        and names that stand for no particular tenant (V(common), V(organizations), V(consumers)) are refused.
    type: str
    vars:
      - name: m365d_tenant_id
  allowed_tenants:
    description:
      - When given, any other tenant is refused before a request is made.
      - 'A tenant is compared as it is given in O(tenant_id): list its domain if it is named by its domain.'
    type: list
    elements: str
    env:
      - name: M365D_ALLOWED_TENANTS
    ini:
      - section: m365d
        key: allowed_tenants
    vars:
      - name: m365d_allowed_tenants
"""
