"""The command `doctor`: the report on one model, or the file that completes its metadata."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
from collections.abc import Iterator
from typing import Any

from kserve_client.catalog import Catalog
from kserve_client.cli.arguments import PROGRAM
from kserve_client.cli.console import Console, table
from kserve_client.cli.status import NO_ANSWER, OK, SOME_FAILED, USAGE
from kserve_client.doctor import Asked, Report, Result, examine

METADATA = "model-metadata"


def doctor(arguments: argparse.Namespace, catalog: Catalog, console: Console) -> int:
    """Examine a model; returns the exit status."""
    report = examine(catalog, arguments.model)
    if arguments.fix:
        return _fix(report, console)
    console.show(_report_text(report), _report_object(report))
    return _status(report)


def _status(report: Report) -> int:
    if not report.is_answered:
        return USAGE if report.is_unasked else NO_ANSWER
    return SOME_FAILED if report.count("fail") else OK


def _fix(report: Report, console: Console) -> int:
    """Only the file goes to standard output; what to do with it to standard error."""
    found = report.result(METADATA)
    fix = found.fix
    if fix is not None and fix.content:
        console.show(fix.content.rstrip("\n"), dataclasses.asdict(fix))
        console.complain(f"{fix.file_name}: {fix.what}")
        return OK
    if console.as_json:
        console.show("", fix and dataclasses.asdict(fix))
    if found.verdict == "pass":
        console.complain("the metadata is complete: there is nothing to fix")
        return OK
    console.complain(fix.what if fix else report.verdict)
    return _status(report)


def _report_text(report: Report) -> str:
    served = f" · {report.server}" if report.server else ""
    grade = f"Grade {report.grade}, {report.score} of 100. " if report.grade else ""
    head = [f"{report.title} · {report.endpoint}{served}", f"{grade}{report.verdict}"]
    if not report.is_answered:  # which checks that holds up says nothing of the model
        see = f"See which step fails: {PROGRAM} health {shlex.quote(report.model)}"
        return "\n".join([*head, see])
    rows = [(r.name, r.verdict, r.finding) for r in report.results if r.verdict != "skipped"]
    parts = ["\n".join(head), table(("CHECK", "VERDICT", "FOUND"), rows), *_skipped(report)]
    return "\n\n".join([*parts, *_mendings(report)])


def _skipped(report: Report) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for result in report.results:
        if result.verdict == "skipped":
            reasons.setdefault(result.finding, []).append(result.name)
    if reasons:
        lines = [f"  {', '.join(names)}: {why}" for why, names in reasons.items()]
        yield "\n".join(["Skipped", *lines])


def _mendings(report: Report) -> Iterator[str]:
    """A file that mends several checks is written once."""
    written: set[str] = set()
    for result in report.results:
        if result.verdict in ("fail", "warn"):
            content = result.fix.content if result.fix else ""
            yield _mending(result, is_new=content not in written)
            written.add(content)


def _mending(result: Result, *, is_new: bool) -> str:
    lines = [f"{result.name} ({result.verdict})", f"  Why   {result.why}"]
    for asked in result.asked[-2:]:
        lines += [f"  Sent  {_sent(asked)}", f"  Seen  {_seen(asked)}"]
    fix = result.fix
    if fix is None:
        return "\n".join(lines)
    lines.append(f"  Fix   {fix.what}")
    if fix.content and is_new:
        lines += [f"        {fix.file_name}:", *_indented(fix.content)]
    elif fix.content:
        lines.append(f"        {fix.file_name}: the same as above")
    return "\n".join(lines)


def _indented(content: str) -> list[str]:
    return [f"          {line}".rstrip() for line in content.rstrip("\n").split("\n")]


def _sent(asked: Asked) -> str:
    return f"{asked.method} {asked.path} {asked.sent}".rstrip()


def _seen(asked: Asked) -> str:
    if asked.status is None:
        return asked.problem
    kind = asked.headers.get("content-type", "no content type")
    return f"{asked.status_words} ({kind}) {asked.seen or 'no body'}"


def _report_object(report: Report) -> dict[str, Any]:
    return {
        "model": report.model,
        "title": report.title,
        "endpoint": report.endpoint,
        "server": report.server,
        "grade": report.grade,
        "score": report.score,
        "verdict": report.verdict,
        "counts": {
            verdict: report.count(verdict) for verdict in ("pass", "warn", "fail", "skipped")
        },
        "checked_at": report.checked_at.isoformat(),
        "elapsed_s": report.elapsed_s,
        "checks": [dataclasses.asdict(result) for result in report.results],
    }
