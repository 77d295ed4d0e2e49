# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import errno
import fcntl
import multiprocessing
import os
import signal
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.m365d.partner.plugins.module_utils._core.errors import OptionError
from ansible_collections.m365d.partner.plugins.module_utils._core.identity import store as store_module
from ansible_collections.m365d.partner.plugins.module_utils._core.identity.store import FileStore, MemoryStore, Store
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MATERIAL = b"what the credential is made of"
HOUR = 3600.0
RECORD = {"value": "t.o.k", "expires_at": 12.5}


@pytest.fixture(params=["files", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return FileStore(str(tmp_path)) if request.param == "files" else MemoryStore()


def folder(tmp_path: Path) -> Path:
    return tmp_path / "m365d-tokens"


def age(path: Path, hours: float) -> None:
    """Make a file as old as that."""
    moment = time.time() - hours * HOUR
    os.utime(path, (moment, moment))


def take_a_lock(store: Store) -> None:
    with store.locked("fresh", wait=0):
        pass


@pytest.mark.parametrize("material", [MATERIAL, None])
def test_a_record_comes_back_as_it_was_written(store: Store, material: bytes | None) -> None:
    assert store.read("a", material) is None
    store.write("a", RECORD, material)
    assert store.read("a", material) == RECORD
    store.write("a", {"value": "new"}, material)
    assert store.read("a", material) == {"value": "new"}


@pytest.mark.parametrize("other", [b"another credential", None])
def test_a_record_is_nobody_elses(store: Store, other: bytes | None) -> None:
    store.write("a", RECORD, MATERIAL)
    assert store.read("a", other) is None
    assert store.read("b", MATERIAL) is None


def test_records_are_removed_by_the_start_of_their_name(store: Store) -> None:
    for name in ("t-1-a", "t-1-b", "t-2-a", "keys-1"):
        store.write(name, RECORD, MATERIAL)
    with store.locked("t-1-a", wait=1):
        assert store.remove("t-1-") == 2
    assert [store.read(name, MATERIAL) for name in ("t-1-a", "t-1-b", "t-2-a", "keys-1")] == [None, None, RECORD, RECORD]
    assert store.remove("t-1-") == 0


def test_a_lock_is_held_by_one_thread_at_a_time(store: Store) -> None:
    with store.locked("a", wait=0) as first, store.locked("b", wait=0) as other:
        assert (first, other) == (True, True)
        with store.locked("a", wait=0.01) as second:
            assert second is False
    with store.locked("a", wait=0) as again:
        assert again is True


def test_a_lock_that_becomes_free_in_time_is_taken(store: Store) -> None:
    held, order = threading.Event(), []

    def hold() -> None:
        with store.locked("a", wait=1):
            held.set()
            time.sleep(0.1)
            order.append("first")

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(5)
    with store.locked("a", wait=10) as got:
        order.append("second")
    thread.join()
    assert (got, order) == (True, ["first", "second"])


def test_only_the_owner_may_read_directory_and_files(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = FileStore(str(tmp_path / "made" / "here"))
        store.write("a", RECORD, MATERIAL)
        store.write("b", RECORD, None)
        with store.locked("a", wait=0):
            pass
    finally:
        os.umask(before)
    directory = folder(tmp_path / "made" / "here")
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {path.name for path in directory.iterdir()} == {"a", "b", "a.lock", ".key", ".tidied"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


@pytest.mark.parametrize("material", [MATERIAL, None])
def test_no_file_holds_anything_in_clear(tmp_path: Path, material: bytes | None) -> None:
    store = FileStore(str(tmp_path))
    store.write("a", {"value": "canary-canary"}, material)
    for path in folder(tmp_path).iterdir():
        assert b"canary" not in path.read_bytes()
        assert b"value" not in path.read_bytes()


def test_the_same_record_is_encrypted_anew_each_time(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path))
    seen = set()
    for _time in range(3):
        store.write("a", RECORD, MATERIAL)
        seen.add((folder(tmp_path) / "a").read_bytes()[6:22])
    assert len(seen) == 3


def test_a_file_under_another_name_is_a_miss(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path))
    store.write("a", RECORD, MATERIAL)
    os.rename(folder(tmp_path) / "a", folder(tmp_path) / "b")
    assert store.read("b", MATERIAL) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_a_miss(tmp_path: Path, data: st.DataObject) -> None:
    store = FileStore(str(tmp_path))
    store.write("a", RECORD, MATERIAL)
    path = folder(tmp_path) / "a"
    content = path.read_bytes()
    start = data.draw(st.integers(0, len(content) - 1))
    how = data.draw(st.sampled_from(["cut", "flip", "grow", "empty", "noise"]))
    damaged = {
        "cut": content[:start],
        "flip": content[:start] + bytes([content[start] ^ 1]) + content[start + 1 :],
        "grow": content + b"x",
        "empty": b"",
        "noise": data.draw(st.binary(max_size=100)),
    }[how]
    path.write_bytes(damaged)
    assert store.read("a", MATERIAL) is None


def test_a_record_that_is_no_mapping_is_a_miss(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path))
    store.write("a", [1], MATERIAL)  # type: ignore[arg-type]
    assert store.read("a", MATERIAL) is None


def test_what_is_not_a_plain_file_of_ours_is_a_miss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FileStore(str(tmp_path))
    store.write("real", RECORD, MATERIAL)
    (folder(tmp_path) / "link").symlink_to(folder(tmp_path) / "real")
    (folder(tmp_path) / "directory").mkdir()
    os.mkfifo(folder(tmp_path) / "pipe")
    for name in ("link", "directory", "pipe"):
        assert store.read(name, MATERIAL) is None
    monkeypatch.setattr(store_module, "_LARGEST_FILE", 10)
    assert store.read("real", MATERIAL) is None
    monkeypatch.undo()
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert store.read("real", MATERIAL) is None


def test_a_record_is_written_over_a_link_and_not_through_it(tmp_path: Path) -> None:
    store, victim = FileStore(str(tmp_path)), tmp_path / "victim"
    victim.write_text("untouched")
    (folder(tmp_path) / "a").symlink_to(victim)
    store.write("a", RECORD, MATERIAL)
    assert store.read("a", MATERIAL) == RECORD
    assert victim.read_text() == "untouched"


def test_a_damaged_local_key_is_replaced_and_its_records_are_lost(tmp_path: Path) -> None:
    FileStore(str(tmp_path)).write("a", RECORD, None)
    (folder(tmp_path) / ".key").write_bytes(b"short")
    store = FileStore(str(tmp_path))
    assert store.read("a", None) is None
    store.write("a", RECORD, None)
    assert FileStore(str(tmp_path)).read("a", None) == RECORD
    assert len((folder(tmp_path) / ".key").read_bytes()) == 32


def test_a_key_that_somebody_put_there_as_a_link_is_refused_and_no_other_is_used_in_its_place(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path))
    (tmp_path / "theirs").write_bytes(b"k" * 32)
    (folder(tmp_path) / ".key").symlink_to(tmp_path / "theirs")
    with pytest.raises(OptionError, match=r"the file \.key in it is none of ours"):
        store.write("a", RECORD, None)
    assert not (folder(tmp_path) / "a").exists()
    store.write("a", RECORD, MATERIAL)


