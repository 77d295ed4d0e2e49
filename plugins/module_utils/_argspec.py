# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The one table of the options that several plugins share.

From it come the argument specs of modules and actions, the documentation fragments (`tests/tools/update_doc_fragments.py`
writes them and fails when they drift), the variables `m365d_<option>` and the environment variables.

No option names a tenant in the environment: a tenant is named by a task or by the inventory, never by default.
"""

from __future__ import annotations

import copy
import os
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from ansible.module_utils.common.parameters import AnsibleFallbackNotFound

from ._core.errors import SHORTEST_SECRET, OptionError

VARIABLE_PREFIX = "m365d_"
INI_SECTION = "m365d"


@dataclass(frozen=True)
class Option:
    """One shared option.

    :param name: its name in tasks; `m365d_<name>` is the variable that sets it for a host.
    :param group: the group (documentation fragment) it belongs to.
    :param type: Ansible's name of its type; durations are seconds (`float`).
    :param description: paragraphs in Ansible's semantic markup.
    :param azure_env: the environment variable of the Azure SDKs that is read after `M365D_<NAME>`, or None.
    :param in_environment: whether `M365D_<NAME>` is read at all.
    :param in_variables: whether `m365d_<name>` is read at all.
    :param required: whether it must be given; only for suboptions.
    :param suboptions: the options of each entry, for a list of dictionaries.
    :param credential: the kind of credential it is part of, see `environment_options()`.
    """

    name: str
    group: str
    type: str
    description: tuple[str, ...]
    default: Any = None
    choices: tuple[str, ...] = ()
    elements: str | None = None
    no_log: bool = False
    azure_env: str | None = None
    in_environment: bool = True
    in_variables: bool = True
    credential: str | None = None
    required: bool = False
    suboptions: tuple[Option, ...] = ()

    @property
    def variable(self) -> str:
        """The variable that sets this option for a host or group."""
        return VARIABLE_PREFIX + self.name

    @property
    def own_env(self) -> str:
        """The environment variable of this collection."""
        return self.variable.upper()

    @property
    def env(self) -> tuple[str, ...]:
        """The environment variables that set this option; the first that is not empty wins."""
        names = (self.own_env,) if self.in_environment else ()
        return (*names, self.azure_env) if self.azure_env else names

    def spec(self) -> dict[str, Any]:
        """Return this option's entry of an argument spec."""
        spec: dict[str, Any] = {"type": self.type}
        if self.elements:
            spec["elements"] = self.elements
        if self.default is not None:
            spec["default"] = self.default
        if self.choices:
            spec["choices"] = list(self.choices)
        if self.required:
            spec["required"] = True
        if self.suboptions:
            spec["options"] = {option.name: option.spec() for option in self.suboptions}
        # An explicit no_log=False tells validate-modules that a name like token_cache is not a secret.
        spec["no_log"] = self.no_log
        # Which credential of the environment counts depends on the other options: `environment_options()` decides.
        if self.env and not self.credential:
            spec["fallback"] = (from_environment, list(self.env))
        return spec


_CONNECTION = (
    Option(
        "cloud",
        "connection",
        "str",
        (
            "The national cloud that the tenant lives in.",
            "It decides the hosts that are called and the audiences that tokens are asked for.",
            "V(auto) asks the tenant's discovery document, which is one more request for each tenant, kept for the run.",
        ),
        default="global",
        choices=("global", "gcc", "gcc_high", "dod", "china", "auto"),
    ),
    Option(
        "login_url",
        "connection",
        "str",
        ("URL of Entra ID's token service, instead of the one that O(cloud) implies.", "For example V(https://login.microsoftonline.com)."),
    ),
    Option(
        "graph_url",
        "connection",
        "str",
        (
            "URL of Microsoft Graph without a version, instead of the one that O(cloud) implies.",
            "For example V(https://graph.microsoft.com).",
        ),
    ),
    Option(
        "defender_url",
        "connection",
        "str",
        (
            "URL of the Defender API without C(/api), instead of the one that O(cloud) implies.",
            "Use it for a geographic host, for example V(https://eu.api.security.microsoft.com).",
        ),
    ),
    Option(
        "ca_path",
        "connection",
        "path",
        (
            "A PEM file with the certificate authorities to trust instead of the platform's.",
            "Needed behind a proxy that inspects TLS, and for a server with a private authority.",
        ),
    ),
    Option(
        "validate_certs",
        "connection",
        "bool",
        ("Whether TLS certificates are verified.", "Switch it off in a laboratory only: whoever answers then gets the credential."),
        default=True,
    ),
    Option(
        "proxy",
        "connection",
        "str",
        ("URL of the proxy for all requests.", "Without it, E(HTTPS_PROXY) and E(NO_PROXY) are followed."),
    ),
    Option(
        "timeout",
        "connection",
        "float",
        ("Seconds to wait for a connection, and for each part of an answer.",),
        default=30.0,
    ),
    Option(
        "deadline",
        "connection",
        "float",
        (
            "Seconds for one call with all its repetitions.",
            "A service that limits the number of requests is obeyed until this time is over.",
        ),
        default=300.0,
    ),
)

