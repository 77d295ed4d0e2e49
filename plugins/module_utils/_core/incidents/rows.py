# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Incidents, or alerts, as rows, for CSV and Parquet: one column per key of the schema, lists and objects as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .schema import INCIDENT_KEYS

TIME_COLUMNS = (
    "created_date_time",
    "last_update_date_time",
    "resolved_date_time",
    "first_activity_date_time",
    "last_activity_date_time",
)
NUMBER_COLUMNS = ("priority_score",)
TEXT_LIST_COLUMNS = ("custom_tags", "system_tags", "redirected_from", "categories", "mitre_techniques")

# What a spreadsheet takes for a formula (OWASP, CSV injection). Titles and descriptions hold text that attackers choose.
# East Asian input writes the same signs in full width, which some spreadsheets take for them.
_FORMULA_STARTS = (*"=+-@", *"\uff1d\uff0b\uff0d\uff20", "\t", "\r", "\n")

# Made once: `json.dumps()` with options makes one for each incident.
_COMPACT = json.JSONEncoder(separators=(",", ":"))


def columns(keys: tuple[str, ...] = INCIDENT_KEYS, *, raw: bool) -> tuple[str, ...]:
    """Return the names of the columns in their order.

    :param keys: the keys of the schema, of incidents or of alerts.
    """
    return (*keys, "raw") if raw else keys


def json_text(value: Any) -> str:
    """Return compact JSON in ASCII, on one line: what a service sent may hold halves of surrogate pairs, which UTF-8 cannot."""
    return _COMPACT.encode(value)


def csv_row(incident: Mapping[str, Any], names: tuple[str, ...]) -> list[str]:
    """Return an incident's cells; None is empty, and a text that a spreadsheet would calculate is made harmless with a quote."""
    return [_csv_cell(incident.get(name)) for name in names]


def _csv_cell(value: Any) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        return json_text(value)
    return f"'{value}" if value.startswith(_FORMULA_STARTS) else value


def clean_text(value: Any) -> str | None:
    """Return a text that UTF-8 can write, None for None; anything else as JSON."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json_text(value)
    return text.encode("utf-8", "replace").decode("utf-8")
