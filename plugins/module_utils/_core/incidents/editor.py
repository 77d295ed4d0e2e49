# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Brings incidents or alerts to a state, one after the other; what fails with one does not keep the others from being tried.

For each: read, follow a merge, compare, guard, write what differs. Nothing is written where nothing differs. Between reading and
writing somebody else may write too; the services offer nothing against that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ..errors import (
    AuthenticationError,
    CredentialError,
    ForeignOrigin,
    LibraryMissing,
    NotFound,
    PartnerError,
    PermissionDenied,
    Throttled,
    TransportError,
)
from .changes import Change, Merged, Wanted, change_of, changed_object, check_unchanged
from .redirects import follow_redirects, successor_of
from .writing import Writer

# With these the next object would fail alike.
_ALL_FAIL = (AuthenticationError, CredentialError, LibraryMissing, PermissionDenied, Throttled)


@dataclass
class Progress:
    """What became of one object.

    :param asked_id: the id that was given.
    :param before: the object as it was found; the one at the end of a redirection, where that was followed.
    :param after: the object as it is now; as it would be, in check mode.
    :param written: keys of the schema that were written; that would be, in check mode.
    :param tried: whether anything was asked of the service for it.
    """

    asked_id: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    written: list[str] = field(default_factory=list)
    error: PartnerError | None = None
    tried: bool = True

    @property
    def outcome(self) -> str:
        """`failed`, `changed` or `unchanged`; a failure may have been preceded by a change, see `written`."""
        if self.error is not None:
            return "failed"
        return "changed" if self.written else "unchanged"

    @property
    def message(self) -> str | None:
        """Why it failed, and what had been written before that; None where it did not."""
        if self.error is None:
            return None
        if not self.tried:
            return f"It was not tried, since it would fail alike: {self.error}"
        return f"{_listed(self.written)} had been written; then this failed: {self.error}" if self.written else str(self.error)


@dataclass
class Editor:
    """Brings the objects of a writer to states.

    :param dry_run: predict, do not write.
    :param follow: whether the incident that a merged one leads to is brought to the state in its place.
    :param warn: shows a warning to the user.
    """

    writer: Writer
    dry_run: bool
    follow: bool
    warn: Callable[[str], None]
    _known: dict[str, dict[str, Any]] = field(default_factory=dict, init=False)

    def bring_all(self, wishes: Iterable[tuple[str, Wanted]]) -> list[Progress]:
        """Return what became of each object, in the order given; see `Progress.error` for what failed."""
        done: list[Progress] = []
        fatal: PartnerError | None = None
        for object_id, wanted in wishes:
            progress = Progress(object_id)
            if fatal is not None:
                progress.error, progress.tried = fatal, False
            else:
                fatal = self._try(progress, wanted)
            done.append(progress)
        return done

    def _try(self, progress: Progress, wanted: Wanted) -> PartnerError | None:
        """Bring one object to its state; return the error where the others would fail alike."""
        try:
            self._bring(progress, wanted)
        except PartnerError as error:
            progress.error = error
            # A GET is repeated until the deadline: where that gets no answer, the next one gets none either.
            unreachable = isinstance(error, TransportError) and progress.before is None
            return error if unreachable or isinstance(error, _ALL_FAIL) else None
        return None

    def _bring(self, progress: Progress, wanted: Wanted) -> None:
        current = self._current(progress.asked_id)
        progress.before = progress.after = current
        change = change_of(current, wanted)
        if not change:
            return
        noun, tenant_id = self.writer.noun, self.writer.client.tenant_id
        check_unchanged(current, wanted.unchanged_since, what=f"{noun} {current['id']}", tenant_id=tenant_id)
        parts = (change,) if self.dry_run else self.writer.parts(change)
        for part in parts:
            shown = {} if self.dry_run else self._write(progress, part, wanted)
            fresh = {**changed_object(progress.after, part), **shown}
            progress.written += part.names
            progress.after = self._known[fresh["id"]] = fresh
        if not self.dry_run:
            self._check_taken(fresh, wanted)

    def _current(self, object_id: str) -> dict[str, Any]:
        """Return the object to change: the one asked for, or the end of its redirection."""
        current = self._read(object_id)
        if current.get("status") != "redirected":
            return current
        if not self.follow:
            raise self._merged(current)
        reasons: list[str] = []
        end = follow_redirects([dict(current)], self._lookup, warn=reasons.append)[-1]
        if end["status"] == "redirected":
            raise self._merged(current, reason=" ".join(reasons))
        return end

    def _read(self, object_id: str) -> dict[str, Any]:
        """Return an object, as this run left it where it wrote to it: two merged incidents may lead to the same one."""
        if object_id not in self._known:
            self._known[object_id] = self.writer.read(object_id)
        return self._known[object_id]

    def _lookup(self, object_id: str) -> dict[str, Any] | None:
        try:
            return dict(self._read(object_id))
        except NotFound:
            return None

    def _merged(self, incident: dict[str, Any], *, reason: str = "") -> Merged:
        successor = successor_of(incident)
        target = f"incident {successor}" if successor else "another one, which the service does not name"
        return Merged(
            f"It was merged into {target}; a merged incident is not written to.{' ' * bool(reason)}{reason}",
            attempted=f"updating {self.writer.noun} {incident['id']}",
            tenant_id=self.writer.client.tenant_id,
            code="Redirected",
            scope="request",
            next_step=f"Name incident {successor} instead, or set follow_redirects." if successor and not reason else None,
        )

    def _write(self, progress: Progress, part: Change, wanted: Wanted) -> dict[str, Any]:
        """Write one part and return what is known of the object then; where no answer came, look whether it was written."""
        object_id = str((progress.before or {})["id"])
        try:
            return self.writer.write(object_id, part)
        except PartnerError as error:
            if not _is_unclear(error):
                raise self._explained(error, progress, part) from error
            found = self._found_written(object_id, part, wanted)
            if found is None:
                raise self._explained(error, progress, part) from error
            return found

    def _found_written(self, object_id: str, part: Change, wanted: Wanted) -> dict[str, Any] | None:
        """Return the object where it shows that a part was written although the answer was lost."""
        try:
            found = self.writer.read(object_id)
        except PartnerError:
            return None
        lacking = set(change_of(found, wanted).names)
        return None if lacking & set(part.names) else found

    def _explained(self, error: PartnerError, progress: Progress, part: Change) -> PartnerError:
        """Return the error of a later part with what to do about the rest."""
        if progress.written and error.retryable:
            error.next_step = f"Run the task again: it writes {_listed(part.names)} alone."
        return error

    def _check_taken(self, fresh: dict[str, Any], wanted: Wanted) -> None:
        """Warn where the service accepted a change, but shows something else."""
        lacking = change_of(fresh, wanted).names
        if lacking:
            self.warn(
                f"Tenant {self.writer.client.tenant_id}: the service accepted the change of {self.writer.noun} {fresh['id']}, "
                f"but does not show it: {_listed(lacking)}."
            )


def _is_unclear(error: PartnerError) -> bool:
    """Whether a write may have been carried out although it failed: no answer came, or an internal fault was reported."""
    if isinstance(error, ForeignOrigin):
        return False
    return isinstance(error, TransportError) or (error.http_status or 0) >= 500


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
