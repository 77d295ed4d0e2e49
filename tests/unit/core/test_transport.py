# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import http.server
import os
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
import requests
import trustme
from ansible_collections.m365d.partner.plugins.module_utils._core import transport as transport_module
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError, TransportError
from ansible_collections.m365d.partner.plugins.module_utils._core.transport import (
    Response,
    Transport,
    TransportSettings,
    origin_of,
    retry_after,
)
from unit.support.scripted_http import Answer, scripted_transport

URL = "https://graph.microsoft.com/v1.0/security/incidents"


def _send(transport: Transport, method: str = "GET", **kwargs: object) -> Response:
    return transport.send(method, URL, attempted="listing incidents", tenant_id="11111111-1111-4111-8111-000000000001", **kwargs)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_safe_request_is_repeated_after_a_transient_status(status: int) -> None:
    transport, session, clock = scripted_transport(Answer(status, {}), Answer(200, {"value": []}))
    assert _send(transport).status == 200
    assert session.lines() == [f"GET {URL}"] * 2
    assert len(clock.slept) == 1


@pytest.mark.parametrize(("status", "repeated"), [(429, True), (503, True), (500, False), (502, False), (504, False)])
def test_an_unsafe_request_is_repeated_only_when_the_service_did_not_process_it(status: int, repeated: bool) -> None:
    transport, session, _clock = scripted_transport(Answer(status, {}), Answer(200, {}))
    answer = _send(transport, "PATCH", json_body={"status": "resolved"})
    assert answer.status == (200 if repeated else status)
    assert len(session.requests) == (2 if repeated else 1)


def test_an_unsafe_request_is_not_repeated_after_a_connection_that_broke_while_answering() -> None:
    transport, session, _clock = scripted_transport(Answer(raises=requests.exceptions.ConnectionError("reset by peer")))
    with pytest.raises(TransportError, match="cannot be reached"):
        _send(transport, "POST", json_body={})
    assert len(session.requests) == 1


def test_an_unsafe_request_is_repeated_when_the_connection_was_never_made() -> None:
    transport, session, _clock = scripted_transport(Answer(raises=requests.exceptions.ConnectTimeout()), Answer(201, {}))
    assert _send(transport, "POST", json_body={}).status == 201
    assert len(session.requests) == 2


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        ({"Retry-After": "7"}, None, 7.0),
        ({"Retry-After": "0"}, None, 0.0),
        ({}, {"error": {"code": "429", "message": "API calls quota exceeded! maximum allowed 45 per 00:01:00"}}, 60.0),
        ({}, {"error": {"code": "429", "message": "quota exceeded! maximum allowed 1500 per 01:00:00"}}, 3600.0),
        ({}, {"error": {"code": "429", "message": "slow down"}}, 60.0),
        ({"Retry-After": "soon"}, {"error": {"code": "429", "message": "slow down"}}, 60.0),
    ],
)
def test_the_wait_after_429_is_what_the_service_asks_for(headers: dict[str, str], body: object, expected: float) -> None:
    transport, _session, clock = scripted_transport(Answer(429, body, headers), Answer(200, {}), deadline=4000)
    _send(transport)
    assert clock.slept == [expected]


@pytest.mark.parametrize("wish", ["0", "-1", "nan"])
def test_a_service_that_always_wants_to_be_asked_at_once_is_asked_with_pauses(wish: str) -> None:
    transport, session, clock = scripted_transport(*[Answer(503, {}, {"Retry-After": wish})] * 50, deadline=60)
    assert _send(transport).status == 503
    assert clock.slept[:4] == [0, 2, 4, 8]
    assert len(session.requests) < 10


def test_a_date_in_retry_after_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module.time, "time", lambda: 1_000_000.0)
    response = Response(503, URL, {"retry-after": formatdate(1_000_030.0, usegmt=True)}, b"")
    assert retry_after(response) == 30.0


def test_a_status_without_a_wish_backs_off_exponentially_up_to_a_cap() -> None:
    transport, _session, clock = scripted_transport(*[Answer(500, {})] * 8, Answer(200, {}), deadline=1000)
    assert _send(transport).status == 200
    assert clock.slept == [1, 2, 4, 8, 16, 30, 30, 30]


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    transport, session, clock = scripted_transport(Answer(429, {}, {"Retry-After": "600"}), deadline=300)
    assert _send(transport).status == 429
    assert clock.slept == []
    assert len(session.requests) == 1


