# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""What the operations that write incidents and alerts share: their options, the outcome of each object, and the diff."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._core.errors import OptionError
from .._core.incidents.changes import TAGS_MODES, Wanted, wanted_state
from .._core.incidents.editor import Editor, Progress
from .._core.incidents.times import instant_option, now_text
from ._task import Outcome, Task

Wish = tuple[str, Wanted]

STATE_OPTIONS: dict[str, dict[str, Any]] = {
    "status": {"type": "str"},
    "assigned_to": {"type": "str"},
    "classification": {"type": "str"},
    "determination": {"type": "str"},
    "comment": {"type": "str"},
    "if_unchanged_since": {"type": "str"},
}
TAG_OPTIONS: dict[str, dict[str, Any]] = {"tags": {"type": "list", "elements": "str"}}


@dataclass(frozen=True)
class Kind:
    """One kind of object.

    :param noun: `incident` or `alert`; with an s, and with `_id` and `_ids`, the names of options and return values.
    :param statuses: what `status` can be set to, members of `status_enum`.
    :param checked_id: returns an id that can be one of such an object; raises `OptionError`.
    :param tagged: whether such objects have tags that can be written.
    """

    noun: str
    status_enum: str
    statuses: tuple[str, ...]
    checked_id: Callable[[str], str]
    tagged: bool

    @property
    def plural(self) -> str:
        """The noun for several."""
        return f"{self.noun}s"

    @property
    def id_option(self) -> str:
        """The name of the option, and of the return value, with an id."""
        return f"{self.noun}_id"

    def argument_spec(self) -> dict[str, dict[str, Any]]:
        """Return the argument spec of the options that say what is brought to which state."""
        own = {**STATE_OPTIONS, **(TAG_OPTIONS if self.tagged else {})}
        mode = {"type": "str", "choices": list(TAGS_MODES)}
        entry = {self.id_option: {"type": "str", "required": True}, **own, **({"tags_mode": mode} if self.tagged else {})}
        return {
            self.id_option: {"type": "str"},
            f"{self.id_option}s": {"type": "list", "elements": "str"},
            self.plural: {"type": "list", "elements": "dict", "options": entry},
            **own,
            **({"tags_mode": {**mode, "default": "add"}} if self.tagged else {}),
        }

    def alternatives(self) -> tuple[tuple[str, ...], ...]:
        """Return the options of which one, and only one, says which objects are meant."""
        return ((self.id_option, f"{self.id_option}s", self.plural),)

    def wishes(self, params: Mapping[str, Any]) -> list[Wish]:
        """Return the ids with the state that each is to have; an entry's values come before the task's.

        :raises OptionError: for ids and values that cannot be right, before any request is made.
        """
        now = now_text()
        entries: Iterable[Mapping[str, Any]] = params[self.plural] or (
            {self.id_option: object_id} for object_id in params[f"{self.id_option}s"] or [params[self.id_option]] if object_id is not None
        )
        wishes: dict[str, Wanted] = {}
        for entry in entries:
            object_id = self.checked_id(entry[self.id_option])
            if object_id in wishes:
                raise OptionError(f"The {self.noun} {object_id} is named twice.", next_step="Keep one of them.")
            wishes[object_id] = self._wanted({**params, **{name: value for name, value in entry.items() if value is not None}}, now)
            if wishes[object_id].is_empty:
                raise OptionError(
                    f"Nothing is wanted of the {self.noun} {object_id}.",
                    next_step=f"Set one of: {', '.join(name for name in self.argument_spec() if name in (*STATE_OPTIONS, *TAG_OPTIONS))}.",
                )
        return list(wishes.items())

    def _wanted(self, options: Mapping[str, Any], now: str) -> Wanted:
        since = options["if_unchanged_since"]
        return wanted_state(
            options,
            statuses=self.statuses,
            status_enum=self.status_enum,
            unchanged_since=instant_option("if_unchanged_since", since, now=now) if since else None,
        )


def bring(task: Task, kind: Kind, editor: Editor, wishes: Sequence[Wish], *, facts: Mapping[str, Any]) -> Outcome:
    """Bring objects to their states and return what became of each.

    :param facts: what the result says besides.
    """
    done = editor.bring_all(wishes)
    failed = [progress for progress in done if progress.error is not None]
    states = dict(wishes)
    result: dict[str, Any] = {
        **facts,
        "consent_state": next((progress.error.state for progress in failed if progress.error and progress.error.state), None)
        or ("ready" if any(progress.before for progress in done) else None),
        kind.plural: [_entry(kind, progress) for progress in done],
        "summary": {
            "total": len(done),
            **{outcome: sum(progress.outcome == outcome for progress in done) for outcome in ("changed", "unchanged", "failed")},
        },
        "requests": editor.writer.client.requests_sent,
    }
    if task.params[kind.id_option] is not None:
        result[kind.noun] = done[0].after
    if failed:
        result["msg"] = failed[0].message if len(done) == 1 else _some_failed(kind, failed, len(done))
        result["error"] = failed[0].error.as_dict() if failed[0].error else None
    changed = [progress for progress in done if progress.written]
    diff = {side: {progress.asked_id: _view(progress, side, states) for progress in changed} for side in ("before", "after")}
    return Outcome(result, changed=bool(changed), diff=diff, failed=bool(failed))


def _entry(kind: Kind, progress: Progress) -> dict[str, Any]:
    found = progress.before["id"] if progress.before else None
    entry: dict[str, Any] = {
        kind.id_option: progress.asked_id,
        "outcome": progress.outcome,
        "written": progress.written,
        "redirected_to": found if found != progress.asked_id else None,
        kind.noun: progress.after,
    }
    if progress.error is not None:
        entry.update(msg=progress.message, error=progress.error.as_dict())
    return entry


def _view(progress: Progress, side: str, states: Mapping[str, Wanted]) -> dict[str, Any]:
    """Return the members that are managed, as they were before or are after."""
    found = (progress.before if side == "before" else progress.after) or {}
    wanted = states[progress.asked_id]
    managed = {
        "status": wanted.status is not None,
        "assigned_to": wanted.assigned_to is not None,
        "classification": wanted.classification is not None or wanted.determination is not None,
        "determination": wanted.classification is not None or wanted.determination is not None,
        "custom_tags": wanted.tags is not None,
    }
    view = {name: found[name] for name, is_managed in managed.items() if is_managed}
    if wanted.comment is not None:
        view["comments"] = [comment["comment"] for comment in found["comments"]]
    return view


def _some_failed(kind: Kind, failed: Sequence[Progress], total: int) -> str:
    first = failed[0]
    return f"{len(failed)} of {total} {kind.plural} failed. The first: {kind.noun} {first.asked_id}: {first.message}"
