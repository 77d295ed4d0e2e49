# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small, honest interpreter of a subset of the Kusto Query Language, enough for the queries an analyst runs most.

``run`` either gives what Kusto would give, or refuses: nothing outside the subset is silently ignored. There is no join, no union, no
render, no user-defined function.
"""

from __future__ import annotations

from .errors import KqlError, SemanticError, SyntaxFault
from .operators import Table, run
from .types import SCHEMA_TYPES, to_json

__all__ = ["SCHEMA_TYPES", "KqlError", "SemanticError", "SyntaxFault", "Table", "run", "to_json"]