def test_retries_end_with_the_deadline() -> None:
    transport, session, clock = scripted_transport(*[Answer(raises=requests.exceptions.ReadTimeout())] * 50, deadline=60)
    with pytest.raises(TransportError, match="did not answer in time"):
        _send(transport)
    assert sum(clock.slept) < 60
    assert len(session.requests) > 2


def test_a_body_that_is_not_json_is_named_with_its_beginning() -> None:
    transport, _session, _clock = scripted_transport(Answer(200, b"<html>Sign in</html>", {"Content-Type": "text/html"}))
    with pytest.raises(TransportError) as caught:
        _send(transport).json()
    text = str(caught.value)
    assert "not JSON" in text
    assert "text/html" in text
    assert "<html>Sign in</html>" in text
    assert "11111111-1111-4111-8111-000000000001" in text


def test_a_byte_order_mark_before_json_is_tolerated() -> None:
    transport, _session, _clock = scripted_transport(Answer(200, b'\xef\xbb\xbf{"totalCount": 1}'))
    assert _send(transport).json() == {"totalCount": 1}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://graph.microsoft.com/v1.0", "https://GRAPH.microsoft.com:443/beta", True),
        ("https://graph.microsoft.com", "https://graph.microsoft.com:8443", False),
        ("https://graph.microsoft.com", "https://graph.microsoft.com.example.org", False),
        ("https://graph.microsoft.com", "http://graph.microsoft.com", False),
        ("https://graph.microsoft.com", "https://graph.microsoft.com@example.org", False),
    ],
)
def test_an_origin_is_scheme_host_and_port(one: str, other: str, same: bool) -> None:
    assert (origin_of(one) == origin_of(other)) is same


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "https://example.org/")
            self.end_headers()
        elif self.path == "/long":
            body = zlib.compress(bytes(2_000_000))
            self.send_response(200)
            self.send_header("Content-Encoding", "deflate")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        elif self.path == "/truncated":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b'{"value": [')
        else:
            body = b'{"authorization": "%s"}' % (self.headers.get("Authorization") or "").encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        return


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


class _KeepingHandler(_Handler):
    """Keeps connections open."""

    protocol_version = "HTTP/1.1"


@pytest.fixture(scope="module")
def server(authority: trustme.CA) -> Iterator[str]:
    yield from _served(authority, _Handler)


@pytest.fixture
def keeping_server(authority: trustme.CA) -> Iterator[str]:
    yield from _served(authority, _KeepingHandler)


def _served(authority: trustme.CA, handler: type[_Handler]) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield f"https://localhost:{httpd.server_port}"
    httpd.shutdown()


