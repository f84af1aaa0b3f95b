"""Describing a model: ask every source there is, and merge what they say."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from kserve_client.catalog.facts import Description, Draft, Settings, Source, SourceFailure
from kserve_client.catalog.merging import merge
from kserve_client.catalog.models_file import Entry, SampleFile
from kserve_client.client import ModelMetadata
from kserve_client.errors import KServeClientError, NoAnswerInTimeError
from kserve_client.signature import Signature, from_metadata

if TYPE_CHECKING:
    from kserve_client.catalog.sample import Sample

# MLflow is asked up to eight times in a row, and a resolver of names knows no time-out.
LONGEST_WAIT_S = 6.0
_OF_SIGNATURE = ("layout", "input", "datatype", "content_type")
_KNOW_DATATYPES = ("server metadata", "MLflow")
_OF_ENTRY = ("title", "description", "owner", "links")


@dataclass(frozen=True, slots=True)
class Question:
    """A source with what it takes to get its draft."""

    source: Source
    ask: Callable[[], Draft]


def describe(
    questions: list[Question], known: list[Draft], sample: SampleQuestion | None = None
) -> Description:
    """Ask all sources at once, and merge their drafts, those of `known` after them.

    What a source could not say, or not in time, becomes a failure beside the rest, never an
    exception.
    """
    failures: list[SourceFailure] = []
    asked = [draft for draft in _answers(questions, failures) if draft is not None]
    if sample is None:
        return merge([*asked, *known], failures)
    others = [*asked, *known]
    learned = _learned(sample, others, failures)
    ordered = [*learned, *others] if sample.settings.fills_gaps else [*others, *learned]
    return merge(ordered, failures)


def _answers(questions: list[Question], failures: list[SourceFailure]) -> Iterator[Draft | None]:
    ends = time.monotonic() + LONGEST_WAIT_S
    waiting = [_asked(question) for question in questions]
    for question, answer in zip(questions, waiting, strict=True):
        draft = None
        with _noting(question.source, failures):
            draft = _in_time(answer, ends - time.monotonic())
        yield draft


def _asked(question: Question) -> Future[Draft]:
    """Ask in a thread that nobody waits for, not even the end of the program."""
    answer: Future[Draft] = Future()

    def ask() -> None:
        try:
            answer.set_result(question.ask())
        except BaseException as error:  # noqa: BLE001 - raised again where the result is read
            answer.set_exception(error)

    threading.Thread(target=ask, name=f"describe {question.source}", daemon=True).start()
    return answer


def _in_time(answer: Future[Draft], left_s: float) -> Draft:
    try:
        return answer.result(timeout=max(left_s, 0.0))
    except FutureTimeoutError:
        raise NoAnswerInTimeError(f"it takes longer than {LONGEST_WAIT_S:g} s") from None


@contextmanager
def _noting(source: Source, failures: list[SourceFailure]) -> Iterator[None]:
    try:
        yield
    except KServeClientError as error:
        failures.append(SourceFailure(source, error))


# The sample


@dataclass(frozen=True, slots=True)
class SampleQuestion:
    """A sample file, and the folder it lies below."""

    settings: SampleFile
    folder: Path


def _learned(
    sample: SampleQuestion, before: list[Draft], failures: list[SourceFailure]
) -> list[Draft]:
    """What a sample adds to what is known without it."""
    from kserve_client.catalog.sample import propose

    with _noting(Source("sample", sample.settings.file), failures):
        path = sample.folder / sample.settings.file
        read = _read_once(sample.folder, sample.settings.file, _state_of(path))
        known = known_settings(merge(before))
        return [propose(read, known, leave_out=sample.settings.leave_out)]
    return []


def _state_of(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


@lru_cache(maxsize=16)
def _read_once(folder: Path, file: str, state: tuple[int, int] | None) -> Sample:
    """The sample, read again when its file changed."""
    del state
    from kserve_client.catalog.sample import sample_file

    return sample_file(folder, file)


def known_settings(description: Description) -> dict[str, Settings]:
    """What is known of each feature, by its name, as `propose` takes it.

    A kind that only follows from a datatype is not known where texts may be a category.
    """
    signature = description.signature
    if signature is None:
        return {}
    shared = signature.datatype if signature.layout == "tensor" else None
    guessed = {
        fact.of[1]
        for fact in description.facts
        if (fact.setting, fact.value) == ("kind", "text") and fact.source.kind in _KNOW_DATATYPES
    }
    return {
        feature.name: {
            **_without_kind(_said(feature)),
            **({} if feature.name in guessed else {"kind": feature.kind}),
            "datatype": feature.wire_datatype(shared),
        }
        for feature in signature.features
    }


def _without_kind(settings: Settings) -> Settings:
    return {name: value for name, value in settings.items() if name != "kind"}


# Drafts of the two sources that need no asking of others


def metadata_draft(metadata: ModelMetadata, detail: str = "") -> Draft:
    """What V2 metadata says. Raises ConfigurationError when it is nothing this client can send."""
    source = Source("server metadata", detail)
    signature = from_metadata(metadata)
    about = {"platform": metadata.platform} if metadata.platform else {}
    if signature is None:
        outputs = tuple({"name": o.name, "requested": False} for o in metadata.outputs)
        return Draft(source, outputs=outputs, about=about)
    only = metadata.inputs[0].name
    return Draft(
        source,
        tensors=_tensors(signature),
        features=tuple(_said(feature) for feature in signature.features),
        outputs=tuple(_said(output) for output in signature.outputs),
        names_features=not signature.features[0].name.startswith(f"{only}["),
        about=about,
    )


def entry_draft(entry: Entry, source: Source) -> Draft:
    """What an entry of a models file says, or of an annotation that is written like one."""
    signature = entry.signature
    about = {name: getattr(entry, name) for name in _OF_ENTRY if getattr(entry, name)}
    examples = {example.name: example.row for example in entry.examples}
    if signature is None:
        return Draft(source, about=about, examples=examples)
    return Draft(
        source,
        tensors=_tensors(signature),
        features=tuple(_said(feature) for feature in signature.features),
        outputs=tuple(_said(output) for output in signature.outputs),
        is_complete=signature.complete,
        about=about,
        examples=examples,
    )


def _tensors(signature: Signature) -> dict[str, Any]:
    said = signature.model_fields_set
    return {name: getattr(signature, name) for name in _OF_SIGNATURE if name in said}


def _said(part: BaseModel) -> dict[str, Any]:
    """The settings that were written, not those left to their defaults."""
    return part.model_dump(exclude_unset=True)
