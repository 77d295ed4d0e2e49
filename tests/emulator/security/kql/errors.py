# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a query cannot run."""

from __future__ import annotations


class KqlError(Exception):
    """The query is at fault; the text is what the engine says."""


class SyntaxFault(KqlError):
    """The text is no query."""

    def __init__(self, token: str, line: int, column: int) -> None:
        shown = token or "<EOF>"
        super().__init__(
            f"A recognition error occurred. Token: '{shown}', Line: {line}, Position: {column}. Fix syntax errors in your query."
        )


class SemanticError(KqlError):
    """The query names something that does not exist, or puts things together that do not fit."""

    def __init__(self, operator: str, text: str) -> None:
        super().__init__(f"'{operator}' operator: {text}. Fix semantic errors in your query.")
