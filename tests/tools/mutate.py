# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change one file of the collection in one place at a time, and see whether its tests notice.

A change that no test notices (a surviving mutant) is a rule that nobody checks, or one that makes no difference. It is
a tool for whoever works on such a file, not a gate: a run takes minutes. The findings stand in `tests/unit/identity/MUTATION.md`.

    python tests/tools/mutate.py plugins/module_utils/_core/identity/contract.py tests/unit/identity/test_contract.py

Each mutant runs in a fork of this process, which has the libraries loaded already.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import os
import signal
import sys
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PREFIX = "ansible_collections.m365d.partner."

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what a node may be replaced with."""
    if isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            changed = copy.deepcopy(node)
            changed.ops[index] = _COMPARISONS[type(operator)]()
            yield changed
    elif isinstance(node, ast.BoolOp):
        changed_bool = copy.deepcopy(node)
        changed_bool.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield changed_bool
        for index in range(len(node.values)):
            rest = [copy.deepcopy(value) for position, value in enumerate(node.values) if position != index]
            yield rest[0] if len(rest) == 1 else ast.BoolOp(op=copy.deepcopy(node.op), values=rest)
    elif isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        changed_binary = copy.deepcopy(node)
        changed_binary.op = _OPERATORS[type(node.op)]()
        yield changed_binary
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield copy.deepcopy(node.operand)
    elif isinstance(node, ast.IfExp):
        yield copy.deepcopy(node.body)
        yield copy.deepcopy(node.orelse)
    elif isinstance(node, ast.Constant):
        yield from (ast.Constant(value) for value in _other_values(node.value))
    elif isinstance(node, ast.If):
        for test in (True, False):
            changed_if = copy.deepcopy(node)
            changed_if.test = ast.Constant(test)
            yield changed_if
    elif isinstance(node, (ast.Expr, ast.AugAssign, ast.Raise)) and not isinstance(getattr(node, "value", None), ast.Constant):
        yield ast.Pass()


def _other_values(value: object) -> Iterator[Any]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, (int, float)):
        yield value + 1
    elif isinstance(value, str) and value:
        yield value + "X"


def _untouched(tree: ast.AST) -> set[int]:
    """Return the ids of nodes that say nothing about behaviour: docstrings, annotations, messages for people."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        parts: list[ast.AST] = []
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            parts.append(node)
        if isinstance(node, (ast.AnnAssign, ast.arg)) and node.annotation:
            parts.append(node.annotation)
        if isinstance(node, ast.FunctionDef) and node.returns:
            parts.append(node.returns)
        if isinstance(node, ast.JoinedStr):
            parts.append(node)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and (" " in node.value or node.value.endswith(".")):
            parts.append(node)
        skipped.update(id(inner) for part in parts for inner in ast.walk(part))
    return skipped


def mutants(source: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, description and source of every mutant."""
    tree = ast.parse(source)
    skipped = _untouched(tree)
    for node in list(ast.walk(tree)):
        if id(node) in skipped:
            continue
        for name, value in list(ast.iter_fields(node)):
            targets: list[Any] = value if isinstance(value, list) else [value]
            for index, child in enumerate(targets):
                if not isinstance(child, ast.AST) or id(child) in skipped:
                    continue
                for changed in _changes(child):
                    if isinstance(value, list):
                        value[index] = changed
                    else:
                        setattr(node, name, changed)
                    text = ast.unparse(ast.fix_missing_locations(copy.deepcopy(tree)))
                    described = f"{ast.unparse(child).splitlines()[0]} -> {ast.unparse(ast.fix_missing_locations(changed)).splitlines()[0]}"
                    yield getattr(child, "lineno", 0), described, text
                    if isinstance(value, list):
                        value[index] = child
                    else:
                        setattr(node, name, child)


class _Replacement(MetaPathFinder, SourceFileLoader):
    """Imports one module from other source than its file."""

    def __init__(self, module: str, path: str, source: str) -> None:
        SourceFileLoader.__init__(self, module, path)
        self._module, self._source = module, source

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname != self._module:
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None:
            spec.loader = self
        return spec

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._source, self.path, "exec")


def is_noticed(module: str, path: Path, source: str, tests: list[str], *, limit: int) -> bool:
    """Run the tests over a mutant in a fork; return whether one of them failed."""
    child = os.fork()
    if child == 0:
        os.setsid()
        signal.alarm(limit)  # a mutant that never ends is noticed too
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        sys.meta_path.insert(0, _Replacement(module, str(path), source))
        import pytest

        os._exit(int(pytest.main([*tests, "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly"])))
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # processes that its tests started
    return status != 0


def _preload() -> None:
    """Import what every mutant needs and none changes, so that forks share it."""
    sys.path[:0] = [str(ROOT / "build" / "collections"), str(ROOT / "tests")]
    __import__("hypothesis")
    __import__("msal")
    __import__("pytest")
    tokens = __import__("unit.identity.tokens", fromlist=["private_key"])
    for name in ("first", "second", "stranger"):
        tokens.private_key(name)


def main() -> int:
    """Run all mutants and print those that survive; return 1 where there are any."""
    parser = argparse.ArgumentParser(description="Change a file in one place at a time and see whether its tests notice.")
    parser.add_argument("file", type=Path)
    parser.add_argument("tests", nargs="+")
    parser.add_argument("--only", type=Path, help="the output of an earlier run: try its survivors alone")
    parser.add_argument("--limit", type=int, default=60, help="seconds that the tests of one mutant may take (default: %(default)s)")
    arguments = parser.parse_args()
    path = arguments.file.resolve()
    module = PREFIX + ".".join(path.relative_to(ROOT).with_suffix("").parts)
    _preload()
    survivors, count = [], 0
    wanted = set(arguments.only.read_text(encoding="utf-8").splitlines()) if arguments.only else None
    for line, described, source in mutants(path.read_text(encoding="utf-8")):
        name = f"{path.name}:{line}: {described}"
        if wanted is not None and name not in wanted:
            continue
        count += 1
        if not is_noticed(module, path, source, arguments.tests, limit=arguments.limit):
            survivors.append(name)
            print(name, flush=True)
    print(f"{count} mutants, {len(survivors)} survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
