"""Refuses every connection that would leave this machine, so that the tests prove that the course works offline."""

from __future__ import annotations

import ipaddress
import os
import socket
import sys

LOG = "OFFLINE_GUARD_LOG"
"""Environment variable: a file to which each refused address is added, also where the caller hides the error."""

_NAMES = ("", "localhost", socket.gethostname().lower())
_installed = False


class ConnectionRefusedOffline(ConnectionRefusedError):
    """A connection to an address outside this machine was attempted. The message names the address."""


def install() -> None:
    """From now on this process reaches loopback and Unix sockets only. It cannot be undone."""
    global _installed
    if not _installed:
        sys.addaudithook(_audit)
        _installed = True


def _audit(event: str, arguments: tuple) -> None:
    """Python's audit hook: called with every event, so it looks at the first letters before anything else."""
    if not event.startswith("socket."):
        return
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        sock, address = arguments
        if sock.family in (socket.AF_INET, socket.AF_INET6) and address is not None:
            _refuse_outside(address[0])
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        _refuse_outside(arguments[0])


def _refuse_outside(host: str | bytes | None) -> None:
    """Raises ConnectionRefusedOffline unless ``host`` is this machine."""
    name = (host.decode("ascii", "replace") if isinstance(host, bytes) else host or "").lower()
    if name in _NAMES:
        return
    try:
        address = ipaddress.ip_address(name)
        if address.is_loopback or address.is_unspecified:
            return
    except ValueError:
        pass  # a name, and not this machine's
    if os.environ.get(LOG):
        with open(os.environ[LOG], "a", encoding="utf-8") as log:
            log.write(f"{name} by {' '.join(sys.argv)[:200]}\n")
    raise ConnectionRefusedOffline(f"{name} lies outside this machine; the course works offline.")
