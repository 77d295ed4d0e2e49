# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Microsoft Graph's directory: its paging, its keys, and its habit of knowing tomorrow what it was told today.

The directory is eventually consistent: a read after a write may show the old state, and a write that refers to a new
object may be refused, for seconds or minutes. Sources: the Graph pages on paging, alternate keys and throttling; what
clients of the directory report on replication.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from .api import ApiClient, TokenGetter
from .errors import NotFound, ServiceError, TransportError
from .transport import Transport

T = TypeVar("T")

_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 5.0
_NOT_REPLICATED = re.compile(r"does not reference a valid application object|Not a valid reference update", re.IGNORECASE)
_CONCURRENCY_CODES = frozenset({"ConcurrencyViolation", "ConcurrentUpdates", "Directory_ConcurrencyViolation"})
_MOST_PAGES = 10_000


def odata_text(value: str) -> str:
    """Return `value` as an OData string literal, for a filter (OData 4.01, section 5.1.1.14.1)."""
    return "'" + value.replace("'", "''") + "'"


def by_key(collection: str, key: str, value: str) -> str:
    """Return the path of the object with an alternate key, such as `applications(appId='…')`."""
    return f"{collection}({key}='{quote(value.replace(chr(39), chr(39) * 2), safe='')}')"


class GraphClient(ApiClient):
    """Calls Microsoft Graph v1.0 in one tenant; paths are relative to the version.

    :param base_url: URL of Microsoft Graph without a version.
    :param clock, sleep: the passing of time, exchangeable for tests.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        base_url: str,
        tenant_id: str,
        get_token: TokenGetter,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(transport, base_url=f"{base_url.rstrip('/')}/v1.0", tenant_id=tenant_id, get_token=get_token)
        self._clock = clock
        self._sleep = sleep

    def find(self, path: str, *, attempted: str, params: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """Return the object at `path`, or None where there is none."""
        try:
            return self._object(self.get(path, attempted=attempted, params=params), attempted)
        except NotFound:
            return None

    def list_all(self, path: str, *, attempted: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return the objects of a collection, all pages of it; next links are followed as they come.

        :raises TransportError: where the answer is no collection, or its next links run in a circle.
        """
        found: list[dict[str, Any]] = []
        target: str | None = path
        seen: set[str] = set()
        while target:
            if target in seen or len(seen) >= _MOST_PAGES:
                raise self._odd("The service's next links never end.", attempted)
            seen.add(target)
            page = self._object(self.get(target, attempted=attempted, params=params), attempted)
            entries = page.get("value")
            if not isinstance(entries, list):
                raise self._odd("The service's answer is not a collection.", attempted)
            found.extend(entry for entry in entries if isinstance(entry, dict))
            # A next link holds the query already.
            target, params = page.get("@odata.nextLink"), None
        return found

    def post(self, path: str, body: Mapping[str, Any], *, attempted: str, repeatable: bool = False) -> dict[str, Any]:
        """Send a POST and return the object of its answer; empty where the answer has no body.

        :param repeatable: the service refuses a second one (409, 400), so that repeating it does no harm.
        """
        response = self.call("POST", path, attempted=attempted, body=dict(body), repeatable=repeatable)
        return self._object(response.json(), attempted) if response.content.strip() else {}

    def patch(
        self, path: str, body: Mapping[str, Any], *, attempted: str, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any] | None:
        """Send a PATCH, which sets values and may therefore be repeated; return the object that it created, or None."""
        response = self.call("PATCH", path, attempted=attempted, body=dict(body), headers=headers, repeatable=True)
        return self._object(response.json(), attempted) if response.status == 201 else None

    def delete(self, path: str, *, attempted: str) -> None:
        """Delete an object; return quietly where it is gone already."""
        try:
            self.call("DELETE", path, attempted=attempted)
        except NotFound:
            return

    def when_replicated(self, call: Callable[[], T], *, timeout: float) -> T:
        """Return what `call` returns, repeating it while the directory does not know yet what it refers to.

        :param timeout: seconds to go on trying.
        :raises PartnerError: what `call` raised last, when time is over, and anything that waiting does not cure.
        """
        end = self._clock() + timeout
        wait = _FIRST_WAIT_SECONDS
        while True:
            try:
                return call()
            except ServiceError as error:
                if not is_replication_lag(error):
                    raise
                if self._clock() + wait > end:
                    error.next_step = (
                        f"If the object named is new, the directory did not catch up within {timeout:g} s: "
                        "run the task again, or raise replication_timeout. Otherwise check the ids."
                    )
                    raise
            self._sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT_SECONDS)

    def wait_until(self, condition: Callable[[], bool], *, timeout: float) -> bool:
        """Ask until `condition` holds; return whether it did within `timeout` seconds. A 404 counts as not yet."""
        end = self._clock() + timeout
        wait = _FIRST_WAIT_SECONDS
        while True:
            try:
                if condition():
                    return True
            except NotFound:
                pass
            if self._clock() + wait > end:
                return False
            self._sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT_SECONDS)

    def _object(self, body: Any, attempted: str) -> dict[str, Any]:
        if not isinstance(body, dict):
            raise self._odd("The service's answer is not an object.", attempted)
        return body

    def _odd(self, message: str, attempted: str) -> TransportError:
        return TransportError(
            message,
            attempted=attempted,
            tenant_id=self.tenant_id,
            state="unreachable",
            next_step="Check that graph_url is Microsoft Graph's and that nothing answers in its place.",
        )


def is_replication_lag(error: ServiceError) -> bool:
    """Whether the same request may succeed once the directory has caught up with earlier writes."""
    if isinstance(error, NotFound) or is_concurrency(error):
        return True
    return error.http_status == 400 and bool(_NOT_REPLICATED.search(error.service_message or ""))


def is_concurrency(error: ServiceError) -> bool:
    """Whether the request lost a race with another write to the same object, which a 409 also stands for."""
    return error.code in _CONCURRENCY_CODES
