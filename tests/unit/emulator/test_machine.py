# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The metadata service of an Azure machine refuses what the real ones refuse; what it gives is tested by official clients."""

from __future__ import annotations

from typing import Any

import pytest
from emulator.machine import APP_SERVICE_PATH, IMDS_PATH, Machine
from starlette.testclient import TestClient

EXCHANGE = "api://AzureADTokenExchange"
ASKED = {"api-version": "2018-02-01", "resource": EXCHANGE}


@pytest.fixture
def machine(world: Any) -> Machine:
    return Machine(world.cloud)


@pytest.mark.parametrize(
    ("headers", "query", "error"),
    [
        ({}, {}, "Required metadata header"),
        ({"Metadata": "false"}, {}, "Required metadata header"),
        ({"Metadata": "true", "X-Forwarded-For": "10.0.0.1"}, {}, "X-Forwarded-For"),
        ({"Metadata": "true"}, {"api-version": "2017-01-01"}, "api-version"),
        ({"Metadata": "true"}, {"client_id": "44444444-4444-4444-8444-000000000009"}, "Identity not found"),
        ({"Metadata": "true"}, {"resource": "https://management.azure.com"}, "AADSTS500011"),
    ],
)
def test_the_metadata_service_of_a_virtual_machine_says_why_it_refuses(
    machine: Machine, headers: dict[str, str], query: dict[str, str], error: str
) -> None:
    answer = TestClient(machine.app()).get(IMDS_PATH, params={**ASKED, **query}, headers=headers)
    assert answer.status_code == 400
    assert error in answer.json()["error_description"]


def test_numbers_are_texts_and_app_service_has_no_lifetime(machine: Machine) -> None:
    client = TestClient(machine.app())
    body = client.get(IMDS_PATH, params=ASKED, headers={"Metadata": "true"}).json()
    assert (body["expires_in"], body["resource"], body["token_type"]) == ("3599", EXCHANGE, "Bearer")
    query = {"api-version": "2019-08-01", "resource": EXCHANGE}
    body = client.get(APP_SERVICE_PATH, params=query, headers={"X-IDENTITY-HEADER": machine.header}).json()
    assert body["expires_on"].isdigit()
    assert "expires_in" not in body


@pytest.mark.parametrize(
    ("header", "query", "status"), [("wrong", {}, 401), (None, {"client_id": "x"}, 400), (None, {"resource": "x"}, 400)]
)
def test_app_service_keeps_out_who_lacks_its_header_and_knows_its_identities(
    machine: Machine, header: str | None, query: dict[str, str], status: int
) -> None:
    asked = {"api-version": "2019-08-01", "resource": EXCHANGE, **query}
    answer = TestClient(machine.app()).get(APP_SERVICE_PATH, params=asked, headers={"X-IDENTITY-HEADER": header or machine.header})
    assert (answer.status_code, answer.json()["statusCode"]) == (status, status)
