"""Asks a server what was asked once, and keeps what it says now: `python -m scripts.record URL FILE...`.

Each FILE of tests/recorded/ holds JSON lines: a request, and the answer that a server gave. The
requests are sent to the server at URL in their order, and FILE gets the new answers, so that `git
diff` shows what a new version says differently. What differs at each run (dates, ids, addresses) is
not kept.
"""

import argparse
import base64
import http.client
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scripts.problem import ScriptError

TIMEOUT_S = 60.0
KEPT_HEADERS = (
    "allow",
    "content-type",
    "inference-header-content-length",
    "location",
    "retry-after",
)
SCRUBBED = [
    # Of the same length, so that the lengths that a binary answer names stay right.
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "00000000-0000-4000-8000-000000000000"),
    (r"\b(127\.0\.0\.1|localhost):\d+", "server.example"),
    (r"\[\d\d:\d\d:\d\d\]", "[00:00:00]"),
    (r'("(?:last_inference|ns|inference_stats_time)": ?)\d+', r"\g<1>0"),
    (r'File "/[^"]*/(?=site-packages/|lib-dynload/)', 'File "/venv/'),
]


@dataclass(frozen=True)
class Recording:
    """One request and the answer to it. A body is text, or base64 where it is no UTF-8."""

    name: str
    method: str
    path: str
    status: int
    request_headers: Mapping[str, str] = field(default_factory=dict)
    request_body: str = ""
    request_base64: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    base64: str = ""

    @property
    def question(self) -> bytes:
        """The body of the request as it travels."""
        return _bytes(self.request_body, self.request_base64)

    @property
    def answer(self) -> bytes:
        """The body of the answer as it came."""
        return _bytes(self.body, self.base64)

    def answered(self, status: int, headers: Mapping[str, str], body: bytes) -> "Recording":
        """Return this request with another answer, without what differs at each run."""
        told = {name.lower(): value for name, value in headers.items()}
        kept = {name: _scrubbed(told[name]) for name in KEPT_HEADERS if name in told}
        text, binary = _kept(_scrubbed(body.decode("latin-1")).encode("latin-1"))
        return replace(self, status=status, headers=kept, body=text, base64=binary)


def _bytes(text: str, binary: str) -> bytes:
    return base64.b64decode(binary) if binary else text.encode()


def _kept(body: bytes) -> tuple[str, str]:
    """Return text, or base64 of what is no readable text."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return "", base64.b64encode(body).decode()
    return ("", base64.b64encode(body).decode()) if "\0" in text else (text, "")


def _scrubbed(text: str) -> str:
    for pattern, instead in SCRUBBED:
        text = re.sub(pattern, instead, text)
    return text


def load(path: Path) -> list[Recording]:
    """Read the recordings of a file, in order."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Recording(**json.loads(line)) for line in lines if line]


def save(path: Path, recordings: Sequence[Recording]) -> None:
    """Write recordings, one a line; what is empty is left out."""
    lines = [
        json.dumps({k: v for k, v in asdict(recording).items() if v not in ("", {})})
        for recording in recordings
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def ask(recording: Recording, url: str) -> Recording:
    """Send a recorded request to the server at `url` and return it with today's answer.

    Raises OSError or HTTPException when there is none.
    """
    base = urlsplit(url)
    connection = http.client.HTTPConnection(base.netloc, timeout=TIMEOUT_S)
    headers = {"Accept-Encoding": "identity", **recording.request_headers}
    try:
        connection.request(
            recording.method, base.path + recording.path, recording.question or None, headers
        )
        answer = connection.getresponse()
        return recording.answered(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def shape_of(value: Any) -> Any:
    """Return the form of a JSON value: its keys and kinds, without numbers and texts."""
    if isinstance(value, dict):
        return {key: shape_of(inner) for key, inner in value.items()}
    if isinstance(value, list):
        kinds = [shape_of(inner) for inner in value]
        return [kind for at, kind in enumerate(kinds) if kind not in kinds[:at]]
    return type(value).__name__


def run(arguments: Sequence[str]) -> int:
    """Record the files again."""
    parser = argparse.ArgumentParser(prog="python -m scripts.record", description=__doc__)
    parser.add_argument("url", help="base URL of a running server, without /v2")
    parser.add_argument("files", nargs="+", type=Path, help="files of tests/recorded/")
    options = parser.parse_args(arguments)
    try:
        for path in options.files:
            _record_file(path, options.url)
    except ScriptError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _record_file(path: Path, url: str) -> None:
    before = load(path)
    try:
        after = [ask(recording, url) for recording in before]
    except (OSError, http.client.HTTPException) as error:
        raise ScriptError(f"{url} did not answer all of {path} ({error}): is it there?") from error
    save(path, after)
    changed = [old.name for old, new in zip(before, after, strict=True) if old != new]
    print(f"{path}: {len(after)} answers, {len(changed)} of them new {', '.join(changed)}".strip())


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
