"""Certificates of a cluster's nodes: what goes between them is encrypted, and nobody else is answered.

Ray reads them by its own settings (https://docs.ray.io, Ray security, TLS). One folder holds what a node needs; the key
of the authority that signed is not among it, and stays where the certificates were made.
"""

from __future__ import annotations

import datetime
import os
from pathlib import Path

from ...base.errors import ConfigError
from ...base.files import write_whole
from ...base.private import make_private

CA, CERTIFICATE, KEY, AUTHORITY = "ca.pem", "node.pem", "node-key.pem", "ca-key.pem"
SETTINGS = {"RAY_TLS_SERVER_CERT": CERTIFICATE, "RAY_TLS_SERVER_KEY": KEY, "RAY_TLS_CA_CERT": CA}
VALID = datetime.timedelta(days=825)


def use(folder: Path) -> None:
    """Let Ray use the certificates of a folder, before it is imported. Raises ConfigError for one that lacks some."""
    place = folder.expanduser().absolute()
    missing = [name for name in SETTINGS.values() if not (place / name).is_file()]
    if missing:
        hint = "make them with: inkstream cluster certificates FOLDER"
        raise ConfigError(f"tls: {place} has no {', '.join(missing)}; {hint}")
    os.environ["RAY_USE_TLS"] = "1"
    os.environ.update({setting: str(place / name) for setting, name in SETTINGS.items()})


def make(folder: Path, hosts: list[str]) -> Path:
    """Certificates for nodes with these names and addresses, in ``folder``; its authority, where it has one, signs.

    Returns the folder. Raises ConfigError where the library is missing, OSError.
    """
    try:
        import trustme
    except ImportError as error:
        raise ConfigError(
            'cluster: trustme is missing, expected it to be installed: pip install "inkstream[cluster]"'
        ) from error
    place = make_private(folder.expanduser().absolute())
    key, public = place / AUTHORITY, place / CA
    if key.is_file() and public.is_file():
        authority = trustme.CA.from_pem(public.read_bytes(), key.read_bytes())
    else:
        authority = trustme.CA(organization_name="inkstream", organization_unit_name="cluster")
        write_whole(key, authority.private_key_pem.bytes(), mode=0o600)
        write_whole(public, authority.cert_pem.bytes())
    until = datetime.datetime.now(datetime.UTC) + VALID
    issued = authority.issue_cert(*hosts, not_after=until, organization_name="inkstream cluster")
    write_whole(place / CERTIFICATE, b"".join(each.bytes() for each in issued.cert_chain_pems))
    write_whole(place / KEY, issued.private_key_pem.bytes(), mode=0o600)
    return place
