# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a scenario file to a cloud. The README is the reference of the keys."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from . import first_party, security
from .clock import Clock, parse_moment
from .directory import Directory
from .entra.flows import PendingFlows
from .entra.keys import SigningKeys
from .faults import Faults
from .identifiers import is_guid, secret_text
from .identity_provider import IdentityProviders
from .model import GLOBAL_ADMINISTRATOR, User, digest
from .prepared import ADMINISTRATION, PreparedAppError, prepare_app
from .replication import Replication
from .request_log import RequestLog
from .settings import Settings
from .state import Cloud, SecurityStores, Tenant

KEYS = (
    "seed",
    "clock",
    "replication_delay",
    "token_lifetime",
    "defaults",
    "home",
    "tenants",
    "generate",
    "apps",
    "faults",
    "unverified",
    "bootstrap",
)
TENANT_KEYS = (
    "tenant_id",
    "domain",
    "domains",
    "display_name",
    "region",
    "sub_scope",
    "cloud",
    "defender",
    "security",
    "admin",
    "users",
    "automation",
    "sign_in_block",
    "contract",
    "gdap",
    "policy",
    "created",
)
HOME = {"tenant_id": "11111111-1111-4111-8111-000000000001", "domain": "partner.contoso.example", "display_name": "Contoso Partner"}
_NAMES = (
    "Fabrikam",
    "Northwind",
    "Adventure Works",
    "Tailspin",
    "Wingtip",
    "Litware",
    "Proseware",
    "Alpine Ski",
    "Woodgrove",
    "Trey Research",
)
_REGIONS = ("EU", "NA", "AS", "OC")


class ScenarioError(ValueError):
    """A scenario file that cannot be used; the message names the key."""


def load(path: Path) -> dict[str, Any]:
    """Read a scenario file. Raises ScenarioError."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as exc:
        raise ScenarioError(f"{path}: {exc}") from exc
    if not isinstance(raw, dict):
        raise ScenarioError(f"{path}: a scenario is a mapping")
    return raw


def build(raw: Mapping[str, Any]) -> Cloud:
    """The cloud a scenario describes. Raises ScenarioError."""
    _only_known(raw, KEYS, "the scenario")
    try:
        return _build(raw)
    except (PreparedAppError, KeyError, TypeError, ValueError) as exc:
        raise exc if isinstance(exc, ScenarioError) else ScenarioError(f"scenario: {exc}") from exc


def _build(raw: Mapping[str, Any]) -> Cloud:
    clock = Clock(_start(raw.get("clock", "now")))
    delay = raw.get("replication_delay") or {}
    replication = Replication(clock)
    settings = Settings.from_mapping(raw.get("unverified") or {}, token_lifetime=int(raw.get("token_lifetime", 3599)))
    cloud = Cloud(seed=int(raw.get("seed", 7)), clock=clock, replication=replication, settings=settings)
    cloud.defaults = dict(raw.get("defaults") or {})
    cloud.keys = SigningKeys(clock.now())
    cloud.log = RequestLog()
    cloud.flows = PendingFlows(clock)
    cloud.faults = Faults(cloud.rng)
    cloud.providers = IdentityProviders(clock, lambda: cloud.origin)
    started = cloud.now()  # Tenants whose security data are first asked for later are as old as the others.
    cloud.security = SecurityStores(lambda tenant_id: security.build_store(cloud.tenants[tenant_id], cloud.defaults, cloud.seed, started))
    first_party.register(cloud)
    _populate(cloud, raw)
    for rule in raw.get("faults") or []:
        cloud.faults.add(rule)
    replication.seconds, replication.requests = float(delay.get("seconds", 0)), int(delay.get("requests", 0))
    return cloud


def _populate(cloud: Cloud, raw: Mapping[str, Any]) -> None:
    home = HOME | dict(raw.get("home") or {})
    cloud.home_tenant_id = str(home["tenant_id"]).lower()
    add_tenant(cloud, home, home=True)
    for entry in raw.get("tenants") or []:
        add_tenant(cloud, entry)
    for entry in _generated(cloud.seed, raw.get("generate") or {}):
        add_tenant(cloud, entry)
    permissions = [f"MicrosoftGraph/{name}" for name in ADMINISTRATION]
    wanted = {"display_name": "Bootstrap", "permissions": permissions, "sign_in_audience": "AzureADMyOrg"} | dict(
        raw.get("bootstrap") or {}
    )
    made = prepare_app(cloud, {"consented": [cloud.home_tenant_id]} | wanted, key="bootstrap")
    cloud.bootstrap = {"tenant_id": cloud.home_tenant_id, "client_id": made["client_id"], "client_secret": made["client_secret"]}
    for index, entry in enumerate(raw.get("apps") or []):
        cloud.prepared_apps.append(prepare_app(cloud, entry, key=f"app-{index}"))


def _only_known(raw: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    unknown = sorted(set(raw) - set(known))
    if unknown:
        raise ScenarioError(f"unknown key(s) in {where}: {', '.join(unknown)}; known: {', '.join(known)}")


def _start(value: Any) -> datetime | None:
    if value in (None, "now"):
        return None
    return value if isinstance(value, datetime) and value.tzinfo else parse_moment(str(value))


def _generated(seed: int, spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Synthetic tenants, the same for the same seed."""
    prefix = spec.get("prefix")
    made = []
    for number in range(1, int(spec.get("tenants", 0)) + 1):
        name = str(prefix).capitalize() if prefix else _NAMES[(number - 1) % len(_NAMES)]
        stem = (str(prefix) if prefix else name).lower().replace(" ", "-")
        entry: dict[str, Any] = {
            "tenant_id": f"2222{seed & 0xFFFF:04x}-2222-4222-8222-{number:012d}",
            "domain": f"{stem}-{number:04d}.example",
            "display_name": f"{name} {number:04d}",
            "region": _REGIONS[(number + seed) % len(_REGIONS)],
        }
        if "incidents" in spec:
            entry["security"] = {"incidents": int(spec["incidents"])}
        made.append(entry)
    return made


