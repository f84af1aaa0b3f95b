"""What a command of the command line did."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

PROXIES = ("http_proxy", "https_proxy", "all_proxy")


@dataclass
class Ran:
    """Exit status, standard output and standard error."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)


Run = Callable[..., Ran]


def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here goes through a proxy of this machine."""
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