_TENANT = (
    Option(
        "tenant_id",
        "tenant",
        "str",
        (
            "The tenant, by GUID or by a domain that is verified in it.",
            "It must be given, on the task or as the variable C(m365d_tenant_id) of the host. It is never taken from the environment, and"
            " names that stand for no particular tenant (V(common), V(organizations), V(consumers)) are refused.",
        ),
        in_environment=False,
    ),
    Option(
        "allowed_tenants",
        "tenant",
        "list",
        (
            "When given, any other tenant is refused before a request is made.",
            "A tenant is compared as it is given in O(tenant_id): list its domain if it is named by its domain.",
        ),
        elements="str",
    ),
)

_AUTH = (
    Option(
        "client_id",
        "auth",
        "str",
        ("The application (client) id that authenticates.",),
        azure_env="AZURE_CLIENT_ID",
    ),
    Option(
        "auth_method",
        "auth",
        "str",
        (
            "How O(client_id) proves its identity.",
            "V(auto) chooses by the credential that is given.",
            "A credential of the environment counts only where no other is given.",
        ),
        default="auto",
        choices=(
            "auto",
            "client_secret",
            "certificate",
            "client_assertion",
            "federated_token",
            "managed_identity",
            "azure_cli",
            "device_code",
            "ready_token",
        ),
    ),
    Option(
        "client_secret",
        "auth",
        "str",
        (
            "The value (not the id) of a client secret of O(client_id).",
            "Keep it in a vault or in the environment, never in a playbook.",
        ),
        no_log=True,
        azure_env="AZURE_CLIENT_SECRET",
        credential="client_secret",
    ),
    Option(
        "client_certificate_path",
        "auth",
        "path",
        (
            "A certificate that is registered on O(client_id): PEM, with or without its private key, or PFX.",
            "A pipe, such as a shell's process substitution, can be read once, that is by one task on one host.",
        ),
        azure_env="AZURE_CLIENT_CERTIFICATE_PATH",
        credential="certificate",
    ),
    Option(
        "client_private_key_path",
        "auth",
        "path",
        ("The private key (PEM) of O(client_certificate_path), where that file does not hold it.",),
        no_log=False,
        credential="certificate",
    ),
    Option(
        "client_certificate_password",
        "auth",
        "str",
        ("The password of the private key or of the PFX file.",),
        no_log=True,
        azure_env="AZURE_CLIENT_CERTIFICATE_PASSWORD",
        credential="certificate",
    ),
    Option(
        "send_certificate_chain",
        "auth",
        "bool",
        ("Whether the certificate goes along with the request (C(x5c)), for apps that trust by subject name and issuer.",),
        default=False,
    ),
    Option(
        "client_assertion_path",
        "auth",
        "path",
        ("A file with a signed client assertion (a JWT) for O(client_id), read anew for each token request.",),
        credential="client_assertion",
    ),
    Option(
        "client_assertion_command",
        "auth",
        "list",
        (
            "A command, as a list of arguments, that prints a signed client assertion (a JWT), so that the key can stay in a vault.",
            "It is run without a shell.",
        ),
        elements="str",
        credential="client_assertion",
    ),
    Option(
        "federated_token_file",
        "auth",
        "path",
        ("A file with the token of another identity provider that a federated credential of O(client_id) trusts.",),
        azure_env="AZURE_FEDERATED_TOKEN_FILE",
        credential="federated_token",
    ),
    Option(
        "managed_identity_client_id",
        "auth",
        "str",
        (
            "The client id of the user-assigned managed identity of this machine that a federated credential of O(client_id) trusts.",
            "Used with O(auth_method=managed_identity); without it, the machine's system-assigned identity is used.",
        ),
        credential="managed_identity",
    ),
    Option(
        "access_token",
        "auth",
        "str",
        ("A token that was obtained elsewhere, for example by the lookup P(m365d.partner.m365d_token#lookup).",),
        no_log=True,
        credential="ready_token",
    ),
    Option(
        "token_cache",
        "auth",
        "str",
        (
            "Where tokens are kept.",
            "V(run) keeps them in the temporary directory of this run of Ansible, shared by all its workers and gone when it ends.",
            "V(directory) keeps them in O(token_cache_directory), and V(memory) in the process that asked for them.",
            "The default is V(directory) where O(token_cache_directory) is given, else V(run).",
            "Files are encrypted with the credential, so that a copy is of no use without it.",
        ),
        choices=("run", "directory", "memory"),
    ),
    Option(
        "token_cache_directory",
        "auth",
        "path",
        (
            "A directory, readable by nobody else, that keeps tokens from one run to the next.",
            "What is older than three days is removed from its subdirectory C(m365d-tokens), once a day.",
        ),
    ),
    Option(
        "endpoint_version",
        "auth",
        "str",
        (
            "The version of the token endpoint.",
            "V(v2) asks for a scope, V(v1) for a C(resource); the tokens carry the same roles.",
        ),
        default="v2",
        choices=("v1", "v2"),
    ),
)

