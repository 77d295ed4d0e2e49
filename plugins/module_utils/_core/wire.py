# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""One request and its answer over kept-alive TLS connections: the adapter of requests, without a session around it.

What a session would add is what must not happen here: it follows redirects, keeps cookies (and would show those of one
tenant's answer to the next tenant), reads passwords from `.netrc` and authorities from the environment. It also costs
more than the request itself, which a thousand tenants feel.
"""

from __future__ import annotations

import codecs
import json
import os
import re
import ssl
import stat
import sys
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from ._libraries import certifi, requests, require_libraries, urllib3
from .errors import OptionError

if TYPE_CHECKING:
    from .transport import TransportSettings

_PROXY_VARIABLES = tuple(form for name in ("https_proxy", "all_proxy", "no_proxy") for form in (name, name.upper()))
_HOSTS = 16
# A URL that goes over the wire as it stands: no parameters to add, nothing to encode.
_PLAIN_URL = re.compile(r"https://(?:[!#$&-;=?-\[\]_a-z~]|%[0-9a-f]{2})+", re.IGNORECASE)
# What RFC 9110, section 5.5, lets the value of a header hold, in the one encoding that http.client writes.
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# Contexts without authorities, made before workers fork: making one takes longer than loading a private authority.
_SPARE_CONTEXTS: list[ssl.SSLContext] = []

_Adapter: Any = requests.adapters.HTTPAdapter if requests else object
_Response: Any = requests.Response if requests else object


class Wire(_Adapter):  # type: ignore[misc]
    """Sends single requests; threads may share it, processes must not share its connections.

    It uses the proxies that the environment names when it is made; to look them up takes a twentieth of a request.

    :raises LibraryMissing: where requests is not installed.
    :raises OptionError: for an unreadable `ca_path`.
    """

    def __init__(self, settings: TransportSettings) -> None:
        require_libraries()
        self._settings = settings
        self._context = tls_context(settings.ca_path, settings.validate_certs)
        self._headers = {"User-Agent": settings.user_agent, "Accept": "application/json", "Accept-Encoding": "gzip, deflate"}
        self._proxy_variables = proxy_variables()
        super().__init__(pool_connections=_HOSTS, pool_maxsize=settings.connections)

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        data: Mapping[str, str] | None = None,
        timeout: tuple[float, float],
    ) -> Any:
        """Send one request and return its answer (`requests.Response`), the body still to be read; never follow a redirect.

        :param data: a form; `json` is the other kind of body.
        :param timeout: seconds to wait for the connection, and for each part of the answer.
        :raises requests.RequestException: when no answer came.
        """
        if not url.lower().startswith("https://"):
            raise requests.exceptions.InvalidSchema("only https is spoken")
        if not is_readable(url):
            raise requests.exceptions.InvalidURL("its host or port cannot be read")
        request: Any = requests.PreparedRequest()
        request.method = method
        request.headers = {**self._headers, **headers}
        for name, value in request.headers.items():
            if not _HEADER_VALUE.fullmatch(value):
                # The value is not shown: it may be a token.
                raise requests.exceptions.InvalidHeader(
                    f"the header {name} would hold a line break or another character that none may hold"
                )
        if params or not _PLAIN_URL.fullmatch(url):
            request.prepare_url(url, params)
        else:
            request.url = url
        _put_body(request, json, data)
        return self.send(request, stream=True, timeout=timeout, verify=self._settings.validate_certs, proxies=self._proxies_for(url))

    def _proxies_for(self, url: str) -> Mapping[str, str]:
        if self._settings.proxy:
            return {"https": self._settings.proxy}
        return _environment_proxies(_authority_of(url), self._proxy_variables)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Use the shared TLS context alone; requests would load its own authorities into it on each connection."""
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        """Use the shared TLS context behind a proxy too, and for a proxy that is itself spoken to by TLS."""
        return super().proxy_manager_for(proxy, ssl_context=self._context, proxy_ssl_context=self._context, **kwargs)

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        """Return the pool of connections to the request's host; the TLS settings are the same for all of them."""
        if proxies:
            try:
                return super().get_connection_with_tls_context(request, verify, proxies=proxies, cert=cert)
            except requests.exceptions.InvalidSchema:
                raise  # it names what is missing for SOCKS
            except (TypeError, ValueError):
                # What the libraries say would show a part of the URL, which may hold a password.
                raise requests.exceptions.InvalidProxyURL("the URL of the proxy cannot be read") from None
        parts = urlsplit(request.url)
        return self.poolmanager.connection_from_host(parts.hostname, port=parts.port, scheme=parts.scheme)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Say whether to verify; the context knows the authorities."""
        conn.cert_reqs = "CERT_REQUIRED" if self._settings.validate_certs else "CERT_NONE"

    def request_url(self, request: Any, proxies: Any) -> str:
        """Return path and query: proxies tunnel, since every URL is https."""
        parts = urlsplit(request.url)
        path = parts.path or "/"
        return f"{path}?{parts.query}" if parts.query else path

    def build_response(self, req: Any, resp: Any) -> Any:
        """Return the answer; its cookies stay where they are."""
        response = _Answer()
        response.status_code = resp.status
        response.headers = resp.headers
        response.raw = resp
        response.url = req.url
        response.request = req
        return response


class _Answer(_Response):  # type: ignore[misc]
    """An answer whose parts are handed on as they come.

    requests collects a part of the wanted size first, so that a server which sends a byte now and then would hold its reader
    for as long as it likes, whatever the deadline.
    """

    def iter_content(self, chunk_size: int | None = None, decode_unicode: bool = False) -> Iterator[bytes]:
        """Yield what has come, at most `chunk_size` bytes at a time; raise what requests raises.

        :raises requests.RequestException: when the answer breaks off or cannot be decoded.
        """
        try:
            while chunk := self.raw.read1(chunk_size, decode_content=True):
                yield chunk
            self._content_consumed = True  # else requests closes the connection instead of keeping it
        except urllib3.exceptions.ProtocolError as exc:
            raise requests.exceptions.ChunkedEncodingError(exc) from exc
        except urllib3.exceptions.DecodeError as exc:
            raise requests.exceptions.ContentDecodingError(exc) from exc
        except urllib3.exceptions.ReadTimeoutError as exc:
            raise requests.exceptions.ReadTimeout(exc) from exc
        except urllib3.exceptions.SSLError as exc:
            raise requests.exceptions.SSLError(exc) from exc


def _put_body(request: Any, body: Any, form: Mapping[str, str] | None) -> None:
    if body is not None:
        request.body = json.dumps(body, allow_nan=False).encode()
        request.headers.setdefault("Content-Type", "application/json")
    elif form is not None:
        request.body = urlencode(form).encode()
        request.headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    elif request.method not in ("GET", "HEAD"):
        request.headers["Content-Length"] = "0"
        return
    if request.body is not None:
        request.headers["Content-Length"] = str(len(request.body))


def is_readable(url: str) -> bool:
    """Tell whether everybody finds the same host and port in a URL.

    A backslash before the path is part of the host for some, and ends it for others: what is compared would not be what is asked.
    """
    try:
        parts = urlsplit(url)
        return "\\" not in parts.netloc and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def tls_context(ca_path: str | None, validate_certs: bool) -> ssl.SSLContext:
    """Return the TLS context for a file of authorities; without one, for those that the environment names, else certifi's.

    :raises OptionError: where the authorities cannot be read.
    """
    path = ca_path or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or certifi.where()
    return _tls_context_of(path, validate_certs)


@lru_cache(maxsize=16)
def _tls_context_of(path: str, validate_certs: bool) -> ssl.SSLContext:
    """Return the TLS context; cached, since loading the authorities costs some 20 ms and workers inherit it by fork."""
    context: ssl.SSLContext = _SPARE_CONTEXTS.pop() if _SPARE_CONTEXTS else urllib3.util.ssl_.create_urllib3_context()
    if not validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    context.check_hostname = True
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            context.load_verify_locations(capath=path)
        elif stat.S_ISREG(mode):
            context.load_verify_locations(cafile=path)
        else:  # OpenSSL would wait for whoever writes to a pipe
            raise OSError("it is no file")
    except (OSError, ValueError) as exc:
        raise OptionError(
            f"The certificate authorities in '{path}' cannot be read: {exc}.",
            next_step="Give ca_path as a readable PEM file, or leave it out to trust the platform's authorities.",
            state="unreachable",
        ) from exc
    return context


def prepare_tls(*, ca_path: str | None = None) -> None:
    """Do what the first connection of a process would do, so that processes forked later need not: contexts and codecs.

    :raises LibraryMissing: where requests is not installed.
    :raises OptionError: for an unreadable `ca_path`.
    """
    require_libraries()
    tls_context(ca_path, True)
    _SPARE_CONTEXTS.append(urllib3.util.ssl_.create_urllib3_context())
    codecs.lookup("utf-8-sig")
    codecs.lookup("iso-8859-1")
    codecs.lookup("idna")


def _authority_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def proxy_variables() -> tuple[str | None, ...]:
    """Return what the environment says about proxies now."""
    return tuple(os.environ.get(name) for name in _PROXY_VARIABLES)


@lru_cache(maxsize=256)
def _environment_proxies(origin: str, variables: tuple[str | None, ...]) -> Mapping[str, str]:
    """Return the proxies that the environment names for an origin.

    Kept as long as the variables are the same, since requests reads the whole environment for each request; where none is
    set, only macOS knows proxies of its own.
    """
    if sys.platform != "darwin" and not any(variables):
        return {}
    proxies: Mapping[str, str] = requests.utils.get_environ_proxies(origin)
    return proxies
