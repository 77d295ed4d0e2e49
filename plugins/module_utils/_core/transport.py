# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""HTTPS with patience: kept-alive connections, one TLS context, retries that obey the service, a deadline over all attempts.

What is retried follows HTTP semantics (RFC 9110, sections 9.2.2 and 10.2.3): a request that is safe to repeat is
repeated after a broken connection and after 429, 500, 502, 503 and 504; any other only when the service said that it
did not process it (429, 503). `Retry-After` is obeyed; the Defender API's quota text ("1500 per 01:00:00") stands in
where the header is missing; else exponential back-off with full jitter.
"""

from __future__ import annotations

import json
import random
import re
import time
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from ._libraries import requests
from .breaker import Breaker
from .budget import Pace
from .errors import UNPRINTABLE, ServiceError, Throttled, TransportError, excerpt
from .wire import Wire, is_readable

_RETRIED_STATUS = frozenset({429, 500, 502, 503, 504})
_NOT_PROCESSED_STATUS = frozenset({429, 503})
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE", "PUT"})
_QUOTA_TEXT = re.compile(r"(?:per|again in) (?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})")
_QUOTA_WORDS = re.compile(r"again in (\d+)\s*(second|minute|hour)", re.IGNORECASE)
_WORD_SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3600.0}
_BACKOFF_BASE_SECONDS = 1.0
_BACKOFF_CAP_SECONDS = 30.0
_QUOTA_DEFAULT_SECONDS = 60.0
_CHUNK_BYTES = 65536
# More than any answer of these services has; less than what a few compressed kilobytes can become.
_LARGEST_ANSWER = 256 * 1024 * 1024
# Surrogates and control characters other than tab and line ends; JSON can only hold them as escapes.
_UNPRINTABLE_ESCAPE = re.compile(r"\\u(?:[dD][89a-fA-F]|00[01789])|\\b|\\f")
# DEL and the C1 control characters, which JSON lets stand as they are, in UTF-8.
_C1_BYTES = re.compile(rb"\xc2[\x80-\x9f]")
_DECODER = json.JSONDecoder(parse_constant=str)


@dataclass(frozen=True)
class TransportSettings:
    """How to reach the services.

    :param ca_path: a PEM file of certificate authorities to trust instead of the platform's; None for the platform's.
    :param validate_certs: False switches TLS verification off, for a laboratory only.
    :param proxy: URL of the proxy for all requests; None follows the environment (`HTTPS_PROXY`, `NO_PROXY`).
    :param timeout: seconds to wait for a connection, and for each part of an answer.
    :param deadline: seconds for one call with all its retries.
    :param connections: how many connections to one host are kept open for the next request.
    """

    ca_path: str | None = None
    validate_certs: bool = True
    proxy: str | None = None
    timeout: float = 30.0
    deadline: float = 300.0
    user_agent: str = "m365d.partner"
    connections: int = 4


@dataclass(frozen=True)
class Response:
    """An answer, read to its end. Header names are lower case."""

    status: int
    url: str
    headers: Mapping[str, str]
    content: bytes = field(repr=False)
    attempted: str = ""
    tenant_id: str | None = None

    @property
    def text(self) -> str:
        """The body as text (UTF-8, a byte order mark removed)."""
        return self.content.decode("utf-8-sig", errors="replace")

    @property
    def request_id(self) -> str | None:
        """The id under which the service logged this request."""
        return self.headers.get("request-id") or self.headers.get("x-ms-request-id")

    def json(self) -> Any:
        """Return the parsed body, its texts fit for files and terminals; raise `TransportError` where it is not JSON."""
        try:
            body = parsed_json(self.text)
            return _without_unprintable(body) if b"\x7f" in self.content or _C1_BYTES.search(self.content) else body
        except (ValueError, RecursionError) as exc:
            raise TransportError(
                f"{origin_of(self.url)} answered something that is not JSON (content type {self.headers.get('content-type', 'unknown')}).",
                attempted=self.attempted,
                tenant_id=self.tenant_id,
                state="unreachable",
                http_status=self.status,
                request_id=self.request_id,
                service_message=excerpt(self.text),
                next_step="Check that the URL is the service's own and that no proxy or sign-in page answers in its place.",
            ) from exc


def parsed_json(text: str) -> Any:
    """Return what a JSON text stands for, its texts fit for files and terminals where what it does not escape is.

    `NaN` and `Infinity` are no JSON (RFC 8259, section 6), and what writes them on would write none either: they become texts.

    :raises ValueError: where it is not JSON.
    :raises RecursionError: where it is nested too deeply.
    """
    body = _DECODER.decode(text)
    return _without_unprintable(body) if _UNPRINTABLE_ESCAPE.search(text) else body


def _without_unprintable(value: Any) -> Any:
    """Return a parsed body without what no UTF-8 file and no terminal can hold: half surrogate pairs, control characters.

    A service passes on what an attacker wrote into the title of an alert; one such text must not stop a report.
    """
    if isinstance(value, str):
        return UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, list):
        return [_without_unprintable(item) for item in value]
    if isinstance(value, dict):
        return {_without_unprintable(key): _without_unprintable(item) for key, item in value.items()}
    return value


def origin_of(url: str) -> str:
    """Return scheme, host and port of `url` in one canonical form (RFC 6454): lower case, with the port.

    Of what is no readable URL, a text that equals no origin.
    """
    if not is_readable(url):
        return "an unreadable address"
    parts = urlsplit(url)
    port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


class Transport:
    """Sends requests. One per process and settings; threads may share it.

    :param settings: how to reach the services.
    :param ends_at: instant of `clock` after which nothing is waited for, whatever the deadline of a call; None for no such end.
    :param clock, sleep, jitter: the passing of time and chance, exchangeable for tests and for a fleet.
    :param breaker: the circuit of the one tenant that requests are made for, or None.
    :param pace: asked before each request until it returns 0, see `budget.Pace`; None for no budget.
    """

    def __init__(
        self,
        settings: TransportSettings,
        *,
        session: Any = None,
        ends_at: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[float, float], float] = random.uniform,
        breaker: Breaker | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.settings = settings
        self.session = session if session is not None else Wire(settings)
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._ends_at = ends_at
        self._breaker = breaker
        self._pace = pace
        self.requests_sent = 0

    def sharing_connections(
        self, *, sleep: Callable[[float], None], ends_at: float | None, breaker: Breaker | None = None, pace: Pace | None = None
    ) -> Transport:
        """Return a transport over the same connections that waits with `sleep` and gives up at `ends_at`."""
        return Transport(
            self.settings,
            session=self.session,
            ends_at=ends_at,
            clock=self._clock,
            sleep=sleep,
            jitter=self._jitter,
            breaker=breaker,
            pace=pace,
        )

    def paced(self, pace: Pace | None) -> Transport:
        """Return a transport over the same connections whose requests are counted against a budget."""
        if pace is None:
            return self
        return self.sharing_connections(sleep=self._sleep, ends_at=self._ends_at, breaker=self._breaker, pace=pace)

    def send(
        self,
        method: str,
        url: str,
        *,
        attempted: str,
        tenant_id: str | None = None,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        json_body: Any = None,
        form: Mapping[str, str] | None = None,
        repeatable: bool | None = None,
        returned_at_once: Collection[int] = (),
        deadline: float | None = None,
        patience: float = 0.0,
    ) -> Response:
        """Send one request, repeat it where that is safe, and return the last answer, whatever its status.

        :param attempted: what is being done, for messages ("listing incidents").
        :param repeatable: whether sending it twice does no harm; by default decided by the method.
        :param returned_at_once: statuses that the caller deals with, although repeating might help (it asks for less instead).
        :param deadline: seconds for all attempts; by default the settings'.
        :param patience: seconds that the service may think before it answers, where that is longer than the settings' timeout.
        :raises TransportError: when no complete answer came within the deadline.
        """
        repeatable = method in _SAFE_METHODS if repeatable is None else repeatable
        end = self._clock() + (self.settings.deadline if deadline is None else deadline)
        if self._ends_at is not None:
            end = min(end, self._ends_at)
        self._check_circuit(url, attempted=attempted, tenant_id=tenant_id)
        attempt = 0
        while True:
            attempt += 1
            if self._pace is not None:
                self._keep_pace(self._pace, end, attempted=attempted, tenant_id=tenant_id)
            try:
                response = self._send_once(
                    method,
                    url,
                    headers=headers,
                    params=params,
                    json_body=json_body,
                    form=form,
                    end=end,
                    patience=patience,
                    attempted=attempted,
                    tenant_id=tenant_id,
                )
            except requests.RequestException as exc:
                error = self._transport_error(exc, url, attempted=attempted, tenant_id=tenant_id)
                wait = self._backoff(attempt)
                if error.retryable and self._opens_circuit(True):
                    raise error from exc
                if not (error.retryable and (repeatable or _never_sent(exc))) or self._clock() + wait >= end:
                    raise error from exc
                self._sleep(wait)
                continue
            retried = _RETRIED_STATUS if repeatable else _NOT_PROCESSED_STATUS
            if response.status not in retried or response.status in returned_at_once:
                self._opens_circuit(False)
                return response
            asked = retry_after(response)
            # "At once" is believed once: a service that goes on saying so would be asked without a pause.
            wait = self._backoff(attempt) if asked is None or (asked <= 0 and attempt > 1) else asked
            # A service that says when to come back works, and is obeyed.
            if self._opens_circuit(response.status != 429 and asked is None) or self._clock() + wait >= end:
                return response
            self._sleep(wait)

    def _check_circuit(self, url: str, *, attempted: str, tenant_id: str | None) -> None:
        """Raise `TransportError` while the tenant's circuit is open."""
        if self._breaker is not None and self._breaker.is_open:
            raise TransportError(
                f"{origin_of(url)} was not asked: it failed {self._breaker.in_a_row} times in a row for this tenant just before.",
                attempted=attempted,
                tenant_id=tenant_id,
                state="unreachable",
                next_step="Try again later.",
                retryable=True,
            )

    def _opens_circuit(self, failed: bool) -> bool:
        """Tell the tenant's circuit how an attempt ended, and return whether that was one failure too many."""
        if self._breaker is None:
            return False
        if failed:
            return self._breaker.failed()
        self._breaker.answered()
        return False

    def _keep_pace(self, pace: Pace, end: float, *, attempted: str, tenant_id: str | None) -> None:
        """Wait until the budget has room for a request; raise `Throttled` where that is not before the deadline."""
        while wait := pace():
            if self._clock() + wait >= end:
                error = Throttled(
                    "The budget of requests is used up, and the deadline was over before there was room for the next one.",
                    attempted=attempted,
                    tenant_id=tenant_id,
                    state="unreachable",
                    next_step=f"Try again in {wait:.0f} s, ask for less at a time, raise deadline, or change budgets.",
                    retryable=True,
                )
                error.retry_after = wait
                raise error
            self._sleep(wait)

    def _send_once(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None,
        params: Mapping[str, Any] | None,
        json_body: Any,
        form: Mapping[str, str] | None,
        end: float,
        patience: float,
        attempted: str,
        tenant_id: str | None,
    ) -> Response:
        self.requests_sent += 1
        left = max(0.1, end - self._clock())
        connecting, thinking = min(self.settings.timeout, left), min(max(self.settings.timeout, patience), left)
        with self.session.request(
            method,
            url,
            headers={"client-request-id": str(uuid.uuid4()), **(headers or {})},
            params=params,
            json=json_body,
            data=form,
            timeout=(connecting, thinking),
        ) as answer:
            chunks = []
            size = 0
            for chunk in answer.iter_content(_CHUNK_BYTES):
                chunks.append(chunk)
                size += len(chunk)
                if size > _LARGEST_ANSWER:
                    raise TransportError(
                        f"The answer of {origin_of(url)} is longer than {_LARGEST_ANSWER // 1024**2} MiB, which none of the service is.",
                        attempted=attempted,
                        tenant_id=tenant_id,
                        state="unreachable",
                        next_step="Check the URL options, and what answers there; ask for less at a time.",
                    )
                if self._clock() > end:
                    raise requests.exceptions.ReadTimeout(f"the answer was not complete after {self.settings.deadline:g} s")
            return Response(
                status=answer.status_code,
                url=url,
                headers={name.lower(): value for name, value in answer.headers.items()},
                content=b"".join(chunks),
                attempted=attempted,
                tenant_id=tenant_id,
            )

    def _backoff(self, attempt: int) -> float:
        return self._jitter(0.0, min(_BACKOFF_CAP_SECONDS, _BACKOFF_BASE_SECONDS * 2.0 ** (attempt - 1)))

    def _transport_error(self, exc: Exception, url: str, *, attempted: str, tenant_id: str | None) -> TransportError:
        message, next_step, retryable = _explain(exc, origin_of(url), self.settings)
        if isinstance(exc, requests.exceptions.Timeout) and self._ends_at is not None and self._clock() >= self._ends_at:
            # The service was not given the time that it may take.
            message = f"{origin_of(url)} had not answered yet when the time for all tenants was over."
            next_step = "Raise fleet_deadline, ask for less, or split the tenants (shard)."
        return TransportError(
            message, attempted=attempted, tenant_id=tenant_id, state="unreachable", next_step=next_step, retryable=retryable
        )


