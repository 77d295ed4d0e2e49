# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The form body of a token request, and what a client may send twice or not at all."""

from __future__ import annotations

import base64
import binascii
import json
import urllib.parse
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from .errors import EntraError

_MAXIMUM = 1_000_000


@dataclass(slots=True)
class Form:
    """Parameters of one token request; `basic` says that the credential came in the Authorization header."""

    values: dict[str, str]
    basic: bool = False

    def get(self, name: str) -> str:
        """The value, or an empty string."""
        return self.values.get(name, "")

    def require(self, name: str) -> str:
        """The value. Raises EntraError 900144 when it is missing or empty."""
        value = self.values.get(name, "")
        if not value:
            raise EntraError(900144, parameter=name)
        return value

    def capabilities(self) -> list[str]:
        """Client capabilities declared in the `claims` parameter, as they appear in `xms_cc`."""
        if not self.get("claims"):
            return []
        try:
            claims: Any = json.loads(self.get("claims"))
            values = list(((claims.get("access_token") or {}).get("xms_cc") or {}).get("values") or [])
        except (ValueError, AttributeError, TypeError) as exc:
            raise EntraError(9002313) from exc
        return [str(value).upper() for value in values]


async def read_form(request: Request) -> Form:
    """The urlencoded body, with HTTP Basic credentials merged in. Raises EntraError 900561, 9002313 or 900144."""
    if request.method != "POST":
        raise EntraError(900561, allowed="POST", method=request.method)
    body = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if len(body) > _MAXIMUM or kind not in ("application/x-www-form-urlencoded", ""):
        raise EntraError(9002313) if kind == "" or len(body) > _MAXIMUM else EntraError(900144, parameter="grant_type")
    try:
        pairs = urllib.parse.parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=100)
    except ValueError as exc:
        raise EntraError(9002313) from exc
    values = dict(pairs)
    if len(values) != len(pairs):
        raise EntraError(9002313)
    form = Form(values)
    _merge_basic(form, request.headers.get("authorization", ""))
    return form


def _merge_basic(form: Form, header: str) -> None:
    """RFC 6749, 2.3.1: id and secret are urlencoded before they are joined and encoded."""
    scheme, _unused, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return
    try:
        client, _unused, secret = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise EntraError(9002313) from exc
    form.basic = True
    form.values.setdefault("client_id", urllib.parse.unquote_plus(client))
    form.values["client_secret"] = urllib.parse.unquote_plus(secret)
