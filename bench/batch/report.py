"""The tables that a person reads."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from bench.batch.figures import OWN, WANTED
from bench.batch.results import Batch, Sample


def lines(results: Batch) -> Iterator[str]:
    """The whole report, line by line; the tables are Markdown."""
    size = "; quick: few rows, good for nothing but to see that it runs"
    yield f"{results.rounds} rounds in turn on {results.processor}{size if results.is_quick else ''}"
    yield f"  load {' at the start, '.join(f'{one:.1f}' for one in results.load)} at the end"
    yield f"  {', '.join(' '.join(pair) for pair in results.versions.items())}"
    yield from (f"  {side}: {mode}" for side, mode in results.modes.items())
    yield from (f"  {note}" for note in results.notes)
    yield from _speed(results)
    yield from _rest(results)
    yield ""
    yield from _figures(results)


def _speed(results: Batch) -> Iterator[str]:
    yield ""
    yield (
        "| CSV file to CSV file | rows/s | slowest to fastest round "
        "| its processor µs/row | the server's |"
    )
    yield "|---|---:|---:|---:|---:|"
    for side in sorted(results.samples, key=results.rows_per_s, reverse=True):
        samples = results.samples[side]
        rates = sorted(sample.rows_per_s for sample in samples)
        own, server = (median(values) for values in zip(*map(_costs, samples), strict=True))
        name = f"**{side}**" if side in OWN else side
        spread = f"{rates[0]:,.0f} – {rates[-1]:,.0f}"
        yield f"| {name} | {median(rates):,.0f} | {spread} | {own:.2f} | {server:.2f} |"


def _costs(sample: Sample) -> tuple[float, float]:
    return sample.cpu_s * 1e6 / sample.rows, sample.server_cpu_s * 1e6 / sample.rows


def _rest(results: Batch) -> Iterator[str]:
    yield ""
    for rows, peak in results.peaks_mib.items():
        yield f"{rows:,} rows: {peak:.0f} MiB at most"
    for count, sample in results.at_once.items():
        yield f"{count} at once, answered after 200 ms: {sample.rows_per_s:,.0f} rows/s"
    for count, sample in results.workers.items():
        yield f"{count} Dask workers, answered after 200 ms: {sample.rows_per_s:,.0f} rows/s"
    for kind, samples in results.through_proxy.items():
        rate = median(sample.rows_per_s for sample in samples)
        yield f"through a proxy, {kind}: {rate:,.0f} rows/s"


def _figures(results: Batch) -> Iterator[str]:
    for wanted in WANTED:
        value = results.values.get(wanted.key)
        shown = "not measured" if value is None else f"{value:.4g}"
        verdict = "reached" if value is not None and wanted.holds(value) else "NOT REACHED"
        yield f"  {wanted.title}: {shown} ({wanted.limit}: {verdict})"
    yield from (f"  Problem: {problem}" for problem in results.problems)
