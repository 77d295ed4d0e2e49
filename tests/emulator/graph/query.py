# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OData query options on lists of plain objects: filter, select, order, page."""

from __future__ import annotations

import base64
import urllib.parse
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from odata_query import ast
from odata_query.exceptions import ODataException
from odata_query.grammar import ODataLexer, ODataParser

from ..errors import ApiError, bad_request
from .access import Access

Object = dict[str, Any]
Predicate = Callable[[Object], bool]
_COMPARE: dict[type, Callable[[Any, Any], bool]] = {
    ast.Eq: lambda left, right: _folded(left) == _folded(right),
    ast.NotEq: lambda left, right: _folded(left) != _folded(right),
    ast.Gt: lambda left, right: left is not None and left > right,
    ast.GtE: lambda left, right: left is not None and left >= right,
    ast.Lt: lambda left, right: left is not None and left < right,
    ast.LtE: lambda left, right: left is not None and left <= right,
}
_ADVANCED = (ast.NotEq, ast.Not)


def _folded(value: Any) -> Any:
    """Directory comparisons of strings ignore case."""
    return value.casefold() if isinstance(value, str) else value


def _unsupported(message: str) -> ApiError:
    return bad_request(message, code="Request_UnsupportedQuery")


def page(access: Access, objects: Iterable[Object], *, fragment: str, filterable: tuple[str, ...], maximum: int = 999) -> Object:
    """One page of a collection with `@odata.nextLink`. Raises ApiError 400 for options the directory refuses."""
    options = access.request.query_params
    known = {"$filter", "$select", "$top", "$skiptoken", "$orderby", "$count", "$expand", "$search", "$format"}
    unknown = [name for name in options if name.startswith("$") and name not in known]
    if unknown:
        raise bad_request(f"The query parameter '{unknown[0]}' is not supported.", code="BadRequest")
    found = list(objects)
    eventual = access.request.headers.get("consistencylevel", "").lower() == "eventual" and options.get("$count", "").lower() == "true"
    if options.get("$filter"):
        predicate = compile_filter(options["$filter"], filterable, eventual)
        found = [one for one in found if predicate(one)]
    if options.get("$search") is not None:
        found = _search(found, options["$search"], eventual)
    if options.get("$orderby"):
        if options.get("$filter") and not eventual:
            raise _unsupported("Sorting not supported for current query.")
        found = _ordered(found, options["$orderby"])
    start, size = _window(access, maximum)
    answer: Object = {"@odata.context": access.context_url(fragment)}
    if options.get("$count", "").lower() == "true":
        answer["@odata.count"] = len(found)
    if start + size < len(found):
        answer["@odata.nextLink"] = _next_link(access, start + size)
    answer["value"] = [select(one, options.get("$select")) for one in found[start : start + size]]
    return answer


def _window(access: Access, maximum: int) -> tuple[int, int]:
    options = access.request.query_params
    try:
        size = int(options.get("$top", access.cloud.settings.directory_page_size))
        token = options.get("$skiptoken", "")
        start = int(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode().removeprefix("RFNwdA")) if token else 0
    except ValueError as exc:
        raise bad_request("Invalid page size or skip token specified.", code="BadRequest") from exc
    if not 1 <= size <= maximum:
        raise bad_request(f"Invalid page size specified: '{size}'. Must be between 1 and {maximum} inclusive.")
    return start, size


def _next_link(access: Access, start: int) -> str:
    """An absolute link with the caller's own options and an opaque token."""
    token = base64.urlsafe_b64encode(f"RFNwdA{start}".encode()).rstrip(b"=").decode()
    kept = [(name, value) for name, value in access.request.query_params.multi_items() if name != "$skiptoken"]
    query = urllib.parse.urlencode([*kept, ("$skiptoken", token)], safe="$", quote_via=urllib.parse.quote)
    return f"{access.cloud.origin}{urllib.parse.quote(access.request.url.path, safe='/()')}?{query}"


def select(one: Object, wanted: str | None) -> Object:
    """Only the members named in `$select`, annotations kept."""
    if not wanted:
        return one
    names = [name.strip() for name in wanted.split(",")]
    if "*" in names:
        return one
    return {name: value for name, value in one.items() if name in names or name.startswith("@")}


def _ordered(found: list[Object], text: str) -> list[Object]:
    for part in reversed(text.split(",")):
        name, _unused, direction = part.strip().partition(" ")
        found = sorted(found, key=lambda one: str(one.get(name) or "").casefold(), reverse=direction.strip().lower() == "desc")
    return found


