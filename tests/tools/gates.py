# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gates: what each runs, where, in which environment, and how its outcome is counted.

The table at the end is the only list of them; ``run_gates.py`` runs it and ``make help`` points at it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from environments import CACHE, COLLECTIONS, ROOT, binary, environment_path, python_version
from working_copy import collections_path, make_copy

LOGS = ROOT / "build" / "test"

# A developer's own settings must not decide a test's outcome, and a developer's own credentials must not reach one.
DROPPED_PREFIXES = ("ANSIBLE_", "AZURE_", "M365D_", "MOLECULE_", "GALAXY_", "COVERAGE_", "PYTEST_")
DROPPED_NAMES = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "MYPYPATH")
# Tests share nothing between workers; the machine that counts has two cores.
TWO_WORKERS = ("--numprocesses", "2")
LOOPBACK = "localhost,127.0.0.1,::1"
# Per cent of the statements and branches of the package that handles credentials and tokens.
IDENTITY_COVERAGE = 95


class GateError(Exception):
    """A gate fails before it ran a command; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How many checks passed, failed and were skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(passed=self.passed + other.passed, failed=self.failed + other.failed, skipped=self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One command of a gate."""

    command: tuple[str, ...]
    cwd: Path = ROOT
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A named check.

    ``steps`` is called when the gate starts, so that a copy of the checkout is made then; ``count`` gets the log's text and whether
    every step ended with 0. The programs of ``environments`` are on the PATH in that order;
    those that ``witnesses`` names are made too, and found by the tests themselves;
    ``roots`` names directories of virtual environments instead. Lines that match ``noise`` are not shown when the gate fails.
    """

    name: str
    steps: Callable[[], list[Step]]
    environments: tuple[str, ...] = ("dev",)
    witnesses: tuple[str, ...] = ()
    roots: tuple[Path, ...] = ()
    count: Callable[[str, bool], Counts] = lambda _output, ok: Counts(passed=int(ok), failed=int(not ok))
    summary: Callable[[str], str] = lambda _output: ""
    noise: str = ""

    def paths(self) -> list[Path]:
        """The virtual environments of the gate, the first one first on the PATH."""
        return list(self.roots) or [environment_path(name) for name in self.environments]


def _runs(python: Path) -> bool:
    try:
        return subprocess.run([python, "-c", ""], stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False).returncode == 0
    except OSError:
        return False


@cache
def usable_path() -> str:
    """PATH without the directories that offer a Python which does not run.

    Version managers put launchers on the PATH for interpreters that are not there (they end with 127); ansible-test and others
    take a Python's mere existence for an offer.
    """
    kept = []
    for directory in os.environ.get("PATH", os.defpath).split(os.pathsep):
        pythons = sorted(Path(directory or ".").glob("python3.*"))
        if all(_runs(python) for python in pythons if re.fullmatch(r"python3\.\d+", python.name) and os.access(python, os.X_OK)):
            kept.append(directory)
    return os.pathsep.join(kept)


def gate_environment(roots: Sequence[Path], extra: Mapping[str, str]) -> dict[str, str]:
    """The process environment of a gate: the caller's, cleaned, with the gate's virtual environments first on the PATH."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(DROPPED_PREFIXES) and key not in DROPPED_NAMES}
    env.update(
        {
            "VIRTUAL_ENV": str(roots[0]),
            "PATH": os.pathsep.join([*(str(root / "bin") for root in roots), usable_path()]),
            "ANSIBLE_HOME": str(CACHE / "ansible-home"),
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_NOCOLOR": "1",
            "NO_COLOR": "1",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
    )
    env.setdefault("LC_ALL", "C.UTF-8")
    for name in ("NO_PROXY", "no_proxy"):
        env[name] = ",".join(part for part in (env.get(name), LOOPBACK) if part)
    env.update(extra)
    return env


# --- pytest ----------------------------------------------------------------------------------------------------------------------------


def pytest_steps(name: str, *arguments: str, python: str | None = None) -> list[Step]:
    """One pytest run whose outcome ``count_pytest(name)`` reads."""
    report = LOGS / f"{name}.xml"
    report.unlink(missing_ok=True)
    options = ("-q", f"--junitxml={report}", "-p", "no:cacheprovider")
    return [
        Step(
            command=(python or binary("dev", "python"), "-m", "pytest", *arguments, *options),
            env={"COVERAGE_FILE": str(LOGS / f"{name}.coverage")},
        )
    ]


def count_pytest(name: str) -> Callable[[str, bool], Counts]:
    """How to count the pytest run ``name``: by its own report."""

    def count(_output: str, ok: bool) -> Counts:
        report = LOGS / f"{name}.xml"
        if not report.is_file():
            return Counts(failed=1)
        # The report was written a moment ago by our own pytest.
        suites = list(ElementTree.parse(report).getroot().iter("testsuite"))  # noqa: S314
        number = {key: sum(int(suite.get(key, "0")) for suite in suites) for key in ("tests", "failures", "errors", "skipped")}
        failed = number["failures"] + number["errors"]
        passed = max(number["tests"] - failed - number["skipped"], 0)
        # pytest can fail without a failed test: nothing collected, an internal error, a usage error
        return Counts(passed=passed, failed=failed or int(not ok), skipped=number["skipped"])

    return count


def _coverage(output: str) -> str:
    match = re.search(r"^TOTAL\s.*?(\d+(?:\.\d+)?%)\s*$", output, re.MULTILINE)
    return f"coverage {match.group(1)}" if match else ""


def unit_steps() -> list[Step]:
    """Unit tests with coverage of what the collection and the emulator hold; what handles tokens and secrets has to be covered whole."""
    coverage = ("--cov=plugins", "--cov=tests/emulator", "--cov-branch", "--cov-report=term", f"--cov-report=html:{LOGS / 'coverage'}")
    steps = pytest_steps("unit", "tests/unit", *TWO_WORKERS, *coverage)
    # Of branches, not of lines alone; over all files of the package together.
    demand = ("--include", "*/_core/identity/*", "--fail-under", str(IDENTITY_COVERAGE))
    return [*steps, Step(command=(binary("dev", "python"), "-m", "coverage", "report", *demand), env=steps[0].env)]


def unit_fast_steps() -> list[Step]:
    """Unit tests of the inner loop: no coverage, no slow ones."""
    return pytest_steps("unit-fast", "tests/unit", *TWO_WORKERS, "-m", "not slow")


def integration_steps() -> list[Step]:
    """Real ansible-playbook runs against the emulator; each worker has an emulator, and a file's tests stay together."""
    return pytest_steps("integration", "tests/integration", *TWO_WORKERS, "--dist", "loadfile", "--durations=15")


# --- static checks ---------------------------------------------------------------------------------------------------------------------


def mypy_steps() -> list[Step]:
    """Strict types: module_utils under the name Ansible imports them by, and the emulator as the tests import it."""
    common = (binary("dev", "mypy"), "--strict", "--config-file", str(ROOT / "pyproject.toml"))
    return [
        Step(
            command=(*common, "--cache-dir", str(CACHE / "mypy"), "ansible_collections/m365d/partner/plugins/module_utils"),
            cwd=COLLECTIONS,
            env={"MYPYPATH": str(COLLECTIONS)},
        ),
        Step(command=(*common, "--cache-dir", str(CACHE / "mypy-emulator"), "-p", "emulator"), env={"MYPYPATH": str(ROOT / "tests")}),
    ]


def ruff_steps() -> list[Step]:
    """Lint of all Python."""
    return [Step(command=(binary("dev", "ruff"), "check", "--output-format", "concise", "--cache-dir", str(CACHE / "ruff"), "."))]


def doc_drift_steps() -> list[Step]:
    """The documentation fragments say what the option table says."""
    return [Step(command=(binary("dev", "python"), "tests/tools/update_doc_fragments.py", "--check"))]


# --- Ansible's own checks --------------------------------------------------------------------------------------------------------------


def sanity_steps() -> list[Step]:
    """All sanity tests of ansible-test, in its own virtual environments.

    :raises GateError: when findings are waved through; this collection has no ignore entries.
    """
    ignores = [path.name for path in sorted((ROOT / "tests" / "sanity").glob("ignore*")) if path.read_text(encoding="utf-8").strip()]
    if ignores:
        raise GateError(f"tests/sanity holds ignore entries ({', '.join(ignores)}): cure what they hide")
    copy = make_copy("sanity")
    home = CACHE / "sanity-home"
    return [
        Step(command=(binary("dev", "python"), str(ROOT / "tests/tools/get_pip_stand_in.py"), str(home))),
        Step(
            command=(binary("dev", "ansible-test"), "sanity", "--venv", "--python", python_version(), "--color", "no"),
            cwd=copy,
            env={"HOME": str(home)},
        ),
    ]


def _count_sanity(output: str, ok: bool) -> Counts:
    """One per sanity test; those that ansible-test says it skipped for want of something are counted as skipped."""
    run = set(re.findall(r'^Running sanity test "([^"\n]+)"', output, re.MULTILINE))
    skipped = set(re.findall(r'^WARNING: Skipping sanity test "([^"\n]+)"', output, re.MULTILINE))
    match = re.search(r"The (\d+) sanity test\(s\) listed below", output)
    # A run without a single test is a failure of the gate, whatever it ended with.
    failed = int(match.group(1)) if match else int(not ok or not run)
    return Counts(passed=max(len(run - skipped) - failed, 0), failed=failed, skipped=len(skipped))


def lint_steps() -> list[Step]:
    """ansible-lint, production profile, over everything that is YAML."""
    copy = make_copy("lint")
    return [
        Step(
            command=(binary("tools", "ansible-lint"), "--offline", "--nocolor", "--profile", "production"),
            cwd=copy,
            env={"ANSIBLE_COLLECTIONS_PATH": str(collections_path(copy))},
        )
    ]


def build_steps() -> list[Step]:
    """The tarball that would be published, in build/dist."""
    copy = make_copy("build")
    return [
        Step(
            command=(binary("tools", "ansible-galaxy"), "collection", "build", "--force", "--output-path", str(ROOT / "build" / "dist")),
            cwd=copy,
        )
    ]


def importer_steps() -> list[Step]:
    """Galaxy's own check of the built tarball."""
    work = CACHE / "importer"
    work.mkdir(parents=True, exist_ok=True)
    config = work / "galaxy-importer.cfg"
    # Its ansible-test wants a container engine; that job is done by the sanity gate.
    settings = ("LOG_LEVEL_MAIN = INFO", "RUN_ANSIBLE_DOC = True", "RUN_ANSIBLE_LINT = True", "RUN_ANSIBLE_TEST = False")
    config.write_text("\n".join(["[galaxy-importer]", *settings, ""]), encoding="utf-8")
    version = re.search(r"^version: *(\S+)", (ROOT / "galaxy.yml").read_text(encoding="utf-8"), re.MULTILINE)
    tarball = ROOT / "build" / "dist" / f"m365d-partner-{version.group(1) if version else ''}.tar.gz"
    return [
        *build_steps(),
        Step(
            command=(binary("importer", "python"), "-m", "galaxy_importer.main", str(tarball)),
            cwd=work,
            env={"GALAXY_IMPORTER_CONFIG": str(config)},
        ),
    ]


def docs_lint_steps() -> list[Step]:
    """The documentation of the collection, its plugins and roles, as antsibull-docs reads it."""
    copy = make_copy("docs")
    command = (
        binary("tools", "antsibull-docs"),
        "lint-collection-docs",
        "--plugin-docs",
        "--validate-collection-refs",
        "dependent",
        "--disallow-unknown-collection-refs",
        ".",
    )
    return [Step(command=command, cwd=copy, env={"ANSIBLE_COLLECTIONS_PATH": str(collections_path(copy))})]


def docs_site_steps() -> list[Step]:
    """The documentation as a web site, in build/docs."""
    copy = make_copy("docs-site")
    site = CACHE / "docs-site"
    shutil.rmtree(site, ignore_errors=True)
    # antsibull-docs wants a directory that nobody else can write to
    (site / "rst").mkdir(parents=True, mode=0o755)
    antsibull, title = binary("tools", "antsibull-docs"), "m365d.partner"
    layout = ("--use-current", "--squash-hierarchy", "--fail-on-error")
    named = ("--project", title, "--title", title, "--html-short-title", title, "--copyright", "m365d.partner contributors")
    # Where the network is closed, references to Ansible's own documentation stay unlinked.
    lenient = ("--lenient",)
    env = {"ANSIBLE_COLLECTIONS_PATH": str(collections_path(copy))}
    return [
        Step(command=(antsibull, "sphinx-init", *layout, *lenient, *named, "--dest-dir", str(site), "m365d.partner"), env=env),
        Step(
            command=(antsibull, "--config-file", "antsibull-docs.cfg", "collection", *layout, "--dest-dir", "rst", "m365d.partner"),
            cwd=site,
            env=env,
        ),
        Step(
            command=(binary("tools", "sphinx-build"), "-q", "-b", "html", "-c", ".", "rst", str(ROOT / "build" / "docs")), cwd=site, env=env
        ),
    ]


def changelog_steps() -> list[Step]:
    """Changelog fragments are well-formed."""
    return [Step(command=(binary("tools", "antsibull-changelog"), "lint"), cwd=make_copy("changelog"))]


def reuse_steps() -> list[Step]:
    """Every file says whose it is and under which licence."""
    return [Step(command=(binary("tools", "reuse"), "lint"), cwd=make_copy("reuse"))]


def builder_steps() -> list[Step]:
    """ansible-builder finds the collection's requirements and accepts an execution environment made with them.

    It only writes the build context; no container engine is needed for that.
    """
    copy = make_copy("builder")
    builder = binary("tools", "ansible-builder")
    return [
        Step(command=(builder, "introspect", str(collections_path(copy))), cwd=copy),
        Step(command=(builder, "create", "--context", str(ROOT / "build" / "execution-environment")), cwd=copy / "tests" / "ee"),
    ]


def _count_builder(output: str, ok: bool) -> Counts:
    # A file that the definition names and that is not there is no error to ansible-builder, but makes an image without it.
    complete = ok and "No matches for" not in output
    return Counts(passed=int(complete), failed=int(not complete))


def molecule_steps() -> list[Step]:
    """The molecule scenario against the emulator."""
    copy = make_copy("molecule")
    home = CACHE / "molecule-home"
    home.mkdir(parents=True, exist_ok=True)
    # Molecule remembers what it prepared, also of a run that was cut short; this run prepares for itself.
    state = CACHE / "molecule-state"
    shutil.rmtree(state, ignore_errors=True)
    return [
        Step(
            command=(binary("tools", "molecule"), "test", "--scenario-name", "default"),
            cwd=copy / "extensions",
            env={
                "HOME": str(home),
                "MOLECULE_EPHEMERAL_DIRECTORY": str(state),
                "ANSIBLE_COLLECTIONS_PATH": str(collections_path(copy)),
                "M365D_EMULATOR_PYTHON": binary("dev", "python"),
                "M365D_EMULATOR_SOURCE": str(copy / "tests"),
            },
        )
    ]


# What pip says while ansible-test fills its virtual environments
PIP_NOISE = r"^(Collecting|Installing|Successfully installed|Looking in|Using cached| +(Downloading|Using cached|━))"

# Long ones first: with two at a time that keeps both cores busy until the end.
GATES: tuple[Gate, ...] = (
    Gate(name="integration", steps=integration_steps, witnesses=("azure-cli", "recipes"), count=count_pytest("integration")),
    # ansible-test looks for shellcheck on the PATH; it is in the environment of the tools.
    Gate(name="sanity", steps=sanity_steps, environments=("dev", "tools"), count=_count_sanity, noise=PIP_NOISE),
    Gate(name="unit", steps=unit_steps, count=count_pytest("unit"), summary=_coverage),
    Gate(name="molecule", steps=molecule_steps, environments=("tools", "dev")),
    Gate(name="galaxy-importer", steps=importer_steps, environments=("importer", "tools")),
    Gate(name="ansible-lint", steps=lint_steps, environments=("tools",)),
    Gate(name="antsibull-docs", steps=docs_lint_steps, environments=("tools",)),
    Gate(name="mypy", steps=mypy_steps),
    Gate(name="ruff", steps=ruff_steps),
    Gate(name="doc-drift", steps=doc_drift_steps),
    Gate(name="changelog", steps=changelog_steps, environments=("tools",)),
    Gate(name="reuse", steps=reuse_steps, environments=("tools",)),
    Gate(name="execution-environment", steps=builder_steps, environments=("tools",), count=_count_builder),
)

# Not part of ``make test``: what other targets ask for by name.
EXTRA_GATES: tuple[Gate, ...] = (
    Gate(name="unit-fast", steps=unit_fast_steps, count=count_pytest("unit-fast")),
    Gate(name="build", steps=build_steps, environments=("tools",)),
    Gate(name="docs", steps=docs_site_steps, environments=("tools",)),
)