def _explain(exc: Exception, origin: str, settings: TransportSettings) -> tuple[str, str, bool]:
    """Return cause, next step and whether a repetition may help, for an exception of requests."""
    if isinstance(exc, requests.exceptions.SSLError):
        now = f" (now {settings.ca_path})" if settings.ca_path else ""
        return (
            f"The TLS certificate of {origin} could not be verified: {_innermost(exc)}.",
            f"If the service uses a private authority, name its PEM file in ca_path{now}; otherwise something intercepts the connection.",
            False,
        )
    if isinstance(exc, requests.exceptions.InvalidProxyURL):
        return (f"The request to {origin} could not be made: {exc}.", "Check proxy, HTTPS_PROXY and NO_PROXY.", False)
    if isinstance(exc, requests.exceptions.ProxyError):
        return (f"The proxy in front of {origin} refused or broke the connection.", "Check proxy, HTTPS_PROXY and NO_PROXY.", True)
    if isinstance(exc, requests.exceptions.Timeout):
        return (f"{origin} did not answer in time ({settings.timeout:g} s).", "Try again later, or raise timeout.", True)
    if isinstance(exc, requests.exceptions.ConnectionError) and "NameResolutionError" in repr(exc):
        return (f"The host of {origin} cannot be resolved.", "Check cloud, the URL options and this machine's name service.", False)
    if isinstance(exc, requests.exceptions.ConnectionError):
        return (f"{origin} cannot be reached: {_innermost(exc)}.", "Check the URL options, the proxy and the firewall.", True)
    if isinstance(exc, (requests.exceptions.ChunkedEncodingError, requests.exceptions.ContentDecodingError)):
        return (f"The answer of {origin} broke off before its end.", "Try again later.", True)
    return (f"The request to {origin} could not be made: {excerpt(str(exc))}.", "Check the URL options.", False)


