# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The users, devices and apps of a tenant, and the evidence that alerts draw from them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from . import catalog, vocabulary
from .model import DOMAIN_MARK, Evidence
from .times import DAY, MINUTE

_NT_DOMAIN: Final = "CORP"


def guid(rng: random.Random) -> str:
    """Return a version 4 GUID drawn from the generator's own randomness."""
    text = f"{rng.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) % 4]}{text[17:20]}-{text[20:]}"


def _hex(rng: random.Random, digits: int) -> str:
    return f"{rng.getrandbits(digits * 4):0{digits}x}"


def _public_ip(rng: random.Random) -> str:
    return f"{rng.choice(('192.0.2', '198.51.100', '203.0.113'))}.{rng.randint(1, 254)}"


@dataclass(frozen=True, slots=True)
class Population:
    """Who and what lives in a tenant; each entry is the ``data`` of an evidence of its kind."""

    users: tuple[dict[str, Any], ...]
    devices: tuple[dict[str, Any], ...]
    apps: tuple[dict[str, Any], ...]
    cloud_apps: tuple[dict[str, Any], ...]
    groups: tuple[dict[str, Any], ...]


def _user(rng: random.Random, number: int) -> dict[str, Any]:
    first = catalog.FIRST_NAMES[number % len(catalog.FIRST_NAMES)]
    last = catalog.LAST_NAMES[(number * 5 + rng.randrange(13)) % len(catalog.LAST_NAMES)]
    account = f"{first}.{last}".lower()
    synchronised = rng.random() < 0.7
    return {
        "account": account,
        "domain": _NT_DOMAIN if synchronised else DOMAIN_MARK,
        "sid": f"S-1-5-21-{rng.randrange(10**9)}-{rng.randrange(10**9)}-{rng.randrange(10**9)}-{1100 + number}",
        "aad_id": guid(rng),
        "upn": f"{account}@{DOMAIN_MARK}",
        "display_name": f"{first} {last}",
        "ad_guid": guid(rng) if synchronised else None,
    }


def _device(rng: random.Random, number: int, now: int) -> dict[str, Any]:
    platform, version, build = (("Windows11", "23H2", 22631), ("Windows10", "22H2", 19045), ("WindowsServer2022", "21H2", 20348))[
        number % 3
    ]
    host = f"{'srv' if 'Server' in platform else 'pc'}-{number + 1:03d}"
    cloud_machine = number % 4 == 2
    return {
        "mde_id": _hex(rng, 40),
        "aad_id": guid(rng) if number % 5 else None,
        "dns_name": f"{host}.{DOMAIN_MARK}",
        "host_name": host,
        "nt_domain": _NT_DOMAIN,
        "dns_domain": DOMAIN_MARK,
        "os_platform": platform,
        "os_build": build,
        "os_processor": "x64",
        "version": version,
        "health": vocabulary.HEALTH_STATUSES[number % 6],
        "risk": vocabulary.RISK_SCORES[number % 5],
        "rbac_group_id": number % 3,
        "rbac_group_name": ("UnassignedGroup", "Servers", "Workstations")[number % 3],
        "onboarding": vocabulary.ONBOARDING_STATUSES[1 if number % 5 else number % 4],
        "av_status": vocabulary.AV_STATUSES[number % 6],
        "first_seen": now - rng.randrange(60 * DAY, 300 * DAY),
        "ip_interfaces": (f"10.0.{number % 8}.{20 + number}", "fe80::1"),
        "last_ip": f"10.0.{number % 8}.{20 + number}",
        "last_external_ip": _public_ip(rng),
        "tags": ("Critical",) if number % 6 == 1 else (),
        "vm": (
            {
                "vmId": guid(rng),
                "cloudProvider": "azure",
                "resourceId": f"/subscriptions/{guid(rng)}/resourceGroups/prod/providers/Microsoft.Compute/virtualMachines/{host}",
                "subscriptionId": guid(rng),
            }
            if cloud_machine
            else None
        ),
    }


