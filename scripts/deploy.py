"""Fills the names of deploy/names.env into the files of deploy/: `python -m scripts.deploy OUT`."""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.environment import ROOT
from scripts.problem import ScriptError

DEPLOY = ROOT / "deploy"
NAMES = DEPLOY / "names.env"
# What may stand in a name: nothing that could end a text of YAML, JSON or a shell.
_VALUE = re.compile(r"[A-Za-z0-9_./:@+-]+")
# ${NAME} alone; $NAME and $(…) are the shell's own.
_PLACE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")


def read_names(path: Path = NAMES) -> dict[str, str]:
    """Return the names by their name in capital letters. Raises ScriptError naming the line."""
    names: dict[str, str] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            name, value = _assignment(line, f"{path.name}, line {number}")
            names[name] = value
    return names


def _assignment(text: str, where: str) -> tuple[str, str]:
    name, equals, value = text.strip().partition("=")
    if not equals or not name.isidentifier():
        raise ScriptError(f"{where}: {text!r} is no NAME=VALUE.")
    if not _VALUE.fullmatch(value):
        raise ScriptError(f"{where}: {value!r} has letters that no name of Kubernetes or AWS has.")
    return name, value


def render(text: str, names: Mapping[str, str], where: str = "the file") -> str:
    """Return `text` with ${NAME} filled in. Raises ScriptError for a name that there is not."""

    def filled(found: re.Match[str]) -> str:
        if found[1] not in names:
            raise ScriptError(f"{where} wants {found[1]}, which names.env does not have.")
        return names[found[1]]

    return _PLACE.sub(filled, text)


def rendered(names: Mapping[str, str]) -> dict[str, str]:
    """Return the files of deploy/ by their path there; names.env and README.md stay in this repository."""
    left = (NAMES, DEPLOY / "README.md")
    paths = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and path not in left)
    return {
        str(path.relative_to(DEPLOY)): render(
            path.read_text(encoding="utf-8"), names, f"deploy/{path.relative_to(DEPLOY)}"
        )
        for path in paths
    }


def write(folder: Path, names: Mapping[str, str]) -> list[Path]:
    """Write all files below `folder`; scripts stay executable."""
    written = []
    for name, text in rendered(names).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod((DEPLOY / name).stat().st_mode & 0o777)
        written.append(path)
    return written


def _chosen(assignments: Sequence[str]) -> dict[str, str]:
    names = read_names()
    more = dict(_assignment(text, "the command line") for text in assignments)
    if unknown := more.keys() - names.keys():
        raise ScriptError(f"deploy/names.env has no {', '.join(sorted(unknown))}.")
    return names | more


def run(arguments: Sequence[str]) -> int:
    """Read the command line and write the files."""
    parser = argparse.ArgumentParser(
        prog="scripts/deploy.sh",
        description="Writes the files of deploy/ with the names of deploy/names.env filled in.",
    )
    parser.add_argument("out", type=Path, help="folder to write to; files there are replaced")
    parser.add_argument("names", nargs="*", metavar="NAME=VALUE", help="instead of names.env")
    wanted = parser.parse_args(arguments)
    try:
        written = write(wanted.out, _chosen(wanted.names))
    except ScriptError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename}: {error.strerror}.", file=sys.stderr)
        return 1
    print(f"{len(written)} files in {wanted.out}")
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