_API = (
    Option(
        "api",
        "api",
        "str",
        (
            "The service that is asked.",
            "V(graph) is the security API of Microsoft Graph.",
            "V(defender) is the API of Microsoft Defender XDR, which Microsoft retires on 2027-02-01.",
        ),
        default="graph",
        choices=("graph", "defender"),
    ),
)


def _budget(name: str, whose: str, default: str) -> Option:
    """Return the suboption of `budgets` for one budget."""
    description = (f"Limits of the requests {whose}. The default is {default}.",)
    return Option(name, "fleet", "list", description, elements="str", in_environment=False)


_FLEET = (
    Option(
        "tenants",
        "fleet",
        "list",
        (
            "Many tenants in one task, instead of O(tenant_id).",
            "Each entry is a GUID or a domain, or a dictionary with C(tenant_id) and what differs for this tenant: C(credential)"
            " (a name out of O(credentials)), C(cloud), C(api), C(login_url), C(graph_url), C(defender_url), C(ca_path),"
            " C(validate_certs), C(proxy).",
            "A tenant that stands here twice is read once. An empty list is no fault.",
        ),
        elements="raw",
        in_environment=False,
        in_variables=False,
    ),
    Option(
        "credentials",
        "fleet",
        "list",
        ("Further credentials, by name, for entries of O(tenants) that need another one than the task's own.",),
        elements="dict",
        in_environment=False,
        suboptions=(
            Option("name", "fleet", "str", ("The name that an entry of O(tenants) refers to.",), in_environment=False, required=True),
            *(
                replace(option, description=(f"As the option O({option.name}) of the task.",), in_environment=False, azure_env=None)
                for option in _AUTH
                if not option.name.startswith("token_cache")
            ),
        ),
    ),
    Option(
        "concurrency",
        "fleet",
        "int",
        (
            "How many of O(tenants) are worked on at the same time.",
            "A tenant that has to wait, because its service asks for it, gives its place to another one meanwhile.",
        ),
        default=16,
    ),
    Option(
        "max_failed",
        "fleet",
        "str",
        (
            "How many of O(tenants) may fail before the task does: a count, or a percentage such as V(10%).",
            "With O(shard), both are of the tenants of that part.",
            "The results of all tenants are returned in any case.",
        ),
        default="0",
    ),
    Option(
        "fleet_deadline",
        "fleet",
        "float",
        (
            "Seconds for all of O(tenants) together. A tenant that is not done by then is C(unknown).",
            "Without it, only the O(deadline) of each call counts.",
        ),
    ),
    Option(
        "budgets",
        "fleet",
        "dict",
        (
            "How many requests the services take, so that O(tenants) are read without being refused. A tenant whose budget is used up"
            " waits, and gives its place to another one meanwhile.",
            "Each budget is a list of limits: V(50/m) is 50 requests within any minute, V(1000/10s) is 1000 within any ten seconds; C(s),"
            " C(m), C(h) and C(d) are the units. An empty list is no limit.",
            "Requests are counted within this task alone. What other tasks, hosts of a loop, or other programs spend, the service tells by"
            " refusing, which is obeyed.",
            "Counting needs the Python library C(pyrate-limiter), which is not needed where all budgets are empty lists.",
        ),
        in_environment=False,
        suboptions=(
            _budget("defender", "of one tenant to the Defender API, but for hunting", "V(50/m) and V(1500/h)"),
            _budget("graph", "of one tenant to the security API of Microsoft Graph, but for hunting", "V(150/m)"),
            _budget("hunting", "of one tenant for hunting, with either service", "V(45/m)"),
            _budget("app", "of one application, to the APIs of all tenants together", "no limit"),
        ),
    ),
    Option(
        "shard",
        "fleet",
        "str",
        (
            "Take only a part of O(tenants): V(2/4) is the second of four parts.",
            "Which part a tenant belongs to depends on its GUID alone, so that the slices of a job, or several machines, share the work.",
        ),
    ),
)