def _app(rng: random.Random, number: int) -> dict[str, Any]:
    return {
        "app_id": guid(rng),
        "object_id": guid(rng),
        "display_name": catalog.APPS[number % len(catalog.APPS)],
        "publisher": catalog.APPS[number % len(catalog.APPS)].split()[0],
    }


def populate(seed: str, *, now: int, users: int = 14, devices: int = 12) -> Population:
    """Return the population that belongs to ``seed``, the same one every time.

    :param now: ticks; devices were first seen before it.
    """
    rng = random.Random(f"{seed}:population")
    return Population(
        users=tuple(_user(rng, number) for number in range(users)),
        devices=tuple(_device(rng, number, now) for number in range(devices)),
        apps=tuple(_app(rng, number) for number in range(len(catalog.APPS))),
        cloud_apps=tuple(
            {"app_id": app_id, "display_name": name, "instance_id": 0, "instance_name": "Microsoft 365", "saas_app_id": app_id}
            for name, app_id in catalog.CLOUD_APPS
        ),
        groups=tuple(
            {
                "group_id": guid(rng),
                "display_name": name,
                "sid": f"S-1-5-21-1-2-3-{512 + number}",
                "distinguished_name": f"CN={name},CN=Users,DC=corp",
                "friendly_name": name,
                "ad_guid": guid(rng),
            }
            for number, name in enumerate(("Domain Admins", "Backup Operators"))
        ),
    )


@dataclass(slots=True)
class Scene:
    """What the evidence of one alert has in common: its people, its time, its randomness."""

    rng: random.Random
    population: Population
    user: dict[str, Any]
    device: dict[str, Any]
    time: int
    number: int


def begin_scene(rng: random.Random, population: Population, *, time: int, number: int) -> Scene:
    """Return the setting of one alert."""
    return Scene(rng, population, rng.choice(population.users), rng.choice(population.devices), time, number)


def _file_details(scene: Scene) -> dict[str, Any]:
    rng = scene.rng
    name = catalog.FILE_NAMES[scene.number % len(catalog.FILE_NAMES)]
    return {
        "fileName": name,
        "filePath": rf"C:\Users\{scene.user['account']}\Downloads",
        "fileSize": rng.randrange(1_000, 5_000_000),
        "sha1": _hex(rng, 40),
        "sha256": _hex(rng, 64),
        "sha256Ac": None,
        "md5": _hex(rng, 32),
        "filePublisher": None if scene.number % 3 else "Contoso Ltd",
        "signer": None,
        "issuer": None,
    }


def _file(scene: Scene) -> dict[str, Any]:
    return {
        "file": _file_details(scene),
        "detection_status": vocabulary.DETECTION_STATUSES[scene.number % 3],
        "mde_id": scene.device["mde_id"],
    }


def _process(scene: Scene) -> dict[str, Any]:
    rng = scene.rng
    return {
        "pid": rng.randrange(1_000, 65_000),
        "command_line": catalog.COMMAND_LINES[scene.number % len(catalog.COMMAND_LINES)],
        "started": scene.time - rng.randrange(MINUTE),
        "parent_pid": rng.randrange(500, 60_000),
        "parent_started": scene.time - rng.randrange(MINUTE, 60 * MINUTE),
        "file": _file_details(scene),
        "parent_file": {**_file_details(scene), "fileName": "explorer.exe", "filePath": r"C:\Windows"},
        "user": scene.user,
        "detection_status": vocabulary.DETECTION_STATUSES[scene.number % 3],
        "mde_id": scene.device["mde_id"],
    }


