"""Why no connection came about, in the words that errors and health checks share."""

from __future__ import annotations

import socket
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unreached:
    """What was found, and what to do about it; both without a full stop."""

    finding: str
    advice: str

    def __str__(self) -> str:
        return f"{self.finding}; {self.advice}"


def unreached(error: Exception, host: str, where: str) -> Unreached:
    """Say why a host could not be reached; `where` is it with its port, or the proxy before it.

    The words of the system stand in brackets where they say more than we can.
    """
    if isinstance(error, socket.gaierror | UnicodeError):
        return Unreached(
            f"the name {host} is not known ({_system_words(error)})",
            "check the host in its URL and the DNS of this machine",
        )
    if isinstance(error, ConnectionRefusedError):
        return Unreached(
            f"nothing listens on {where}",
            "start the server, or correct its URL",
        )
    return Unreached(
        f"no connection to {where} ({_system_words(error)})",
        "check the network between here and there",
    )


def _system_words(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
