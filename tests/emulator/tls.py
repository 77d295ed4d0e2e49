# Copyright: (c) 2026, m365d.partner contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A certificate authority made at start, and the server's certificate for localhost."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import trustme


def make_tls(state_dir: Path) -> tuple[ssl.SSLContext, Path]:
    """The server's TLS context and the file with the CA that clients trust.

    The server's key never touches the disk beyond the moment OpenSSL needs to read it from a private temporary file.
    """
    authority = trustme.CA(organization_name="Emulated Microsoft cloud")
    leaf = authority.issue_cert("localhost", "127.0.0.1", "::1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    leaf.configure_cert(context)
    path = state_dir / "ca.pem"
    write_private(path, authority.cert_pem.bytes())
    return context, path


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, complete or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    temporary.replace(path)