def test_a_file_of_another_format_is_a_miss(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path))
    store.write("a", RECORD, MATERIAL)
    path = folder(tmp_path) / "a"
    path.write_bytes(b"m365d2" + path.read_bytes()[6:])
    assert store.read("a", MATERIAL) is None


def test_a_record_behind_a_link_is_a_miss(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path))
    store.write("a", RECORD, MATERIAL)
    (folder(tmp_path) / "a").rename(tmp_path / "elsewhere")
    (folder(tmp_path) / "a").symlink_to(tmp_path / "elsewhere")
    assert store.read("a", MATERIAL) is None


def test_two_processes_agree_on_one_local_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = FileStore(str(tmp_path)), FileStore(str(tmp_path))
    content = FileStore._content

    def late(store: FileStore, name: str) -> bytes | None:
        """Lets the other one make its key after this one saw none."""
        found = content(store, name)
        if name == ".key" and found is None and store is second:
            first.write("a", RECORD, None)
        return found

    monkeypatch.setattr(FileStore, "_content", late)
    second.write("b", RECORD, None)
    assert first.read("b", None) == second.read("a", None) == RECORD


def _unusable(tmp_path: Path, name: str) -> tuple[str, str]:
    directory = tmp_path / name
    inner = directory / "m365d-tokens"
    if name == "a file":
        directory.write_text("x")
        return str(directory), "not a directory|file exists"
    directory.mkdir()
    if name == "inner file":
        inner.write_text("x")
        return str(directory), "it is not a directory"
    if name == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        inner.symlink_to(tmp_path / "elsewhere")
        return str(directory), "it is not a directory"
    inner.mkdir()
    inner.chmod(0o750)
    return str(directory), "others may read it .*0750"


