# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Delivers a batch of incidents to a file that grows, to a directory of records, or to a webhook."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ansible.module_utils.common.text.formatters import human_to_bytes

from .._argspec import shared_options
from .._core.delivery.batch import Batch, Delivered
from .._core.delivery.durable import file_mode
from .._core.delivery.growing_file import GrowingFile, Rotation, Span
from .._core.delivery.record_directory import RecordDirectory
from .._core.delivery.webhook import Webhook
from .._core.errors import OptionError
from ._session import transport_of
from ._task import Operation, Outcome, Task

SINKS = ("file", "directory", "webhook")

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "src": {"type": "path", "required": True},
    "file": {
        "type": "dict",
        "options": {
            "path": {"type": "path", "required": True},
            "max_size": {"type": "str"},
            "daily": {"type": "bool", "default": False},
            "keep": {"type": "int", "default": 0},
            "mode": {"type": "str", "default": "0600"},
        },
    },
    "directory": {
        "type": "dict",
        "options": {
            "path": {"type": "path", "required": True},
            "mode": {"type": "str", "default": "0600"},
        },
    },
    "webhook": {
        "type": "dict",
        "options": {
            "url": {"type": "str", "required": True, "no_log": True},
            "authorization": {"type": "str", "no_log": True},
            "headers": {"type": "dict", "no_log": True},
            "ca_path": {"type": "path"},
        },
    },
    "cursor": {"type": "dict"},
    "next_cursor": {"type": "dict"},
}


@dataclass(frozen=True)
class _Sink:
    """One place to deliver to.

    :param place: what it is called in results.
    :param deliver: delivers the batch, or in a dry run tells what it would do.
    :param more: what its result says besides, after the delivery.
    """

    place: str
    deliver: Callable[[Batch, bool], Delivered]
    more: Callable[[], dict[str, Any]] = dict


def run(task: Task) -> Outcome:
    """Run the operation `m365d_incident_sink`."""
    batch = Batch(task.params["src"])
    sink = _sink(task.params)
    tenants: set[str] = set()
    count = 0
    for entry in batch:
        tenants.add(entry.version[0])
        count += 1
    report = sink.deliver(batch, task.check_mode)
    result: dict[str, Any] = {
        "place": sink.place,
        "tenant_ids": sorted(tenants),
        "count": count,
        "delivered": report.versions,
        "known": report.known,
        "outdated": report.outdated,
        **sink.more(),
    }
    if len(tenants) == 1:
        result["tenant_id"] = next(iter(tenants))
    return Outcome(result, changed=report.versions > 0, diff=_diff(sink.place, report))


def _sink(params: Mapping[str, Any]) -> _Sink:
    """Return the sink that the options describe.

    :raises OptionError: for options that make no sense.
    """
    if params["file"]:
        return _file(params["file"], Span(before=params["cursor"], after=params["next_cursor"]))
    if params["directory"]:
        options = params["directory"]
        directory = RecordDirectory(options["path"], mode=file_mode("directory.mode", options["mode"]))
        return _Sink(options["path"], lambda batch, dry_run: directory.deliver(batch, dry_run=dry_run))
    return _webhook(params["webhook"], params)


def _file(options: Mapping[str, Any], span: Span) -> _Sink:
    keep = options["keep"]
    if keep < 0:
        raise OptionError(f"file.keep must not be less than 0; got {keep}.", next_step="Correct it, or leave it out to keep all.")
    rotation = Rotation(max_bytes=_size(options["max_size"]), daily=options["daily"], keep=keep or None)
    mode = file_mode("file.mode", options["mode"])
    file = GrowingFile(options["path"], rotation=rotation, mode=mode, now=datetime.now(timezone.utc))
    return _Sink(
        options["path"], lambda batch, dry_run: file.deliver(batch, span, dry_run=dry_run), lambda: {"rotated": list(file.rotated)}
    )


def _size(text: str | None) -> int | None:
    """Return the bytes of a size such as 100M, None where there is none."""
    if not text:
        return None
    try:
        size = int(human_to_bytes(text))
    except ValueError:
        size = 0
    if size < 1:
        raise OptionError(f"file.max_size is no size: '{text}'.", next_step="Give bytes, or a number with K, M or G, such as 100M.")
    return size


def _webhook(options: Mapping[str, Any], params: Mapping[str, Any]) -> _Sink:
    headers = {str(name): str(value) for name, value in (options["headers"] or {}).items()}
    if options["authorization"]:
        if any(name.lower() == "authorization" for name in headers):
            raise OptionError("webhook.headers holds Authorization beside webhook.authorization.", next_step="Leave one of them out.")
        headers["Authorization"] = options["authorization"]
    transport = transport_of({**params, "ca_path": options["ca_path"] or params["ca_path"]})
    webhook = Webhook(transport, url=options["url"], headers=headers)
    return _Sink(webhook.origin, lambda batch, dry_run: webhook.deliver(batch, dry_run=dry_run))


def _diff(place: str, report: Delivered) -> dict[str, Any]:
    """Return what was delivered, one line for each version; of many, the first."""
    lines = list(report.named)
    if report.versions > len(lines):
        lines.append(f"and {report.versions - len(lines)} more")
    return {"before_header": place, "after_header": place, "before": "", "after": "".join(f"{line}\n" for line in lines)}


OPERATION = Operation(
    run=run,
    argument_spec={**shared_options(), **ARGUMENT_SPEC},
    required_one_of=(SINKS,),
    mutually_exclusive=(SINKS,),
)
