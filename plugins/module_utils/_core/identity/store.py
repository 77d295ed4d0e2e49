# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Small encrypted records that several processes share: a directory of files, or the memory of one process.

A file is 0600 in a directory of 0700 that belongs to this user. It is written beside its place and renamed into it, so
that a reader sees the old record or the new one and a crash leaves neither half. A file that cannot be read, decrypted
or understood counts as missing: the worst that a damaged cache costs is one request.

Encryption: AES-256-GCM with a key derived by HKDF-SHA256 (RFC 5869) from the credential's own material and a random
salt for each file. Whoever copies a file gains nothing unless he has the credential, and with that he could get the
token anyway. A credential without material of its own (Azure CLI, device code) and public records use a random key
kept beside the files: no token is ever in clear on the disk, but whoever can read the whole directory can decrypt it.

What nobody can use any more is removed once a day, by whoever lets go of a lock then. It goes by the age of a file, since the
expiry in it is encrypted: Entra ID issues no token for longer than some 28 hours, and all other records are good for less.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

try:
    import fcntl
except ImportError:  # not a POSIX system: nothing here runs there, but documentation must be importable
    fcntl = None  # type: ignore[assignment]

from .._libraries import cryptography, require_libraries
from ..errors import OptionError

_MAGIC = b"m365d1"
_SALT_BYTES = 16
_NONCE_BYTES = 12
_KEY_BYTES = 32
_LARGEST_FILE = 4 * 1024 * 1024
_SUBDIRECTORY = "m365d-tokens"
_LOCAL_KEY = ".key"
_POLL_SECONDS = (0.002, 0.05)
_LOCK_ATTEMPTS = 100
_TIDIED = ".tidied"
_TIDY_SECONDS = 24 * 3600.0
_USELESS_SECONDS = 3 * 24 * 3600.0


class Store(Protocol):
    """Records by name. A name is made of letters, digits, `-` and `.`."""

    def read(self, name: str, material: bytes | None) -> dict[str, Any] | None:
        """Return the record, or None where there is none that can be read with this material."""

    def write(self, name: str, record: Mapping[str, Any], material: bytes | None) -> None:
        """Replace the record."""

    def remove(self, prefix: str) -> int:
        """Remove the records whose names start with `prefix`; return how many there were."""

    def locked(self, name: str, *, wait: float) -> contextlib.AbstractContextManager[bool]:
        """Hold the lock of a name, across processes. Yield False where it was not free within `wait` seconds."""


