"""The table that a person reads."""

from __future__ import annotations

from collections.abc import Iterator

from bench.figures import FIGURES, IMPORT_LIMITS, SCALINGS, TITLES
from bench.importing import KEYS, STATEMENTS
from bench.measuring import Results, processor
from bench.processes import BY_HAND, OWN


def lines(results: Results) -> Iterator[str]:
    """The whole report, line by line; the tables are Markdown."""
    size = "; quick: a twentieth of the rows, good for nothing but to see that it runs"
    yield f"{results.rounds} rounds in turn on {processor()}{size if results.is_quick else ''}"
    for side, versions in results.versions.items():
        yield f"  {side}: {', '.join(' '.join(pair) for pair in versions.items())}"
    for operation in results.samples:
        yield from _operation(results, operation)
    if results.name == "threads":
        yield from _scaling(results)
    if results.importing:
        yield from _importing(results)


def _operation(results: Results, operation: str) -> Iterator[str]:
    yield ""
    yield f"| {TITLES[operation]} | processor ms | clock ms | to by hand |"
    yield "|---|---:|---:|---:|"
    samples = results.samples[operation]
    for side in sorted(samples, key=lambda one: results.median_ms(operation, one)):
        cpu, wall = (results.median_ms(operation, side, key) for key in ("cpu_ms", "wall_ms"))
        ratio = results.ratio(operation, side, BY_HAND.name)
        shown = "" if ratio is None else f"{ratio:.2f}"
        yield f"| {side} | {cpu:.3f} | {wall:.3f} | {shown} |"
    yield from _figures(results, operation)


def _figures(results: Results, operation: str) -> Iterator[str]:
    for figure in FIGURES:
        if figure.operation != operation:
            continue
        ratio = results.ratio(operation, figure.side.name, figure.other.name)
        shown = "not measured" if ratio is None else f"{ratio:.2f}"
        verdict = "reached" if ratio is not None and figure.holds(ratio) else "NOT REACHED"
        yield f"  {figure.side.name} / {figure.other.name}: {shown} ({figure.limit}: {verdict})"


def _scaling(results: Results) -> Iterator[str]:
    counts = [scaling.count for scaling in SCALINGS]
    yield ""
    yield f"| part of linear, by the clock | {' | '.join(f'{count} at once' for count in counts)} |"
    yield f"|---|{'---:|' * len(counts)}"
    for side in results.samples["at_once_1"]:
        shown = " | ".join(f"{results.scaling(count, side):.2f}" for count in counts)
        yield f"| {side} | {shown} |"
    for scaling in SCALINGS:
        part = results.scaling(scaling.count, OWN.name)
        verdict = "reached" if part >= scaling.least else "NOT REACHED"
        yield f"  {OWN.name}, {scaling.count} at once: {part:.2f} (>= {scaling.least:g}: {verdict})"


def _importing(results: Results) -> Iterator[str]:
    yield ""
    for limit in IMPORT_LIMITS:
        value = results.importing[limit.key]
        verdict = "reached" if value < limit.most else "NOT REACHED"
        yield f"{limit.name} {value:.2f} {limit.unit} (< {limit.most:g}: {verdict})"
    yield ""
    yield "| | processor s | clock s | MiB |"
    yield "|---|---:|---:|---:|"
    for start, statement in STATEMENTS.items():
        cpu, wall, mib = (results.importing[start + key] for key in KEYS)
        yield f"| {statement} | {cpu:.3f} | {wall:.3f} | {mib:.0f} |"