def add_tenant(cloud: Cloud, raw: Mapping[str, Any], *, home: bool = False) -> Tenant:
    """Add one tenant with its people, Microsoft's service principals and its automation app. Raises ScenarioError."""
    _only_known(raw, TENANT_KEYS, f"tenant {raw.get('domain')}")
    tenant_id = str(raw["tenant_id"]).lower()
    if not is_guid(tenant_id) or tenant_id in cloud.tenants:
        raise ScenarioError(f"tenant {raw.get('domain')}: `tenant_id` must be a GUID of its own")
    region = "NA" if raw.get("cloud") == "gcc" else "EU"
    tenant = Tenant(
        tenant_id=tenant_id,
        domain=str(raw["domain"]).lower(),
        display_name=str(raw.get("display_name") or raw["domain"]),
        directory=Directory(tenant_id, cloud.replication),
        domains=[str(one).lower() for one in raw.get("domains") or []],
        region_scope=str(raw.get("region", region)),
        sub_scope=raw.get("sub_scope") or ("GCC" if raw.get("cloud") == "gcc" else None),
        cloud=str(raw.get("cloud", "global")),
        defender_provisioned=bool(raw.get("defender", True)),
        home=home,
        created_at=parse_moment(str(raw.get("created", "2020-01-01T00:00:00Z"))),
        sign_in_block=raw.get("sign_in_block"),
        settings=dict(raw),
    )
    tenant.directory.policy = dict(raw.get("policy") or {})
    cloud.add_tenant(tenant)
    first_party.provision(cloud, tenant, first_party.ALWAYS_PRESENT)
    if tenant.defender_provisioned:
        first_party.provision(cloud, tenant, first_party.DEFENDER)
    _add_people(cloud, tenant, raw)
    automation = raw.get("automation")
    if automation is not False:
        _add_automation(cloud, tenant, dict(automation or {}))
    return tenant


def _add_people(cloud: Cloud, tenant: Tenant, raw: Mapping[str, Any]) -> None:
    admin = {"username": f"admin@{tenant.domain}", "roles": [GLOBAL_ADMINISTRATOR], "display_name": "Administrator"} | dict(
        raw.get("admin") or {}
    )
    for entry in (admin, *(raw.get("users") or [])):
        username = str(entry["username"]).lower()
        if "@" not in username:
            username = f"{username}@{tenant.domain}"
        password = str(entry.get("password") or secret_text(20))
        cloud.passwords[username] = password
        tenant.directory.users[username] = User(
            id=cloud.derived_id("user", username),
            username=username,
            display_name=str(entry.get("display_name") or username.partition("@")[0].title()),
            roles=tuple(entry.get("roles") or ()),
            digest=digest(password),
        )


def _add_automation(cloud: Cloud, tenant: Tenant, raw: dict[str, Any]) -> None:
    """The tenant's own app, with which a test may act as the customer does."""
    defaults = {
        "display_name": "Automation",
        "home": tenant.tenant_id,
        "permissions": [f"MicrosoftGraph/{name}" for name in ADMINISTRATION],
        "sign_in_audience": "AzureADMyOrg",
        "consented": [tenant.tenant_id],
    }
    made = prepare_app(cloud, defaults | raw, key=f"automation/{tenant.tenant_id}")
    cloud.automation[tenant.tenant_id] = {"client_id": made["client_id"], "client_secret": made["client_secret"]}


def endpoints(cloud: Cloud, *, ca_path: str, pid: int) -> dict[str, Any]:
    """What a client needs to work with the emulator, credentials included: the ready line and `endpoints.json`."""
    tenants = []
    for tenant in cloud.tenants.values():
        people = [{"username": name, "password": cloud.passwords[name]} for name in tenant.directory.users]
        tenants.append(
            {
                "tenant_id": tenant.tenant_id,
                "domain": tenant.domain,
                "display_name": tenant.display_name,
                "region": tenant.region_scope,
                "home": tenant.home,
                "admin": people[0],
                "users": people[1:],
                "automation": cloud.automation.get(tenant.tenant_id),
            }
        )
    return {
        "login_url": cloud.origin,
        "graph_url": cloud.origin,
        "defender_url": cloud.origin,
        "admin_url": f"{cloud.origin}/_emulator",
        "ca_path": ca_path,
        "home_tenant_id": cloud.home_tenant_id,
        "pid": pid,
        "bootstrap": cloud.bootstrap,
        "apps": cloud.prepared_apps,
        "tenants": tenants,
    }
