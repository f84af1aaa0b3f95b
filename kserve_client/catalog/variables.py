"""Environment variables in a models file: `${NAME}`, `${NAME:-what stands for it}`, `$${` for `${`.

One file then serves every environment: what differs, such as the address of an endpoint, comes from
outside. Values are filled in, keys never are. A secret does not belong here, see `auth`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_VARIABLE = re.compile(
    r"(?P<escaped>\$\$\{)|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(:-(?P<default>[^}]*))?\}|(?P<bad>\$\{)"
)
Path = tuple[str | int, ...]
Refuse = Callable[[str, Path], Any]


def filled(value: Any, environment: Mapping[str, str], refuse: Refuse) -> Any:
    """The value, and all within it, with its variables filled in.

    What YAML aliases put in several places is one object in all of them, here too. `refuse` is
    called with the problem and the place of it, and raises.
    """
    return _Filling(environment, refuse).of(value, ())


class _Filling:
    """Fills each mapping and list once: a few aliases of aliases would unfold to gigabytes."""

    def __init__(self, environment: Mapping[str, str], refuse: Refuse) -> None:
        self._environment = environment
        self._refuse = refuse
        self._done: dict[int, Any] = {}
        self._begun: set[int] = set()

    def of(self, value: Any, at: Path) -> Any:
        if isinstance(value, str):
            return _text(value, self._environment, self._refuse, at) if "${" in value else value
        if not isinstance(value, dict | list):
            return value
        if id(value) not in self._done:
            if id(value) in self._begun:
                self._refuse("an alias (*) stands within what it stands for", at)
            self._begun.add(id(value))
            self._done[id(value)] = self._within(value, at)
        return self._done[id(value)]

    def _within(self, value: dict[Any, Any] | list[Any], at: Path) -> Any:
        if isinstance(value, dict):
            return {key: self.of(one, (*at, key)) for key, one in value.items()}
        return [self.of(one, (*at, n)) for n, one in enumerate(value)]


def _text(text: str, environment: Mapping[str, str], refuse: Refuse, at: Path) -> str:
    def value_of(found: re.Match[str]) -> str:
        if found["escaped"]:
            return "${"
        if found["bad"]:
            refuse("write ${NAME} or ${NAME:-default}; $${ stands for ${", at)
        name, default = found["name"], found["default"]
        value = environment.get(name, "") or default
        if value is None:
            refuse(
                f"the environment variable {name} is not set; give it, or ${{{name}:-default}}", at
            )
        return str(value)

    return _VARIABLE.sub(value_of, text)