OPTIONS: tuple[Option, ...] = (*_CONNECTION, *_TENANT, *_AUTH, *_API, *_FLEET)
BY_NAME: Mapping[str, Option] = {option.name: option for option in OPTIONS}
GROUPS: tuple[str, ...] = ("connection", "tenant", "auth", "api", "fleet")

_URL_OPTIONS = ("proxy", "login_url", "graph_url", "defender_url")

# The options that carry one kind of credential each.
CREDENTIAL_OPTIONS: tuple[Option, ...] = tuple(option for option in OPTIONS if option.credential)


def shared_options(*groups: str) -> dict[str, dict[str, Any]]:
    """Return the argument spec of the named groups, those of one tenant where none is named.

    :raises KeyError: for a group that does not exist.
    """
    unknown = set(groups) - set(GROUPS)
    if unknown:
        raise KeyError(f"no such group of options: {', '.join(sorted(unknown))}")
    return {option.name: option.spec() for option in OPTIONS if option.group in (groups or GROUPS[:4])}


def from_environment(*names: str) -> str:
    """Return the first of the environment variables that is not empty; stands in for Ansible's `env_fallback`.

    An empty variable is what a pipeline passes for a secret that it does not have: it counts as missing.

    :raises AnsibleFallbackNotFound: where all are missing or empty.
    """
    for name in names:
        value = os.environ.get(name, "")
        if value:
            return value
    raise AnsibleFallbackNotFound


