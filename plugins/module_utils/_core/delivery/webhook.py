# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""A receiver that takes each version of an incident as one HTTPS POST.

At least once: a run that dies after the receiver has taken an incident, and before the cursor moved, sends it again. The
header `Idempotency-Key` is the same then, so that the receiver can leave it out (draft-ietf-httpapi-idempotency-key-header).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote, urlsplit

from ..errors import OptionError, PartnerError, ServiceError, Throttled
from ..transport import Response, Transport, origin_of, retry_after
from .batch import Batch, Delivered, Version, described

KEY_HEADER = "Idempotency-Key"
_RESERVED = frozenset({"content-type", "content-length", "host", "transfer-encoding", KEY_HEADER.lower()})
_SHORTEST_SECRET = 6
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# What RFC 9110, section 5.5, lets a value hold, in ASCII.
_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?")


def idempotency_key(version: Version) -> str:
    """Return the key of a version: SHA-256, in hexadecimal, of the JSON list of tenant id, incident id and last update."""
    return hashlib.sha256(json.dumps(version, separators=(",", ":")).encode()).hexdigest()


class Webhook:
    """The receiver.

    :param url: where to post to; secret, since many receivers know their senders by a part of it.
    :param headers: further headers; secret.
    :raises OptionError: where no request could be made of these.
    """

    def __init__(self, transport: Transport, *, url: str, headers: Mapping[str, str]) -> None:
        _check_url(url)
        _check_headers(headers)
        self._transport = transport
        self._url = url
        self._headers = dict(headers)
        self._secrets = _parts([*headers.values(), url.partition("://")[2].partition("/")[2]])

    @property
    def origin(self) -> str:
        """Scheme, host and port of the receiver."""
        return origin_of(self._url)

    def deliver(self, batch: Batch, *, dry_run: bool = False) -> Delivered:
        """Post each version; stop at the first that the receiver does not take.

        :raises PartnerError: where it does not take one, after all repetitions.
        """
        report = Delivered()
        for entry in batch:
            if not dry_run:
                self._post(entry.version, entry.incident())
            report.took(entry)
        return report

    def _post(self, version: Version, incident: object) -> None:
        try:
            # The key makes a repetition harmless, so a broken connection is no reason to give up.
            response = self._transport.send(
                "POST",
                self._url,
                attempted=f"posting incident {described(version).partition(' incident ')[2]}",
                tenant_id=version[0],
                headers={**self._headers, KEY_HEADER: idempotency_key(version)},
                json_body=incident,
                repeatable=True,
            )
            if not 200 <= response.status < 300:
                raise self._refused(response)
        except PartnerError as error:
            # A receiver may say back what it was sent, a library name the whole URL.
            error.message = self._hidden(error.message)
            error.service_message = error.service_message and self._hidden(error.service_message)
            raise

    def _hidden(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "********")
        return text

    def _refused(self, response: Response) -> PartnerError:
        if response.status == 429:
            error = Throttled(
                "The receiver limits the number of requests, and the deadline was over before it would take the next one.",
                attempted=response.attempted,
                tenant_id=response.tenant_id,
                http_status=429,
                service_message=self._hidden(response.text),
                next_step="Have the receiver take more, raise deadline, or read with a limit.",
                retryable=True,
            )
            error.retry_after = retry_after(response)
            return error
        hint = {
            301: "It moved: correct the URL, since a redirection is not followed with your header.",
            401: "Correct its authorization.",
            403: "Correct its authorization.",
            404: "Correct the URL.",
        }
        return ServiceError(
            f"The receiver {self.origin} did not take it.",
            attempted=response.attempted,
            tenant_id=response.tenant_id,
            http_status=response.status,
            service_message=self._hidden(response.text),
            next_step=hint.get(
                301 if 300 <= response.status < 400 else response.status,
                "Look into the receiver's log. The same incidents are sent again by the next run, with the same keys.",
            ),
            retryable=response.status >= 500,
        )


def _parts(secrets: Iterable[str]) -> list[str]:
    """Return what must not be shown of secret texts: they, and the parts of them that are long enough to be one; the longest first."""
    parts = {part for text in secrets for part in (text, *re.split(r"[\s/?&=;,:]+", text))}
    parts |= {unquote(part) for part in parts}
    return sorted((part for part in parts if len(part) >= _SHORTEST_SECRET), key=len, reverse=True)


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme == "https" and bool(parts.hostname) and not parts.username and not parts.password and parts.port != 0
    except ValueError:
        usable = False
    if not usable or re.search(r"[\s\x00-\x1f\x7f]", url):
        # The URL itself is not shown: it may hold a secret.
        raise OptionError(
            "webhook.url is no URL of a receiver.",
            next_step="Give an https URL without a user or password in it; use webhook.authorization.",
        )


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _RESERVED:
            raise OptionError(
                "webhook.headers holds a name that is no header, or one that is set here.",
                next_step=f"Leave out {', '.join(sorted(_RESERVED))}, and what is no name of a header.",
            )
        if not _HEADER_VALUE.fullmatch(value):
            raise OptionError(
                f"The value of the header '{name}' cannot be sent.", next_step="Give one line of ASCII without blanks at its ends."
            )
