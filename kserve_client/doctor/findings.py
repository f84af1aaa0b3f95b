"""What a check finds: its verdict in a sentence, and the fix."""

from __future__ import annotations

from kserve_client.doctor.report import Fix, Verdict


class Finding(Exception):  # noqa: N818 - the end of a check, not an error
    """What a check found. It may be raised where a part of the check ends the whole."""

    def __init__(self, verdict: Verdict, text: str, fix: Fix | None = None) -> None:
        self.verdict = verdict
        self.text = text
        self.fix = fix
        super().__init__(text)


def passed(text: str) -> Finding:
    """All is well."""
    return Finding("pass", text)


def warned(text: str, fix: Fix | None = None) -> Finding:
    """It works, but not as it should."""
    return Finding("warn", text, fix)


def failed(text: str, fix: Fix | None = None) -> Finding:
    """It does not work, or is wrong."""
    return Finding("fail", text, fix)


def skipped(why: str) -> Finding:
    """There is nothing to ask, or no way to."""
    return Finding("skipped", why)
