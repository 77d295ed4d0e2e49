# Copyright: (c) 2026, m365d.partner contributors
# Simplified BSD License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The third-party libraries, imported in one place.

Modules must be importable where the libraries are missing (documentation, sanity tests, a remote host that
nobody prepared), so each import is guarded here and asked for with `require_libraries()` before work starts.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from .errors import LibraryMissing

_MISSING: dict[str, str] = {}

try:
    import certifi
    import requests
    import urllib3
except ImportError as exc:
    _MISSING["requests"] = str(exc)

try:
    import msal
except ImportError as exc:
    _MISSING["msal"] = str(exc)

try:
    import cryptography.exceptions
    import cryptography.hazmat.primitives.asymmetric.padding
    import cryptography.hazmat.primitives.asymmetric.rsa
    import cryptography.hazmat.primitives.ciphers.aead
    import cryptography.hazmat.primitives.hashes
    import cryptography.hazmat.primitives.kdf.hkdf
    import cryptography.hazmat.primitives.serialization.pkcs12
    import cryptography.x509
    import jwt
except ImportError as exc:
    _MISSING["PyJWT[crypto]"] = str(exc)

__all__ = ["certifi", "cryptography", "jwt", "msal", "optional_library", "requests", "require_libraries", "urllib3"]


def __getattr__(name: str) -> Any:
    """Stand in for a library that is not installed, so that `from ._libraries import msal` succeeds without it."""
    if name in __all__:
        return None
    raise AttributeError(name)


def optional_library(name: str, *, purpose: str) -> Any:
    """Return a library that few need, imported when it is needed first, since such libraries are large.

    :raises LibraryMissing: with the command that installs it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as exc:
        package = name.partition(".")[0]
        raise LibraryMissing(
            f"The Python library {package} is missing for {sys.executable}; {purpose} needs it.",
            next_step=f"Install it for that interpreter: {sys.executable} -m pip install {package}",
            service_message=str(exc),
        ) from exc


def require_libraries() -> None:
    """Raise `LibraryMissing` with the command that installs what is missing; return quietly otherwise."""
    if not _MISSING:
        return
    names = " ".join(f"'{name}'" if "[" in name else name for name in sorted(_MISSING))
    raise LibraryMissing(
        f"The Python libraries {', '.join(sorted(_MISSING))} are missing for {sys.executable}.",
        next_step=f"Install them for that interpreter: {sys.executable} -m pip install {names}",
        service_message="; ".join(_MISSING.values()),
    )
