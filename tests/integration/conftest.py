# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests share that drive real runs of Ansible against the emulator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from integration.apps import register_certificate, signed_in
from integration.harness import Ansible, Emulator
from unit.identity.tokens import certificate, pem, pfx, private_key, written


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """The emulated cloud with the scenario of these tests; one for all of them."""
    emulator = Emulator.start(tmp_path_factory.mktemp("emulator") / "state")
    yield emulator
    emulator.stop()


@pytest.fixture
def cloud(emulator: Emulator) -> Emulator:
    """The emulated cloud with an empty request log and without faults."""
    emulator.admin("DELETE", "/faults")
    emulator.forget_requests()
    return emulator


@pytest.fixture
def quiet_ansible(tmp_path: Path) -> Ansible:
    """Ansible in a home of its own."""
    return Ansible(tmp_path)


@pytest.fixture(params=["in_process", "real_module"])
def path(request: pytest.FixtureRequest) -> str:
    """The way that tasks go: inside Ansible's worker, or as real modules."""
    return str(request.param)


@pytest.fixture
def ansible(quiet_ansible: Ansible, path: str) -> Ansible:
    """Ansible in a home of its own, once for each way that tasks go."""
    quiet_ansible.environment["M365D_IN_PROCESS"] = "1" if path == "in_process" else "0"
    return quiet_ansible


@pytest.fixture
def graph(cloud: Emulator, tmp_path: Path) -> Iterator[requests.Session]:
    """A session with the bootstrap app's token for Microsoft Graph in the home tenant."""
    with signed_in(cloud, tmp_path, **cloud.endpoints["bootstrap"]) as session:
        cloud.forget_requests()
        yield session


@pytest.fixture
def registered(cloud: Emulator, graph: requests.Session, tmp_path: Path) -> dict[str, str]:
    """A certificate that is registered on the prepared app, in each form that it is kept in."""
    key = private_key("first")
    leaf = certificate(key)
    register_certificate(cloud, graph, leaf)
    cloud.forget_requests()
    return {
        "pem": written(tmp_path / "app.pem", pem(leaf), pem(key)),
        "pfx": written(tmp_path / "app.pfx", pfx(key, leaf, password=b"p4ss")),
    }