def _search(found: list[Object], text: str, eventual: bool) -> list[Object]:
    if not eventual:
        raise _unsupported(
            "Request with $search query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'"
        )
    name, _unused, value = text.strip('"').partition(":")
    return [one for one in found if value.casefold() in str(one.get(name) or "").casefold()]


@lru_cache(maxsize=256)
def compile_filter(text: str, filterable: tuple[str, ...], eventual: bool) -> Predicate:
    """A predicate for a `$filter`. Raises ApiError 400."""
    try:
        tree = ODataParser().parse(ODataLexer().tokenize(text.strip()))
    except ODataException as exc:
        raise bad_request(f"Invalid filter clause: {text}", code="BadRequest") from exc
    return _compiled(tree, filterable, eventual)


def _compiled(node: Any, filterable: tuple[str, ...], eventual: bool) -> Predicate:
    if isinstance(node, ast.BoolOp):
        left, right = _compiled(node.left, filterable, eventual), _compiled(node.right, filterable, eventual)
        if isinstance(node.op, ast.And):
            return lambda one: left(one) and right(one)
        return lambda one: left(one) or right(one)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        _demand_eventual(eventual)
        inner = _compiled(node.operand, filterable, eventual)
        return lambda one: not inner(one)
    if isinstance(node, ast.Compare):
        return _comparison(node, filterable, eventual)
    if isinstance(node, ast.Call):
        return _function(node, filterable, eventual)
    if isinstance(node, ast.CollectionLambda):
        return _any(node, filterable, eventual)
    raise bad_request("Invalid filter clause.", code="BadRequest")


def _demand_eventual(eventual: bool) -> None:
    if not eventual:
        raise _unsupported("Operator is not supported without the header 'ConsistencyLevel: eventual' and $count=true.")


def _path(node: Any, filterable: tuple[str, ...]) -> Callable[[Object], Any]:
    """How to read the property a filter names, also `a/b`."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.owner
    if not isinstance(node, ast.Identifier):
        raise bad_request("Invalid filter clause.", code="BadRequest")
    names.insert(0, node.name)
    if "/".join(names) not in filterable and names[0] not in filterable:
        raise _unsupported(f"Unsupported or invalid query filter clause specified for property '{'/'.join(names)}'.")

    def read(one: Object) -> Any:
        value: Any = one
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        return value

    return read


def _value(node: Any) -> Any:
    if isinstance(node, ast.List):
        return [_value(one) for one in node.val]
    if isinstance(node, ast.Boolean):
        return str(node.val).lower() == "true"
    if isinstance(node, ast.Null):
        return None
    if isinstance(node, ast.Integer):
        return int(node.val)
    if isinstance(node, ast.String | ast.GUID | ast.DateTime):
        return node.val
    raise bad_request("Invalid filter clause.", code="BadRequest")


def _comparison(node: ast.Compare, filterable: tuple[str, ...], eventual: bool) -> Predicate:
    read = _path(node.left, filterable)
    if isinstance(node.comparator, ast.In):
        values = [_folded(value) for value in _value(node.right)]
        return lambda one: _folded(read(one)) in values
    if isinstance(node.comparator, ast.NotEq):
        _demand_eventual(eventual)
    compare, value = _COMPARE[type(node.comparator)], _value(node.right)
    return lambda one: compare(read(one), value)


def _function(node: ast.Call, filterable: tuple[str, ...], eventual: bool) -> Predicate:
    name = node.func.name
    if name not in ("startswith", "endswith") or len(node.args) != 2:
        raise _unsupported(f"Unsupported function '{name}' in the filter clause.")
    if name == "endswith":
        _demand_eventual(eventual)
    read, value = _path(node.args[0], filterable), _folded(_value(node.args[1]))
    if name == "startswith":
        return lambda one: str(_folded(read(one)) or "").startswith(value)
    return lambda one: str(_folded(read(one)) or "").endswith(value)


def _any(node: ast.CollectionLambda, filterable: tuple[str, ...], eventual: bool) -> Predicate:
    """`collection/any(x:x eq 'value')` on a list of strings."""
    if not isinstance(node.operator, ast.Any) or node.lambda_ is None:
        raise _unsupported("Only 'any' is supported on collections.")
    read = _path(node.owner, filterable)
    variable = node.lambda_.identifier.name
    inner = _compiled(node.lambda_.expression, (variable,), eventual)
    return lambda one: any(inner({variable: item}) for item in read(one) or ())
