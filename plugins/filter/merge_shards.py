# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: merge_shards
short_description: Merge the parts of a fleet that several machines read
version_added: 0.1.0
description:
  - Merges the results of tasks that each read a part of the same tenants (option C(shard) of the modules that read, and of
    M(m365d.partner.m365d_fleet)) into the result of the whole.
  - A part that is missing, that is there twice, or that belongs to another list of tenants is an error, and so is a tenant that is in no
    part or in several, and a part that does not hold the outcomes that its summary counts. Nothing is lost without a word.
options:
  _input:
    description:
      - The results of all parts, in any order.
    type: list
    elements: dictionary
    required: true
author:
  - m365d.partner contributors (@m365d)
"""

EXAMPLES = r"""
- name: Merge what two machines read
  ansible.builtin.set_fact:
    whole: "{{ [first_part, second_part] | m365d.partner.merge_shards }}"

- name: Say how much that is
  ansible.builtin.debug:
    msg: "{{ whole.count }} incidents in {{ whole.summary.ok }} of {{ whole.summary.total }} tenants"
"""

RETURN = r"""
_value:
  description:
    - The result of one task over all tenants - C(tenants) in their order (or C(hosts)), C(summary), C(complete), and the sums of counts.
    - C(messages) are the messages of the parts, C(dests) the files that they wrote. C(failed) says whether a part failed.
  type: dictionary
"""

from collections.abc import Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import PartnerError
from ansible_collections.m365d.partner.plugins.module_utils._core.shards import merge_shards as merge
from ansible_collections.m365d.partner.plugins.plugin_utils._options import plain
from ansible_collections.m365d.partner.plugins.plugin_utils._untrusted import untrusted


def merge_shards(parts: Sequence[Any]) -> Any:
    """Return the result of the whole fleet out of those of its parts."""
    try:
        return untrusted(merge(plain(list(parts))))
    except PartnerError as error:
        raise AnsibleFilterError(f"merge_shards: {error}") from None


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Any]:
        return {"merge_shards": merge_shards}