@pytest.mark.parametrize("name", ["a file", "inner file", "link", "open"])
def test_a_directory_that_cannot_be_used_is_one_clear_sentence(tmp_path: Path, name: str) -> None:
    directory, message = _unusable(tmp_path, name)
    with pytest.raises(OptionError, match=message) as caught:
        FileStore(directory)
    assert "token_cache_directory" in str(caught.value.next_step)
    assert caught.value.scope == "credential"


def test_a_directory_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    FileStore(str(tmp_path))
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(OptionError, match="belongs to another user"):
        FileStore(str(tmp_path))


def _refuse(*_args: Any, **_kwargs: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_directory_that_is_made_on_the_way_is_private_too(tmp_path: Path) -> None:
    FileStore(str(tmp_path / "new"))
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_who_does_not_want_to_wait_does_not(store: Store) -> None:
    answers: list[bool] = []

    def try_once() -> None:
        with store.locked("a", wait=0) as got:
            answers.append(got)

    with store.locked("a", wait=0):
        thread = threading.Thread(target=try_once)
        thread.start()
        thread.join(timeout=0.5)
        assert answers == [False]


def test_the_sentence_is_for_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FileStore(str(tmp_path))
    monkeypatch.setattr(os, "replace", _refuse)
    with pytest.raises(OptionError) as caught:
        store.write("a", RECORD, MATERIAL)
    assert caught.value.message == f"Tokens cannot be kept in '{folder(tmp_path)}': no space left on device."


def test_a_lock_that_stays_taken_is_looked_at_with_growing_pauses_until_the_time_is_over(tmp_path: Path) -> None:
    moment, slept = [100.0], list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        moment[0] += seconds

    holder = FileStore(str(tmp_path))
    waiter = FileStore(str(tmp_path), clock=lambda: moment[0], sleep=sleep)
    with holder.locked("a", wait=0) as held, waiter.locked("a", wait=1.0) as got:
        assert (held, got) == (True, False)
    assert slept[:3] == pytest.approx([0.002, 0.003, 0.0045])
    assert slept == sorted(slept)
    assert max(slept) == 0.05
    assert 1.0 <= sum(slept) < 1.05
    slept.clear()
    with holder.locked("a", wait=0), waiter.locked("a", wait=0) as got:
        assert (got, slept) == (False, [])


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the system does not tell which files are open")
def test_reading_and_locking_leave_no_file_open(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path))
    store.write("a", RECORD, None)
    before = len(os.listdir("/proc/self/fd"))
    for _round in range(5):
        store.read("a", None)
        with store.locked("a", wait=0):
            pass
        age(folder(tmp_path) / "a.lock", 73)
        age(folder(tmp_path) / ".tidied", 25)
        take_a_lock(store)
        assert not (folder(tmp_path) / "a.lock").exists()
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_local_key_is_read_once_and_outlives_a_purge(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path))
    store.write("a", RECORD, None)
    store.remove("")
    assert (folder(tmp_path) / ".key").exists()
    store.write("a", RECORD, None)
    assert FileStore(str(tmp_path)).read("a", None) == RECORD
    (folder(tmp_path) / ".key").unlink()
    assert store.read("a", None) == RECORD


