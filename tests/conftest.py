# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every test."""

from __future__ import annotations

import os

from hypothesis import settings

# How long one example takes says more about the machine than about the code. A developer's runs look for new examples each time;
# continuous integration takes the same ones, so that it fails for what was changed and for nothing else.
settings.register_profile("repository", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("repository")
