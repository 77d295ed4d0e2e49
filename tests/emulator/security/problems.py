# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The refusals of the security services, worded as each of them words them."""

from __future__ import annotations

import uuid

from ..errors import ApiError
from .odata import QueryError


def graph_bad_request(message: str) -> ApiError:
    """Graph's answer for a bad value or body."""
    return ApiError(400, "BadRequest", message, family="graph")


def graph_bad_query(error: QueryError) -> ApiError:
    """Graph's answer for a query option it does not accept."""
    return graph_bad_request(f"Invalid filter clause: {error}" if error.in_filter else str(error))


def graph_not_found(what: str, identifier: str) -> ApiError:
    """Graph's answer for an incident or alert that does not exist in the tenant."""
    return ApiError(404, "ResourceNotFound", f"{what} '{identifier}' was not found.", family="graph")


def defender(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> ApiError:
    """An answer of the Defender API, whose target is a tracking GUID."""
    return ApiError(status, code, message, family="defender", target=str(uuid.uuid4()), headers=headers)


def defender_bad_query(error: QueryError) -> ApiError:
    """The Defender API's answer for a query option it does not accept."""
    return defender(400, "ODataError", f"The query specified in the URI is not valid. {error}")


def defender_bad_body(detail: str = "") -> ApiError:
    """The Defender API's answer for a body that is no JSON object or has a member it does not know."""
    return defender(400, "InvalidRequestBody", f"Request body is incorrect{detail}")


def limit_exceeded(option: str, limit: int, value: int) -> QueryError:
    """The text both services use when a query option exceeds its limit."""
    return QueryError(f"The limit of '{limit}' for {option} query has been exceeded. The value from the incoming request is '{value}'.")
