# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From options to a session: what is decided before any request is made."""

from __future__ import annotations

import math
import multiprocessing
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.m365d.partner.plugins.module_utils._argspec import shared_options
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError, PartnerError
from ansible_collections.m365d.partner.plugins.module_utils._ops import _session
from ansible_collections.m365d.partner.plugins.module_utils._ops._session import (
    cache_directory,
    endpoints_of,
    open_session,
    requested_tenant,
    transport_of,
)
from ansible_collections.m365d.partner.plugins.module_utils._ops._task import Task

FABRIKAM = "11111111-1111-4111-8111-000000000002"
NORTHWIND = "11111111-1111-4111-8111-000000000003"
CLIENT_ID = "22222222-2222-4222-8222-000000000001"


@pytest.fixture
def params(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Complete options with nothing from the environment."""
    validator = ArgumentSpecValidator({name: {**spec, "fallback": (None,)} for name, spec in shared_options().items()})
    result: dict[str, Any] = validator.validate(
        {"tenant_id": FABRIKAM, "client_id": CLIENT_ID, "client_secret": "4f8~canary"}
    ).validated_parameters
    return result


TENANTS: list[tuple[Any, Any, str]] = [
    (FABRIKAM, None, FABRIKAM),
    (FABRIKAM.upper(), None, FABRIKAM),
    (FABRIKAM, [NORTHWIND, FABRIKAM.upper()], FABRIKAM),
    ("Fabrikam.example", ["fabrikam.example"], "fabrikam.example"),
]


@pytest.mark.parametrize(("tenant", "allowed", "wanted"), TENANTS)
def test_the_tenant_is_the_one_that_was_named(tenant: Any, allowed: Any, wanted: str) -> None:
    assert requested_tenant({"tenant_id": tenant, "allowed_tenants": allowed}) == wanted


REFUSED: list[tuple[Any, Any, str]] = [
    (None, None, "No tenant is given"),
    ("", None, "No tenant is given"),
    ("common", None, "common"),
    ("11111111-1111", None, "neither a GUID nor a domain"),
    (FABRIKAM, [NORTHWIND], "is not among allowed_tenants; no request was made"),
    (FABRIKAM, [], "is not among allowed_tenants; no request was made"),
    ("fabrikam.example", [FABRIKAM], "is not among allowed_tenants; no request was made"),
    (FABRIKAM, ["organizations"], "organizations"),
]


@pytest.mark.parametrize(("tenant", "allowed", "message"), REFUSED)
def test_a_tenant_that_is_missing_malformed_or_not_allowed_is_refused(tenant: Any, allowed: Any, message: str) -> None:
    with pytest.raises(OptionError, match=message) as caught:
        requested_tenant({"tenant_id": tenant, "allowed_tenants": allowed})
    assert caught.value.next_step


def test_a_session_for_a_guid_makes_no_request(params: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_session.Transport, "send", lambda *_args, **_kwargs: pytest.fail("a request was made"))
    session = open_session(Task(params=params))
    assert session.tenant.tenant_id == FABRIKAM
    assert session.client("graph").base_url == "https://graph.microsoft.com"
    assert session.client("defender").base_url == "https://api.security.microsoft.com"
    assert session.graph().tenant_id == FABRIKAM


def test_a_client_asks_for_the_token_of_its_api_in_its_tenant(params: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    session = open_session(Task(params=params))
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(_session.TokenSource, "get", lambda _source, *args, **kwargs: asked.append((*args, kwargs)))
    session.client("graph").token()
    session.client("defender").token()
    session.token_getter("WindowsDefenderATP")(True, "{}")
    assert asked == [
        (FABRIKAM, "https://graph.microsoft.com", {"force_refresh": False, "claims": None}),
        (FABRIKAM, "https://api.security.microsoft.com", {"force_refresh": False, "claims": None}),
        (FABRIKAM, "https://api.securitycenter.microsoft.com", {"force_refresh": True, "claims": "{}"}),
    ]


def test_an_error_of_the_options_names_no_secret(params: dict[str, Any]) -> None:
    for wrong in ({"client_id": "not-a-guid"}, {"access_token": "second-canary"}, {"client_secret": ""}, {"login_url": "http://plain"}):
        with pytest.raises(PartnerError) as caught:
            open_session(Task(params={**params, **wrong}))
        assert "canary" not in str(caught.value)


def test_the_same_settings_share_one_transport_and_others_do_not(params: dict[str, Any]) -> None:
    first = transport_of(params)
    assert transport_of(dict(params)) is first
    assert transport_of({**params, "timeout": 31.0}) is not first


def test_a_task_whose_environment_names_another_proxy_does_not_use_the_connections_made_before(
    params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = transport_of(params)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert transport_of(params) is not first


def _other_process(params: dict[str, Any], pipe: Any) -> None:
    pipe.send(id(transport_of(params)))


def test_a_fork_does_not_share_the_connections_of_its_parent(params: dict[str, Any]) -> None:
    here = id(transport_of(params))
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_other_process, args=(params, sender))
    process.start()
    assert receiver.poll(20)
    assert receiver.recv() != here
    process.join()


@pytest.mark.parametrize("name", ["timeout", "deadline"])
@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan, 1e10])
def test_a_time_that_is_not_positive_or_has_no_end_is_refused(params: dict[str, Any], name: str, value: float) -> None:
    with pytest.raises(OptionError, match=f"{name} must be more than 0 seconds"):
        transport_of({**params, name: value})


def test_urls_replace_those_of_the_cloud(params: dict[str, Any]) -> None:
    endpoints = endpoints_of({**params, "cloud": "gcc_high", "graph_url": "https://graph.contoso.example/"})
    assert (endpoints.login_url, endpoints.graph_url) == ("https://login.microsoftonline.us", "https://graph.contoso.example")


Text = str | None
CACHES: list[tuple[Text, Text, Text, Text]] = [
    (None, None, "/run", "/run"),
    (None, None, None, None),
    (None, "/kept", "/run", "/kept"),
    ("run", None, "/run", "/run"),
    ("memory", None, "/run", None),
    ("directory", "/kept", "/run", "/kept"),
]


@pytest.mark.parametrize(("mode", "directory", "run_directory", "wanted"), CACHES)
def test_tokens_are_kept_where_the_options_say(
    mode: str | None, directory: str | None, run_directory: str | None, wanted: str | None
) -> None:
    assert cache_directory({"token_cache": mode, "token_cache_directory": directory}, run_directory) == wanted


@pytest.mark.parametrize(("mode", "directory"), [("directory", None), ("run", "/kept"), ("memory", "/kept")])
def test_options_of_the_cache_that_contradict_each_other_are_refused(mode: str, directory: str | None) -> None:
    with pytest.raises(OptionError, match=f"token_cache={mode}"):
        cache_directory({"token_cache": mode, "token_cache_directory": directory}, "/run")