@pytest.mark.parametrize("function", ["replace", "open", "listdir"])
def test_a_disk_that_refuses_is_one_clear_sentence_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    store = FileStore(str(tmp_path))
    store.write("a", RECORD, MATERIAL)
    monkeypatch.setattr(os, function, _refuse)
    refused = (lambda: store.remove("a")) if function == "listdir" else (lambda: store.write("a", {"value": "new"}, MATERIAL))
    with pytest.raises(OptionError, match="no space left on device"):
        refused()
    if function == "open":
        with pytest.raises(OptionError, match="no space left on device"), store.locked("a", wait=0):
            pass
    monkeypatch.undo()
    assert store.read("a", MATERIAL) == RECORD
    assert [path.name for path in folder(tmp_path).iterdir()] == ["a"]


def test_a_local_key_that_cannot_be_written_is_one_clear_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FileStore(str(tmp_path))
    monkeypatch.setattr(os, "link", _refuse)
    with pytest.raises(OptionError, match="no space left on device"):
        store.write("a", RECORD, None)


def test_a_file_that_vanishes_while_others_purge_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FileStore(str(tmp_path))
    monkeypatch.setattr(os, "listdir", lambda _path: ["a-gone"])
    assert store.remove("a") == 0


def test_a_file_system_without_locks_costs_requests_and_not_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with FileStore(str(tmp_path)).locked("a", wait=100) as got:
        assert got is False


def _hold_and_wait(directory: str, ready: Any) -> None:
    with FileStore(directory).locked("a", wait=0):
        ready.set()
        time.sleep(60)


def test_the_lock_of_a_process_that_is_killed_is_free_again(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    process = context.Process(target=_hold_and_wait, args=(str(tmp_path), ready))
    process.start()
    assert ready.wait(10)
    store = FileStore(str(tmp_path))
    with store.locked("a", wait=0) as got:
        assert got is False
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with store.locked("a", wait=5) as got:
        assert got is True


def _write_until_killed(directory: str) -> None:
    store, number = FileStore(directory), 0
    while True:
        number += 1
        store.write("a", {"value": "x" * 5000, "number": number}, MATERIAL)


def test_a_process_that_is_killed_while_writing_leaves_a_whole_record(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path))
    for _round in range(5):
        process = multiprocessing.get_context("fork").Process(target=_write_until_killed, args=(str(tmp_path),))
        process.start()
        with contextlib.suppress(TimeoutError):
            end = time.monotonic() + 5
            while store.read("a", MATERIAL) is None and time.monotonic() < end:
                time.sleep(0.005)
        time.sleep(0.03)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        record = store.read("a", MATERIAL)
        assert record is not None
        assert len(record["value"]) == 5000


# --- what nobody can use any more ----------------------------------------------------------------------------------


def names(tmp_path: Path) -> set[str]:
    return {path.name for path in folder(tmp_path).iterdir()}


def test_once_a_day_what_is_too_old_to_be_of_use_is_removed(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path))
    for name in ("t-1.token", "t-2.token", "refused-1.note"):
        store.write(name, RECORD, None)
        with store.locked(name, wait=0):
            pass
    (folder(tmp_path) / ".t-1.token.7.abc.new").write_bytes(b"left by a process that was killed")
    (folder(tmp_path) / "link").symlink_to(tmp_path)
    everything = names(tmp_path)
    for name in everything - {"t-2.token", "t-2.token.lock", "link"}:
        age(folder(tmp_path) / name, 73)
    for name in ("t-2.token", "t-2.token.lock"):
        age(folder(tmp_path) / name, 71)
    age(folder(tmp_path) / ".tidied", 23)
    take_a_lock(store)
    assert names(tmp_path) == everything | {"fresh.lock"}
    age(folder(tmp_path) / ".tidied", 24.1)
    take_a_lock(store)
    assert names(tmp_path) == {"t-2.token", "t-2.token.lock", "link", "fresh.lock", ".key", ".tidied"}
    assert time.time() - (folder(tmp_path) / ".tidied").stat().st_mtime < 60


