# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Getting tokens in this process, and what tests change about the prepared app."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.m365d.partner.plugins.module_utils._ops import token as token_operation
from ansible_collections.m365d.partner.plugins.module_utils._ops._task import Task
from cryptography.hazmat.primitives import serialization
from integration.harness import CLIENT_ID, Emulator


def get_token(emulator: Emulator, folder: Path, **options: Any) -> dict[str, Any]:
    """Run the operation m365d_token in this process and return its result."""
    connection = {name.removeprefix("m365d_"): value for name, value in emulator.connection.items()}
    spec = {name: dict(entry) for name, entry in token_operation.OPERATION.argument_spec.items()}
    announced = options.pop("announced", None)
    validation = ArgumentSpecValidator(spec).validate({**connection, **options})
    assert not validation.error_messages
    task = Task(params=validation.validated_parameters, run_directory=str(folder))
    if announced is not None:
        task = Task(params=task.params, run_directory=str(folder), announce=announced)
    outcome = token_operation.OPERATION.run(task)
    assert not outcome.failed, outcome.result["msg"]
    return outcome.result


@contextmanager
def signed_in(emulator: Emulator, folder: Path, **credential: Any) -> Iterator[requests.Session]:
    """A session with an app's token for Microsoft Graph."""
    found = get_token(emulator, folder, return_token=True, **credential)
    with requests.Session() as session:
        session.trust_env = False
        session.verify = emulator.endpoints["ca_path"]
        session.headers["Authorization"] = f"Bearer {found['access_token']}"
        yield session


def service_principal_ids(emulator: Emulator, graph: requests.Session, *app_ids: str) -> list[str]:
    """The object ids of apps in the tenant that the session's token is for."""
    base = f"{emulator.endpoints['graph_url']}/v1.0/servicePrincipals"
    return [str(graph.get(f"{base}(appId='{app_id}')").json()["id"]) for app_id in app_ids]


def prepared_app(cloud: Emulator, graph: requests.Session) -> str:
    """Return the URL of the prepared app's registration."""
    url = f"{cloud.endpoints['graph_url']}/v1.0/applications"
    found = graph.get(url, params={"$filter": f"appId eq '{CLIENT_ID}'"}).json()["value"]
    return f"{url}/{found[0]['id']}"


def register_certificate(cloud: Emulator, graph: requests.Session, leaf: Any) -> None:
    """Make a certificate the only one of the prepared app."""
    entry = {
        "type": "AsymmetricX509Cert",
        "usage": "Verify",
        "displayName": "test",
        "key": base64.b64encode(leaf.public_bytes(serialization.Encoding.DER)).decode(),
    }
    assert graph.patch(prepared_app(cloud, graph), json={"keyCredentials": [entry]}).status_code == 204