def _innermost(exc: BaseException) -> str:
    """Return the text of the first cause, which names the fault; the outer ones name the library's layers."""
    seen: BaseException = exc
    for _depth in range(10):
        in_arguments = next((argument for argument in seen.args if isinstance(argument, BaseException)), None)
        inner = getattr(seen, "reason", None) or seen.__cause__ or seen.__context__ or in_arguments
        if not isinstance(inner, BaseException):
            break
        seen = inner
    text = str(seen)
    return excerpt(re.sub(r"^.*?object at 0x[0-9a-f]+>:\s*", "", text), limit=160).rstrip(".")


def _never_sent(exc: Exception) -> bool:
    """Whether the request cannot have reached the service, so that repeating it does nothing twice."""
    return isinstance(exc, requests.exceptions.ConnectTimeout) or "NewConnectionError" in repr(exc)


def retry_after(response: Response) -> float | None:
    """Return the seconds the service asks to wait, or None where it says nothing.

    Read from `Retry-After` (seconds or a date, RFC 9110 section 10.2.3), else from the quota text of the Defender
    API's 429 ("maximum allowed 45 per 00:01:00") or of hunting ("again in 00:14:00", "again in 14
    minutes"); a 429 without either waits one minute, the quota's own unit there.
    """
    header = response.headers.get("retry-after", "").strip()
    if header:
        try:
            return max(0.0, float(header))
        except ValueError:
            pass
        try:
            return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
        except (TypeError, ValueError):
            pass
    if response.status != 429:
        return None
    match = _QUOTA_TEXT.search(response.text)
    if match:
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return float(days * 86400 + hours * 3600 + minutes * 60 + seconds)
    words = _QUOTA_WORDS.search(response.text)
    return float(words[1]) * _WORD_SECONDS[words[2].lower()] if words else _QUOTA_DEFAULT_SECONDS


def throttled_error(response: Response) -> ServiceError:
    """Return the error for a 429 that outlasted the deadline."""
    wait = retry_after(response)
    when = f"in {wait:.0f} s" if wait is not None else "later"
    error = Throttled(
        "The service limits the number of requests, and the deadline was over before it would take the next one.",
        attempted=response.attempted,
        tenant_id=response.tenant_id,
        state="unreachable",
        http_status=response.status,
        request_id=response.request_id,
        service_message=response.text,
        next_step=f"Try again {when}, ask for less at a time, or raise deadline.",
        retryable=True,
    )
    error.retry_after = wait
    return error