@pytest.fixture
def ca_path(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def _get(settings: TransportSettings, url: str) -> Response:
    return Transport(settings, sleep=lambda _seconds: None).send("GET", url, attempted="asking", deadline=5)


def test_the_named_authority_is_trusted(server: str, ca_path: str) -> None:
    assert _get(TransportSettings(ca_path=ca_path), f"{server}/").status == 200


def test_an_unknown_authority_is_refused_with_the_option_that_cures_it(server: str) -> None:
    with pytest.raises(TransportError) as caught:
        _get(TransportSettings(), f"{server}/")
    assert "certificate" in str(caught.value)
    assert "ca_path" in str(caught.value)


def test_authorities_from_the_environment_do_not_widen_the_named_one(
    server: str, ca_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca_path)
    with pytest.raises(TransportError, match="certificate"):
        _get(TransportSettings(ca_path=str(other)), f"{server}/")


def test_a_certificate_for_another_host_is_refused(server: str, ca_path: str) -> None:
    with pytest.raises(TransportError, match="certificate"):
        _get(TransportSettings(ca_path=ca_path), server.replace("localhost", "127.0.0.1") + "/")


def test_a_redirect_is_returned_and_not_followed(server: str, ca_path: str) -> None:
    assert _get(TransportSettings(ca_path=ca_path), f"{server}/redirect").status == 302


def test_a_truncated_answer_is_an_error_and_never_a_short_result(server: str, ca_path: str) -> None:
    with pytest.raises(TransportError, match="broke off"):
        Transport(TransportSettings(ca_path=ca_path)).send("GET", f"{server}/truncated", attempted="asking", deadline=0.5)


def test_a_netrc_file_adds_no_credentials(server: str, ca_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login somebody password something\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    assert _get(TransportSettings(ca_path=ca_path), f"{server}/").json() == {"authorization": ""}


def test_an_unreachable_host_is_named() -> None:
    with pytest.raises(TransportError, match=r"https://localhost:1 cannot be reached: .*refused"):
        Transport(TransportSettings()).send("GET", "https://localhost:1/", attempted="asking", deadline=0.2)


def test_a_host_that_does_not_resolve_is_named() -> None:
    with pytest.raises(TransportError, match="cannot be resolved"):
        Transport(TransportSettings()).send("GET", "https://no-such-host.invalid/", attempted="asking", deadline=0.2)


@pytest.mark.parametrize("content", [None, "not a certificate"])
def test_an_unusable_authority_file_is_an_option_error(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    with pytest.raises(OptionError, match="ca_path") as caught:
        Transport(TransportSettings(ca_path=str(path)))
    # It may be one tenant's of a fleet, whose others use the same credential.
    assert caught.value.scope == "request"


def test_authorities_in_a_pipe_are_refused_without_waiting_for_them(tmp_path: Path) -> None:
    pipe = tmp_path / "ca.pem"
    os.mkfifo(pipe)
    for path in (str(pipe), os.devnull, "ca\0.pem"):
        with pytest.raises(OptionError, match=r"cannot be read: (it is no file|.*embedded null)"):
            Transport(TransportSettings(ca_path=path))


def test_authorities_in_a_directory_are_taken(tmp_path: Path) -> None:
    Transport(TransportSettings(ca_path=str(tmp_path)))


def test_the_end_of_a_fleet_cuts_the_deadline_of_each_call() -> None:
    transport, session, clock = scripted_transport(*[Answer(500, {})] * 50, deadline=300)
    shared = transport.sharing_connections(sleep=clock.sleep, ends_at=clock.now + 10)
    assert _send(shared).status == 500
    assert sum(clock.slept) < 10
    assert len(session.requests) > 2


@pytest.mark.parametrize(("left", "words"), [(0, "fleet_deadline"), (0.1, "raise timeout")])
def test_who_is_cut_off_by_the_end_of_a_fleet_is_not_said_to_be_slow(left: float, words: str) -> None:
    transport, _session, clock = scripted_transport(Answer(raises=requests.exceptions.ReadTimeout()), deadline=300)
    shared = transport.sharing_connections(sleep=clock.sleep, ends_at=clock.now + left)
    with pytest.raises(TransportError, match=words) as caught:
        _send(shared)
    assert ("did not answer in time" in str(caught.value)) is (left > 0)


@pytest.mark.parametrize(
    ("environment", "proxy", "expected"),
    [
        ({"HTTPS_PROXY": "http://127.0.0.1:1"}, None, "proxy"),
        ({"HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": "localhost"}, None, "answer"),
        ({"https_proxy": "http://127.0.0.1:1", "no_proxy": "example.org"}, None, "proxy"),
        ({"HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": "localhost"}, "http://127.0.0.1:1", "proxy"),
        ({}, None, "answer"),
    ],
)
def test_proxies_come_from_the_option_or_else_from_the_environment(
    environment: dict[str, str], proxy: str | None, expected: str, server: str, ca_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    transport = Transport(TransportSettings(ca_path=ca_path, proxy=proxy), sleep=lambda _seconds: None)
    if expected == "answer":
        assert transport.send("GET", f"{server}/", attempted="asking", deadline=5).status == 200
    else:
        with pytest.raises(TransportError, match="proxy"):
            transport.send("GET", f"{server}/", attempted="asking", deadline=0.2)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (rb'{"displayName": "half a pair \ud800 here"}', "half a pair \N{REPLACEMENT CHARACTER} here"),
        (rb'{"displayName": "bell \u0007 and escape \u001b[2J"}', "bell \N{REPLACEMENT CHARACTER} and escape \N{REPLACEMENT CHARACTER}[2J"),
        (rb'{"displayName": "whole pair \ud83d\ude00, tab \t, line\n"}', "whole pair \N{GRINNING FACE}, tab \t, line\n"),
        ('{"displayName": "as it is \x9b31m \x7f é 🛡"}'.encode(), "as it is \N{REPLACEMENT CHARACTER}31m \N{REPLACEMENT CHARACTER} é 🛡"),
        (rb'{"displayName": "C:\\temp \\ud800"}', "C:\\temp \\ud800"),
    ],
)
def test_a_text_that_no_file_can_hold_is_made_printable(body: bytes, expected: str) -> None:
    transport, _session, _clock = scripted_transport(Answer(200, body))
    text = _send(transport).json()["displayName"]
    assert text == expected
    assert text.encode()


def test_a_number_that_json_does_not_know_is_a_text() -> None:
    response = Response(status=200, url="https://graph.example.test/", headers={}, content=b'{"a": NaN, "b": [-Infinity, Infinity, 1.5]}')
    assert response.json() == {"a": "NaN", "b": ["-Infinity", "Infinity", 1.5]}


def test_a_body_that_is_nested_beyond_reason_is_a_fault_of_the_service() -> None:
    transport, _session, _clock = scripted_transport(Answer(200, b'{"value":' + b"[" * 100_000))
    with pytest.raises(TransportError, match="not JSON"):
        _send(transport).json()


@pytest.mark.parametrize("url", ["https://localhost:1\\@localhost/", "https://localhost:99999/", "https://["])
def test_a_url_whose_host_is_not_the_same_for_everybody_is_not_asked(url: str) -> None:
    with pytest.raises(TransportError, match="host or port cannot be read"):
        Transport(TransportSettings()).send("GET", url, attempted="asking", deadline=0.2)


@pytest.mark.parametrize("value", ["part-one\npart-two", "part-one\r\nX-Other: part-two", "part-two-\N{KATAKANA LETTER A}", "part-two\0"])
def test_a_header_that_none_may_send_is_an_error_that_does_not_show_it(server: str, ca_path: str, value: str) -> None:
    with pytest.raises(TransportError, match="the header Authorization") as caught:
        Transport(TransportSettings(ca_path=ca_path)).send("GET", f"{server}/", attempted="asking", headers={"Authorization": value})
    assert "part" not in str(caught.value)


@pytest.mark.parametrize(
    "proxy", ["http://user:canary-one@", "http://user:canary-one@[", "http://user:canary-one@h:99999x", "http://user:canary/one@h:1"]
)
def test_a_proxy_that_no_url_names_is_an_error_that_does_not_show_it(server: str, ca_path: str, proxy: str) -> None:
    with pytest.raises(TransportError, match=r"proxy cannot be read.*Check proxy, HTTPS_PROXY") as caught:
        _get(TransportSettings(ca_path=ca_path, proxy=proxy), f"{server}/")
    assert "canary" not in str(caught.value)


def test_an_answer_without_end_is_not_kept_in_memory(server: str, ca_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module, "_LARGEST_ANSWER", 1024 * 1024)
    with pytest.raises(TransportError, match="longer than 1 MiB"):
        _get(TransportSettings(ca_path=ca_path), f"{server}/long")


def test_a_proxy_that_speaks_tls_is_trusted_by_the_named_authority_alone(server: str, ca_path: str) -> None:
    # The server is no proxy, so it refuses, but it is asked only where its certificate was accepted.
    for named, asked in ((ca_path, True), (None, False)):
        with pytest.raises(TransportError) as caught:
            _get(TransportSettings(ca_path=named, proxy=server), f"{server}/")
        assert ("501" in repr(caught.value.__cause__)) is asked


@pytest.mark.parametrize("framing", ["Content-Length: 400", "Transfer-Encoding: chunked"])
def test_an_answer_that_drips_ends_with_the_deadline(authority: trustme.CA, ca_path: str, framing: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    part = b" " if "Length" in framing else b"1\r\n \r\n"

    def drip(listener: socket.socket) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(listener.accept()[0], server_side=True) as connection:
            connection.recv(65536)
            connection.sendall(f"HTTP/1.1 200 OK\r\n{framing}\r\n\r\n".encode())
            for _part in range(400):
                connection.sendall(part)
                time.sleep(0.1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip, args=(listener,), daemon=True).start()
        begun = time.monotonic()
        with pytest.raises(TransportError, match="did not answer in time"):
            Transport(TransportSettings(ca_path=ca_path, timeout=20, deadline=1)).send(
                "GET", f"https://localhost:{listener.getsockname()[1]}/", attempted="reading"
            )
        assert time.monotonic() - begun < 20


def test_a_connection_is_kept_for_the_next_request(keeping_server: str, ca_path: str) -> None:
    transport = Transport(TransportSettings(ca_path=ca_path))
    for _request in range(3):
        transport.send("GET", f"{keeping_server}/", attempted="reading")
    (pool,) = [transport.session.poolmanager.pools[key] for key in transport.session.poolmanager.pools.keys()]  # noqa: SIM118
    assert (pool.num_connections, pool.num_requests) == (1, 3)
