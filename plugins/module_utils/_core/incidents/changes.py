# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""From the state that an object has and the one that it is to have to what has to be written: often nothing.

What both services call differently is equal here, since both sides are in the one schema. The case of an owner's name, the case
and the order of tags, and line ends in comments are no differences.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import OptionError, PartnerError
from .verdicts import check_pair, classification_option, determination_option, member_option

# Members that can be written; an incident becomes redirected by a merge alone, awaitingAction by the service.
INCIDENT_STATUS = ("active", "inProgress", "resolved")
ALERT_STATUS = ("new", "inProgress", "resolved")
TAGS_MODES = ("add", "set", "remove")


class Stale(PartnerError):
    """The object changed after the instant at which the caller knew it."""


class Merged(PartnerError):
    """The incident lives on in another one, which alone can be changed."""


@dataclass(frozen=True)
class Wanted:
    """The state that an incident or an alert is to have, in the one schema; None leaves a member as it is.

    :param assigned_to: the owner; the empty text for nobody.
    :param tags: what `tags_mode` (`add`, `set`, `remove`) does with the tags; None for incidents that keep theirs, and for alerts.
    :param comment: a text that is to be among the comments.
    :param unchanged_since: canonical instant; nothing is written where the object was updated later.
    """

    status: str | None = None
    assigned_to: str | None = None
    classification: str | None = None
    determination: str | None = None
    tags: tuple[str, ...] | None = None
    tags_mode: str = "add"
    comment: str | None = None
    unchanged_since: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is wanted."""
        members = (self.status, self.assigned_to, self.classification, self.determination, self.tags, self.comment)
        return all(member is None for member in members)


@dataclass(frozen=True)
class Change:
    """What has to be written.

    :param members: key of the schema → new value.
    :param comment: the comment to add, or None.
    """

    members: Mapping[str, Any] = field(default_factory=dict)
    comment: str | None = None

    def __bool__(self) -> bool:
        return bool(self.members) or self.comment is not None

    @property
    def names(self) -> list[str]:
        """What is written: keys of the schema."""
        return [*self.members, *(["comments"] if self.comment is not None else [])]


def wanted_state(
    options: Mapping[str, Any], *, statuses: Iterable[str], status_enum: str = "incident_status", unchanged_since: str | None = None
) -> Wanted:
    """Return the state that options describe, each enumeration in the spelling of either service.

    :param options: status, assigned_to, classification, determination, tags, tags_mode and comment; None, or missing, is not wanted.
    :raises OptionError: for a value that cannot be written, and for a determination that does not go with the classification.
    """
    status, classification, determination = (options.get(name) for name in ("status", "classification", "determination"))
    tags = options.get("tags")
    comment = options.get("comment")
    wanted = Wanted(
        status=None if status is None else member_option("status", status_enum, status, choices=statuses),
        assigned_to=None if options.get("assigned_to") is None else _owner(str(options["assigned_to"])),
        classification=None if classification is None else classification_option(classification),
        determination=None if determination is None else determination_option(determination),
        tags=None if tags is None else _distinct(tags),
        tags_mode=options.get("tags_mode") or "add",
        comment=None if comment is None else _lines(comment),
        unchanged_since=unchanged_since,
    )
    if wanted.comment == "":
        raise OptionError("comment is empty.", next_step="Write one, or leave comment out.")
    if wanted.classification is not None and wanted.determination is not None:
        check_pair(wanted.classification, wanted.determination)
    return wanted


def change_of(current: Mapping[str, Any], wanted: Wanted) -> Change:
    """Return what has to be written so that `current`, an object in the one schema, becomes as wanted.

    :raises OptionError: where the classification and the determination that it would then have do not go together.
    """
    members: dict[str, Any] = {}
    if wanted.status is not None and wanted.status != current["status"]:
        members["status"] = wanted.status
    if wanted.assigned_to is not None and wanted.assigned_to.casefold() != (current["assigned_to"] or "").casefold():
        members["assigned_to"] = wanted.assigned_to or None
    members.update(_verdict(current, wanted))
    if wanted.tags is not None:
        tags = _tags(current["custom_tags"], wanted.tags, wanted.tags_mode)
        if tags is not None:
            members["custom_tags"] = tags
    known = {_lines(comment["comment"] or "") for comment in current["comments"]}
    return Change(members, wanted.comment if wanted.comment is not None and wanted.comment not in known else None)


def changed_object(current: Mapping[str, Any], change: Change) -> dict[str, Any]:
    """Return what an object becomes by a change; who adds a comment and when is the service's to say."""
    fresh = {**current, **change.members}
    if change.comment is not None:
        fresh["comments"] = [
            *current["comments"],
            {"comment": change.comment, "created_by_display_name": None, "created_date_time": None},
        ]
    return fresh


def check_unchanged(current: Mapping[str, Any], unchanged_since: str | None, *, what: str, tenant_id: str) -> None:
    """Raise `Stale` where an object was updated after `unchanged_since`."""
    updated = current["last_update_date_time"] or ""
    if unchanged_since is None or updated <= unchanged_since:
        return
    raise Stale(
        f"It was last updated at {updated}, after {unchanged_since}; nothing was written.",
        attempted=f"updating {what}",
        tenant_id=tenant_id,
        code="Stale",
        scope="request",
        next_step="Read it again and decide anew, or leave out if_unchanged_since.",
    )


def _verdict(current: Mapping[str, Any], wanted: Wanted) -> dict[str, str]:
    """Return the pair of classification and determination that has to be written, or nothing."""
    if wanted.classification is None and wanted.determination is None:
        return {}
    before = (current["classification"], current["determination"])
    after = (wanted.classification or before[0], wanted.determination or before[1])
    if after == before:
        return {}
    check_pair(*after)
    # As a pair: one page of the documentation demands a classification with every determination.
    return {"classification": after[0], **({"determination": after[1]} if after[1] != "unknown" or before[1] != "unknown" else {})}


def _tags(current: Iterable[str], wanted: tuple[str, ...], mode: str) -> list[str] | None:
    """Return the tags to write, None where those that are there do."""
    there = list(current)
    names = {tag.casefold() for tag in there}
    given = {tag.casefold() for tag in wanted}
    if mode == "set":
        return None if names == given else list(wanted)
    if mode == "remove":
        return [tag for tag in there if tag.casefold() not in given] if names & given else None
    return [*there, *(tag for tag in wanted if tag.casefold() not in names)] if given - names else None


def _owner(name: str) -> str:
    """Return an owner; what the Defender API writes for nobody is nobody."""
    name = name.strip()
    return "" if name.casefold() == "unassigned" else name


def _distinct(tags: Iterable[str]) -> tuple[str, ...]:
    """Return tags without empty ones and doubles."""
    distinct: dict[str, str] = {}
    for tag in (str(tag).strip() for tag in tags):
        if tag:
            distinct.setdefault(tag.casefold(), tag)
    return tuple(distinct.values())


def _lines(text: str) -> str:
    """Return a text with one kind of line ends, without space around it."""
    return "\n".join(line.rstrip() for line in str(text).splitlines()).strip()