class MemoryStore:
    """Records of one process."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._records: dict[str, tuple[bytes | None, dict[str, Any]]] = {}
        self._locks: dict[str, threading.Lock] = {}

    def read(self, name: str, material: bytes | None) -> dict[str, Any] | None:
        """See `Store`."""
        with self._guard:
            kept, record = self._records.get(name, (None, None))
        return dict(record) if record is not None and kept == material else None

    def write(self, name: str, record: Mapping[str, Any], material: bytes | None) -> None:
        """See `Store`."""
        with self._guard:
            self._records[name] = (material, dict(record))

    def remove(self, prefix: str) -> int:
        """See `Store`."""
        with self._guard:
            names = [name for name in self._records if name.startswith(prefix)]
            for name in names:
                del self._records[name]
        return len(names)

    @contextlib.contextmanager
    def locked(self, name: str, *, wait: float) -> Iterator[bool]:
        """See `Store`; threads alone are kept apart, since no other process sees these records."""
        with self._guard:
            lock = self._locks.setdefault(name, threading.Lock())
        got = lock.acquire(timeout=max(0.0, wait))
        try:
            yield got
        finally:
            if got:
                lock.release()


class FileStore:
    """Records in a directory of their own below the one that is named.

    :param directory: made if it is missing.
    :raises OptionError: when the directory cannot be used; one sentence says why.
    """

    def __init__(self, directory: str, *, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep) -> None:
        require_libraries()
        self.directory = os.path.join(directory, _SUBDIRECTORY)
        self._clock = clock
        self._sleep = sleep
        self._guard = threading.Lock()
        self._key: bytes | None = None
        self._prepare()

    def _prepare(self) -> None:
        try:
            os.makedirs(os.path.dirname(self.directory), mode=0o700, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                os.mkdir(self.directory, 0o700)
            found = os.lstat(self.directory)
        except OSError as exc:
            raise self._unusable(_reason(exc)) from exc
        if not stat.S_ISDIR(found.st_mode):
            raise self._unusable("it is not a directory")
        if found.st_uid != os.geteuid():
            raise self._unusable("it belongs to another user")
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise self._unusable(f"others may read it (its mode is {stat.S_IMODE(found.st_mode):04o}, it must be 0700)")

    def read(self, name: str, material: bytes | None) -> dict[str, Any] | None:
        """See `Store`."""
        content = self._content(name)
        if content is None or not content.startswith(_MAGIC):
            return None
        key = material or self._local_key()
        salt, sealed = content[len(_MAGIC) : len(_MAGIC) + _SALT_BYTES], content[len(_MAGIC) + _SALT_BYTES :]
        try:
            plain = _cipher(key, salt).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], name.encode())
            record = json.loads(plain)
        except (cryptography.exceptions.InvalidTag, ValueError):
            return None
        return record if isinstance(record, dict) else None

    def write(self, name: str, record: Mapping[str, Any], material: bytes | None) -> None:
        """See `Store`.

        :raises OptionError: when the directory cannot be written.
        """
        key = material or self._local_key()
        salt, nonce = secrets.token_bytes(_SALT_BYTES), secrets.token_bytes(_NONCE_BYTES)
        sealed = _cipher(key, salt).encrypt(nonce, json.dumps(record).encode(), name.encode())
        try:
            self._replace(name, _MAGIC + salt + nonce + sealed)
        except OSError as exc:
            raise self._unusable(_reason(exc)) from exc

    def remove(self, prefix: str) -> int:
        """See `Store`. Locks stay: removing one that somebody holds would let a second holder in."""
        removed = 0
        try:
            for name in os.listdir(self.directory):
                if name.startswith(prefix) and not name.endswith(".lock") and name != _LOCAL_KEY:
                    with contextlib.suppress(FileNotFoundError):
                        os.unlink(self._path(name))
                        removed += 1
        except OSError as exc:
            raise self._unusable(_reason(exc)) from exc
        return removed

    @contextlib.contextmanager
    def locked(self, name: str, *, wait: float) -> Iterator[bool]:
        """See `Store`. The kernel releases the lock of a process that dies."""
        path = self._path(f"{name}.lock")
        handle = self._open_lock(path)
        try:
            for _attempt in range(_LOCK_ATTEMPTS):
                got = self._lock(handle, wait=wait)
                if not got or _is_at(handle, path):
                    break
                # Tidied away since it was opened, so that the next one would make another.
                outdated, handle = handle, self._open_lock(path)
                os.close(outdated)
            else:
                got = False  # a file system that does not tell files apart
            yield got
        finally:
            os.close(handle)
        with contextlib.suppress(OSError):
            self._tidy()

    def _open_lock(self, path: str) -> int:
        try:
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise self._unusable(_reason(exc)) from exc

    def _lock(self, handle: int, *, wait: float) -> bool:
        end = self._clock() + wait
        pause = _POLL_SECONDS[0]
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except OSError as exc:
                if exc.errno not in (errno.EWOULDBLOCK, errno.EINTR):
                    return False  # a file system without locks: better a request too many than no token
            if self._clock() >= end:
                return False
            self._sleep(pause)
            pause = min(pause * 1.5, _POLL_SECONDS[1])

    def _tidy(self) -> None:
        """Once a day, remove what is too old to be of use. A record that is replaced at this very moment costs a request."""
        marker, now = self._path(_TIDIED), time.time()
        try:
            if 0 <= now - os.stat(marker).st_mtime < _TIDY_SECONDS:
                return
        except FileNotFoundError:  # a new directory
            os.close(os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
            return
        os.utime(marker)  # first, so that others do not come to do the same
        with os.scandir(self.directory) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.name != _LOCAL_KEY and now - entry.stat(follow_symlinks=False).st_mtime >= _USELESS_SECONDS:
                        _remove_unused(entry.path)

    def _content(self, name: str) -> bytes | None:
        """Return the bytes of a file that is ours, regular and of a sensible size; None otherwise."""
        try:
            handle = os.open(self._path(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_size > _LARGEST_FILE:
                return None
            # A file is replaced, never changed, so that one read of its size gets the whole of it.
            return os.read(handle, found.st_size)
        except OSError:
            return None
        finally:
            os.close(handle)

    def _replace(self, name: str, content: bytes, *, keep_existing: bool = False) -> None:
        temporary = self._path(f".{name}.{os.getpid()}.{secrets.token_hex(6)}.new")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            if keep_existing:
                with contextlib.suppress(FileExistsError):
                    os.link(temporary, self._path(name))
            else:
                os.replace(temporary, self._path(name))
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)

    def _local_key(self) -> bytes:
        """Return the directory's own key; made by whoever needs it first."""
        with self._guard:
            if self._key is None:
                key = self._content(_LOCAL_KEY)
                if key is None or len(key) != _KEY_BYTES:
                    try:
                        self._replace(_LOCAL_KEY, secrets.token_bytes(_KEY_BYTES), keep_existing=key is None)
                    except OSError as exc:
                        raise self._unusable(_reason(exc)) from exc
                    key = self._content(_LOCAL_KEY)
                    if key is None or len(key) != _KEY_BYTES:
                        raise self._unusable(f"the file {_LOCAL_KEY} in it is none of ours")
                self._key = key
            return self._key

    def _path(self, name: str) -> str:
        return os.path.join(self.directory, name)

    def _unusable(self, reason: str) -> OptionError:
        return OptionError(
            f"Tokens cannot be kept in '{self.directory}': {reason}.",
            next_step="Name a directory of your own in token_cache_directory, or use token_cache=memory.",
            scope="credential",
        )


def _is_at(handle: int, path: str) -> bool:
    """Whether an open file is the one that stands at a path."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def _remove_unused(path: str) -> None:
    """Remove a file that nobody has locked. Whoever opened a lock before finds it no more at its path, see `FileStore.locked()`.

    :raises OSError: where somebody has, or where there are no locks.
    """
    handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_at(handle, path):
            os.unlink(path)
    finally:
        os.close(handle)


def _cipher(material: bytes, salt: bytes) -> Any:
    derive = cryptography.hazmat.primitives.kdf.hkdf.HKDF(
        algorithm=cryptography.hazmat.primitives.hashes.SHA256(), length=_KEY_BYTES, salt=salt, info=b"m365d.partner token cache"
    )
    return cryptography.hazmat.primitives.ciphers.aead.AESGCM(derive.derive(material))


def prepare_cipher() -> None:
    """Use the cipher once, so that processes forked later find its algorithms loaded.

    :raises LibraryMissing: where cryptography is not installed.
    """
    require_libraries()
    _cipher(bytes(_KEY_BYTES), bytes(_SALT_BYTES)).encrypt(bytes(_NONCE_BYTES), b"", b"")


def _reason(exc: OSError) -> str:
    return (exc.strerror or str(exc)).lower()
