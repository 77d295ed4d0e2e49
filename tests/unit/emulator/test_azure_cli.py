# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Azure CLI as a witness, where it is installed (`az` on the PATH); it is too large to be a test dependency."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

AZ = shutil.which("az")
HOME = "11111111-1111-4111-8111-000000000001"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(AZ is None, reason="the Azure CLI is not installed")]


def az(environment: dict[str, str], *arguments: str) -> str:
    assert AZ is not None
    done = subprocess.run([AZ, *arguments], capture_output=True, text=True, env=environment, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_az_signs_in_as_a_service_principal_and_gets_tokens(served: Any, tmp_path: Path) -> None:
    settings = {
        "AZURE_CONFIG_DIR": str(tmp_path),
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        "AZURE_CORE_COLLECT_TELEMETRY": "no",
        "REQUESTS_CA_BUNDLE": served.ca,
    }
    environment = dict(os.environ) | settings
    register = {
        "resource-manager": f"{served.login}/",
        "active-directory": served.login,
        "active-directory-resource-id": "https://management.core.windows.net/",
        "active-directory-graph-resource-id": "https://graph.windows.net/",
        "microsoft-graph-resource-id": "https://graph.microsoft.com/",
    }
    options = [part for name, value in register.items() for part in (f"--endpoint-{name}", value)]
    az(environment, "cloud", "register", "-n", "Emulator", "--skip-endpoint-discovery", *options)
    az(environment, "cloud", "set", "-n", "Emulator")
    who = served.endpoints["bootstrap"]
    sign_in = ["login", "--service-principal", "-u", who["client_id"], "-p", who["client_secret"], "--tenant", HOME]
    az(environment, *sign_in, "--allow-no-subscriptions")
    for resource in ("https://api.security.microsoft.com", "https://graph.microsoft.com"):
        token = json.loads(az(environment, "account", "get-access-token", "--resource", resource, "--tenant", HOME))
        assert token["tenant"] == HOME
        assert token["accessToken"].count(".") == 2
