"""What it takes to draw from another device: an address that it can reach, a token, and certificates of one's own."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import re
import secrets
import socket
from pathlib import Path
from typing import Any, NamedTuple

from ...base.errors import ConfigError
from ...base.files import open_regular, write_whole
from ...base.private import make_private, user_state

TOKEN = "token"
VALID = datetime.timedelta(days=397)  # the longest that browsers take
EXTRA = 'pip install "inkstream[studio]"'


class Certificates(NamedTuple):
    """Files for a server, and of the authority that signed it, which a tablet is told to trust."""

    chain: Path
    authority: Path


def studio_folder() -> Path:
    """What the studio remembers of this user; made where it is not there yet. Raises OSError."""
    return make_private(user_state() / "studio")


def kept_token(folder: Path | None = None) -> str:
    """The token of this user's studio: the same after a restart, so that nobody is locked out. Raises OSError."""
    path = (folder or studio_folder()) / TOKEN
    with contextlib.suppress(FileNotFoundError), open_regular(path, follow_links=False) as file:
        found = file.read(200).decode("ascii", "ignore").strip()
        if re.fullmatch(r"[A-Za-z0-9_-]{20,100}", found):
            return found
    token = secrets.token_urlsafe(18)
    write_whole(path, token.encode(), mode=0o600)
    return token


def own_addresses() -> list[str]:
    """Addresses by which other devices may reach this one, the likeliest first."""
    found: list[str] = []
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):  # nothing is sent there
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))
            found.append(probe.getsockname()[0])
    with contextlib.suppress(OSError):
        found += [str(each[4][0]) for each in socket.getaddrinfo(socket.gethostname(), None)]
    return list(dict.fromkeys(each for each in found if "%" not in each and not ipaddress.ip_address(each).is_loopback))


def own_names() -> set[str]:
    """Names and addresses that this computer has, as they stand in a browser's address."""
    host = socket.gethostname().lower()
    names = {"localhost", "127.0.0.1", "[::1]", host, f"{host.partition('.')[0]}.local"}
    return names | {f"[{each}]" if ":" in each else each for each in own_addresses()}


def qr(text: str) -> str:
    """A QR code for a terminal. Raises ConfigError where the library is missing."""
    import io

    out = io.StringIO()
    _qr(text).terminal(out, border=2, compact=True)
    return out.getvalue()


def qr_picture(text: str) -> bytes:
    """A QR code as SVG. Raises ConfigError where the library is missing."""
    import io

    out = io.BytesIO()
    _qr(text).save(out, kind="svg", scale=8, border=2, light="#fff")
    return out.getvalue()


def _qr(text: str) -> Any:
    try:
        import segno
    except ImportError as error:
        raise ConfigError(f"--share: the library segno is missing, expected it to be installed: {EXTRA}") from error
    return segno.make(text, error="l")


def certificates(names: set[str], folder: Path | None = None) -> Certificates:
    """A certificate for these names, signed by an authority of this user alone that stays the same.

    Raises ConfigError where the library is missing, OSError.
    """
    try:
        import trustme
    except ImportError as error:
        raise ConfigError(f"--tls: the library trustme is missing, expected it to be installed: {EXTRA}") from error
    place = make_private((folder or studio_folder()) / "tls")
    key, public = place / "ca-key.pem", place / "ca.pem"
    if key.is_file() and public.is_file():
        authority = trustme.CA.from_pem(public.read_bytes(), key.read_bytes())
    else:
        authority = trustme.CA(organization_name="inkstream", organization_unit_name=f"studio of {os.getpid()}")
        write_whole(key, authority.private_key_pem.bytes(), mode=0o600)
        write_whole(public, authority.cert_pem.bytes())
    plain = sorted(each.strip("[]") for each in names)
    until = datetime.datetime.now(datetime.UTC) + VALID
    issued = authority.issue_cert(*plain, not_after=until, organization_name="inkstream studio")
    write_whole(place / "server.pem", issued.private_key_and_cert_chain_pem.bytes(), mode=0o600)
    return Certificates(place / "server.pem", public)