def environment_options(given: Mapping[str, Any], names: Iterable[str], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the options that the environment adds to those that are given.

    A credential of the environment counts only where it completes the one that is given or chosen, or where none is:
    a host whose inventory names a certificate is not confused by a secret that the shell exports.

    :param given: the options of the task, its defaults and the host's variables; None counts as not given.
    :param names: the options that the operation takes.
    :returns: texts, except `client_assertion_command`, which is split as a shell would.
    """
    wanted = [BY_NAME[name] for name in names if name in BY_NAME and given.get(name) is None]
    found = {option.name: _first(option.env, environ) for option in wanted if not option.credential}
    credentials = [option for option in wanted if option.credential]
    if credentials:
        kinds = _credential_kinds({**found, **given}, environ)
        found.update({option.name: _first(option.env, environ) for option in credentials if option.credential in kinds})
    return {name: _from_text(BY_NAME[name], value) for name, value in found.items() if value}


def _credential_kinds(given: Mapping[str, Any], environ: Mapping[str, str]) -> frozenset[str | None]:
    """Return the kinds of credential that the environment may complete."""
    if (given.get("auth_method") or "auto") != "auto":
        return frozenset({given["auth_method"]})
    kinds = {option.credential for option in CREDENTIAL_OPTIONS if given.get(option.name) is not None}
    kinds = kinds or {option.credential for option in CREDENTIAL_OPTIONS if environ.get(option.own_env)}
    kinds = kinds or {option.credential for option in CREDENTIAL_OPTIONS if environ.get(option.azure_env or "")}
    return frozenset(kinds)


def _first(names: Iterable[str], environ: Mapping[str, str]) -> str:
    return next((environ[name] for name in names if environ.get(name)), "")


def _from_text(option: Option, text: str) -> Any:
    """Return the value of an option from the text of a variable, as far as Ansible would not convert it alike."""
    if option.name == "client_assertion_command":
        try:
            return shlex.split(text)
        except ValueError as exc:
            raise OptionError(
                f"{option.own_env} is no command: {str(exc).lower()}.", next_step="Write it as in a shell, each quotation closed."
            ) from exc
    if option.type == "path":
        return os.path.expanduser(os.path.expandvars(text))
    return text


def complete_credential(params: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the validated `params` with the credential that the environment adds to them.

    For a module, whose argument spec has taken all other options from the environment already.
    """
    names = [option.name for option in CREDENTIAL_OPTIONS if option.name in params]
    return {**params, **environment_options(params, names, environ)} if names else dict(params)


def refused_secrets(params: Mapping[str, Any]) -> set[str]:
    """Return the values given as `client_secret` that are too short to be one, see `ClientSecret.validate()`.

    Masking such a value would mask its letters wherever they stand, in the sentence that refuses it too. So it is not
    masked, and `shown_options()` keeps it out of what is shown.
    """
    values = {str(entry.get("client_secret") or "") for entry in _credential_entries(params)}
    return {value for value in values if 0 < len(value) < SHORTEST_SECRET}


# So many entries of `tenants` are shown among the options of a task.
_MOST_SHOWN = 100


def shown_options(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as a result may show them before secrets are masked: without those of `refused_secrets()`.

    Of a long list of tenants the beginning is shown. Ansible keeps a result several times over, and a task says in `tenants` anyway
    what became of each.
    """
    shown = dict(params)
    tenants = shown.get("tenants")
    if isinstance(tenants, list) and len(tenants) > _MOST_SHOWN:
        shown["tenants"] = [*tenants[:_MOST_SHOWN], f"and {len(tenants) - _MOST_SHOWN} more"]
    if not refused_secrets(params):
        return shown
    shown = copy.deepcopy(shown)
    for entry in _credential_entries(shown):
        if entry.get("client_secret"):
            entry["client_secret"] = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"  # noqa: S105 - Ansible's own word for it
    return shown


def _credential_entries(params: Mapping[str, Any]) -> list[Any]:
    """Return the task's own options and its further credentials; what was not validated may be anything."""
    further = params.get("credentials")
    return [params, *(entry for entry in further if isinstance(entry, dict))] if isinstance(further, list) else [params]


def secrets_in(params: Mapping[str, Any]) -> set[str]:
    """Return the values of the shared options that must never be shown, passwords within URLs included."""
    secrets: set[str] = set()
    for entry in (params, *_tenant_entries(params)):
        secrets |= {str(entry[option.name]) for option in OPTIONS if option.no_log and entry.get(option.name)}
        for name in _URL_OPTIONS:
            secrets |= _passwords_in(str(entry.get(name) or ""))
    return secrets


def _tenant_entries(params: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the entries of `tenants`, which Ansible does not look into: they may hold a URL, or by mistake a credential."""
    tenants = params.get("tenants")
    return [entry for entry in tenants if isinstance(entry, Mapping)] if isinstance(tenants, list) else []


def _passwords_in(url: str) -> set[str]:
    """Return how the password in a URL may be shown; also of one that no URL can hold, such as a slash that is not encoded."""
    before, mark, after = url.partition("//")
    user, separator, password = (after if mark else before).rpartition("@")[0].partition(":")
    return {password, unquote(password), f"{user}:{password}"} if separator and password else set()
