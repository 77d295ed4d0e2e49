# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all processes of one run of Ansible share."""

from __future__ import annotations

import os

from ansible import constants as C


def run_directory() -> str:
    """Return a directory (mode 0700) that all workers of this run share and that Ansible removes at its end."""
    path = os.path.join(C.DEFAULT_LOCAL_TMP, "m365d.partner")
    os.makedirs(path, mode=0o700, exist_ok=True)
    return path