def _message(scene: Scene) -> dict[str, Any]:
    rng = scene.rng
    network_id = guid(rng)
    return {
        "network_message_id": network_id,
        "internet_message_id": f"<{_hex(rng, 16)}@mail.example>",
        "subject": catalog.SUBJECTS[scene.number % len(catalog.SUBJECTS)],
        "recipient": scene.user["upn"],
        "sender_ip": _public_ip(rng),
        "p1_sender": {"emailAddress": "bounce@mail.example", "displayName": None, "domainName": "mail.example"},
        "p2_sender": {"emailAddress": "billing@mail.example", "displayName": "Billing", "domainName": "mail.example"},
        "delivery_action": ("Delivered", "Blocked", "DeliveredAsSpam")[scene.number % 3],
        "delivery_location": ("Inbox", "Quarantine", "JunkFolder")[scene.number % 3],
        "received": scene.time - rng.randrange(30 * MINUTE),
        "urls": (f"https://login.example/{_hex(rng, 8)}",),
        "attachments": scene.number % 2,
        "threats": ("Phish",),
        "methods": ("URL detonation reputation",),
        "direction": "Inbound",
        "language": "en",
        "urn": f"urn:MailEntity:{_hex(rng, 32)}",
    }


def _cluster(scene: Scene) -> dict[str, Any]:
    rng = scene.rng
    ids = tuple(guid(rng) for _unused in range(1 + scene.number % 3))
    return {
        "cluster_by": "Subject;P2SenderDomain;AntiSpamDirection",
        "cluster_by_value": f"{catalog.SUBJECTS[0]};mail.example;1",
        "email_count": len(ids),
        "network_message_ids": ids,
        "query": '(( (Subject:"Your invoice is overdue") ) AND ( (P2SenderDomain:"mail.example") ))',
        "urn": f"urn:MailClusterEntity:{_hex(rng, 32)}",
    }


def _registry(scene: Scene) -> dict[str, Any]:
    return {"hive": "HKEY_LOCAL_MACHINE", "key": r"SOFTWARE\Microsoft\Windows\CurrentVersion\Run", "mde_id": scene.device["mde_id"]}


_BUILDERS: Final[Mapping[str, Callable[[Scene], dict[str, Any]]]] = {
    "device": lambda scene: {**scene.device, "logged_on": ((scene.user["account"], _NT_DOMAIN),)},
    "user": lambda scene: scene.user,
    "file": _file,
    "process": _process,
    "ip": lambda scene: {"address": _public_ip(scene.rng), "country": catalog.COUNTRIES[scene.number % len(catalog.COUNTRIES)]},
    "url": lambda scene: {"url": f"https://cdn.example/{_hex(scene.rng, 10)}?q=a%20b"},
    "mailbox": lambda scene: {
        "address": scene.user["upn"],
        "display_name": scene.user["display_name"],
        "upn": scene.user["upn"],
        "user": scene.user,
    },
    "analyzedMessage": _message,
    "mailCluster": _cluster,
    "registryKey": _registry,
    "registryValue": lambda scene: {**_registry(scene), "name": "Updater", "type": "String", "value": r"C:\ProgramData\update.exe"},
    "securityGroup": lambda scene: scene.rng.choice(scene.population.groups),
    "cloudApplication": lambda scene: scene.rng.choice(scene.population.cloud_apps),
    "oauthApplication": lambda scene: scene.rng.choice(scene.population.apps),
}
_ROLES_BY_KIND: Final = {"device": "attacked", "user": "compromised", "ip": "attacker", "url": "source", "analyzedMessage": "contextual"}


def make_evidence(scene: Scene, kind: str, *, unknown_members: bool) -> Evidence:
    """Return one evidence of ``kind``.

    :param unknown_members: also use members that Graph hides behind ``unknownFutureValue``.
    """
    rng = scene.rng
    remediations = vocabulary.REMEDIATIONS if unknown_members else vocabulary.REMEDIATIONS[:5]
    remediation = remediations[scene.number % len(remediations)]
    roles = (_ROLES_BY_KIND.get(kind) or vocabulary.ROLES[scene.number % 15],) if scene.number % 4 else ()
    return Evidence(
        kind=kind,
        created=scene.time + rng.randrange(2 * MINUTE),
        verdict=vocabulary.VERDICTS[scene.number % 4],
        remediation="none" if remediation == vocabulary.FUTURE else remediation,
        remediation_details="Quarantined by the antivirus" if remediation == "remediated" else None,
        roles=roles,
        detailed_roles=("PrimaryDevice",) if kind == "device" else (),
        tags=scene.device["tags"] if kind == "device" else (),
        data=_BUILDERS[kind](scene),
    )