def test_within_a_day_and_in_a_new_directory_nothing_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, listed = FileStore(str(tmp_path)), list[Any]()
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or _refuse())
    take_a_lock(store)
    take_a_lock(store)
    assert listed == []
    for hours in (25, -1):  # a clock that went back
        age(folder(tmp_path) / ".tidied", hours)
        take_a_lock(store)  # a disk that refuses does no harm
        take_a_lock(store)
    assert listed == [store.directory] * 2


def test_nothing_is_removed_while_a_lock_is_held_nor_where_what_it_was_for_failed(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path))
    take_a_lock(store)
    store.write("old", RECORD, None)
    age(folder(tmp_path) / "old", 73)
    age(folder(tmp_path) / ".tidied", 25)
    with contextlib.suppress(ValueError), store.locked("fresh", wait=0):
        store.write("new", RECORD, None)
        assert (folder(tmp_path) / "old").exists()
        raise ValueError
    assert (folder(tmp_path) / "old").exists()


def test_a_lock_that_somebody_holds_is_not_removed(tmp_path: Path) -> None:
    store = FileStore(str(tmp_path))
    take_a_lock(store)
    with FileStore(str(tmp_path)).locked("held", wait=0):
        age(folder(tmp_path) / "held.lock", 73)
        age(folder(tmp_path) / ".tidied", 25)
        take_a_lock(store)
        with store.locked("held", wait=0) as got:
            assert got is False
    assert (folder(tmp_path) / "held.lock").exists()


def test_a_lock_that_was_removed_while_it_was_waited_for_is_taken_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, other = FileStore(str(tmp_path)), FileStore(str(tmp_path))
    flock, path = fcntl.flock, folder(tmp_path) / "a.lock"

    def after_it_was_removed(handle: int, how: int) -> None:
        monkeypatch.undo()
        path.unlink()
        flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", after_it_was_removed)
    with store.locked("a", wait=0) as got:
        assert got is True
        with other.locked("a", wait=0) as second:
            assert second is False


def test_a_lock_that_was_removed_and_is_not_free_is_not_taken_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_handle: int, _how: int) -> None:
        monkeypatch.undo()
        (folder(tmp_path) / "a.lock").unlink()
        raise BlockingIOError(errno.EWOULDBLOCK, "Resource temporarily unavailable")

    store = FileStore(str(tmp_path))
    monkeypatch.setattr(fcntl, "flock", refuse)
    with store.locked("a", wait=0) as got:
        assert got is False


def test_a_file_system_that_does_not_tell_files_apart_counts_as_one_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "samestat", lambda *_files: False)
    with FileStore(str(tmp_path)).locked("a", wait=100) as got:
        assert got is False


def test_a_lock_that_another_process_replaced_is_not_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, flock = tmp_path / "a.lock", fcntl.flock
    path.touch()

    def after_it_was_replaced(handle: int, how: int) -> None:
        monkeypatch.undo()
        path.unlink()
        path.write_text("another one's")
        flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", after_it_was_replaced)
    store_module._remove_unused(str(path))
    assert path.read_text() == "another one's"


def test_a_lock_has_one_holder_while_others_tidy_all_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_TIDY_SECONDS", 0.0)
    monkeypatch.setattr(store_module, "_USELESS_SECONDS", -HOUR)
    inside, most, turns, end = [0], [0], [0], time.monotonic() + 0.7

    def work() -> None:
        store = FileStore(str(tmp_path))
        while time.monotonic() < end:
            with store.locked("a", wait=5) as got:
                inside[0] += got
                most[0] = max(most[0], inside[0])
                time.sleep(0.0005)
                inside[0] -= got
                turns[0] += 1

    threads = [threading.Thread(target=work) for _number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert turns[0] > 20
