"""Checks of the server around the model: they need no rows."""

from __future__ import annotations

import re

from pydantic import ValidationError

from kserve_client.client import ModelMetadata, ServerMetadata, TensorMetadata, model_path
from kserve_client.datatypes import DATATYPES
from kserve_client.doctor import fixes
from kserve_client.doctor.case import Case
from kserve_client.doctor.findings import Finding, failed, passed, skipped, warned
from kserve_client.doctor.judging import judge_refusal, listed, object_in
from kserve_client.doctor.report import Fix, status_words

UNKNOWN = "kserve-client-no-such-thing"
SERVER_FORM = Fix('GET /v2 should answer {"name": "…", "version": "…", "extensions": [ … ]}.')
MODEL_FORM = Fix(
    'GET v2/models/M should answer {"name": "…", "versions": [ … ], "platform": "…", "inputs": [ … ], '
    '"outputs": [ … ]}, each input and output with name, datatype and shape.'
)
_DENIED = frozenset({401, 403, 407})
_LEAK = re.compile(
    r"Traceback \(most recent call last\)|File \"[^\"]+\", line \d+|/site-packages/"
    r"|\bat [\w.$]+\(\w+\.java:\d+\)"
)


def server_metadata(case: Case) -> Finding:
    """`GET v2` names the server, its version and its extensions."""
    told = object_in(case.get("/v2"), "GET /v2", SERVER_FORM)
    try:
        server = case.server = ServerMetadata.model_validate(told)
    except ValidationError:
        text = "GET /v2 answers an object whose name, version or extensions are of other kinds"
        return failed(text, SERVER_FORM)
    lacking = [key for key in ("name", "version", "extensions") if key not in told]
    if lacking or not server.name:
        return warned(f"the server does not say its {listed(lacking or ['name'])}", SERVER_FORM)
    extensions = f"with {listed(server.extensions)}" if server.extensions else "no extensions named"
    return passed(f"{server.name} {server.version}, {extensions}")


def server_health(case: Case) -> Finding:
    """`GET v2/health/live` and `ready` say by their status that the server takes requests."""
    answers = {path: case.get(f"/v2/health/{path}") for path in ("live", "ready")}
    not_well = [f"{path} {status_words(a.status)}" for path, a in answers.items() if not a.is_ok]
    if not_well:
        advice = "See what is broken on the Health page, or with `kserve-client health`."
        return failed(f"the server answers {', '.join(not_well)}", Fix(advice))
    return passed("live and ready")


def model_ready(case: Case) -> Finding:
    """`GET v2/models/M/ready` says by its status that the model takes requests."""
    answer = case.get(f"{case.path}/ready")
    if answer.is_ok:
        return passed("the model is ready")
    said = f"the model answers {status_words(answer.status)}"
    if answer.status in _DENIED or 300 <= answer.status < 400:
        case.asker.give_up(f"the endpoint does not let us in ({answer.status})")
        return failed(said, Fix("Give its endpoint a valid token, under auth in the models file."))
    return failed(said, Fix("Check model_name and model_version in the models file, or load it."))


def model_metadata(case: Case) -> Finding:
    """`GET v2/models/M` names every input and output with datatype and shape."""
    told = object_in(case.get(case.path), f"GET {case.path}", MODEL_FORM)
    try:
        metadata = case.metadata = ModelMetadata.model_validate(told)
    except ValidationError as error:
        where = ".".join(map(str, error.errors(include_input=False)[0]["loc"]))
        text = f"the metadata can't be read: {where} is missing or of another kind"
        return failed(text, MODEL_FORM)
    lacking = [part for part in ("inputs", "outputs") if not getattr(metadata, part)]
    if lacking:
        return failed(f"the metadata names no {' and no '.join(lacking)}")
    strange = [t for t in (*metadata.inputs, *metadata.outputs) if _is_strange(t)]
    if strange:
        return failed(
            f"{strange[0].name} has datatype {strange[0].datatype!r}, shape {strange[0].shape}"
        )
    counts = f"{len(metadata.inputs)} in, {len(metadata.outputs)} out"
    return passed(f"{counts}, each with datatype and shape{_unsaid(metadata)}")


def _is_strange(tensor: TensorMetadata) -> bool:
    is_shape = bool(tensor.shape) and all(length >= -1 for length in tensor.shape)
    return tensor.datatype not in DATATYPES or not is_shape or not tensor.name


def _unsaid(metadata: ModelMetadata) -> str:
    unsaid = [part for part in ("platform", "versions") if not getattr(metadata, part)]
    return f"; {listed(unsaid)} not said, which is allowed" if unsaid else ""


def versions(case: Case) -> Finding:
    """The versions that the metadata lists answer, and others don't."""
    named = list(case.metadata.versions)[:3] if case.metadata else []
    stray = case.get(f"{_version(case, UNKNOWN)}/ready")
    if stray.is_ok:
        return warned(
            "a version that can't exist is said to be ready",
            Fix("Answer /versions/V of an unknown V with 404, or 501 where there are no versions."),
        )
    if not named:
        return _unlisted(case, status_words(stray.status))
    silent = [v for v in named if not case.get(f"{_version(case, v)}/ready").is_ok]
    if silent:
        answering = [v for v in named if v not in silent]
        text = f"the metadata lists version {listed(silent)}, which does not answer"
        return failed(text, fixes.version_fix(case, answering))
    return passed(f"version {listed(named)} answers, another one is {status_words(stray.status)}")


def _version(case: Case, version: str) -> str:
    return model_path(case.model.name, version)


def _unlisted(case: Case, refused: str) -> Finding:
    version = case.first.model_version if case.first else None
    if version and case.get(f"{_version(case, version)}/ready").is_ok:
        return warned(
            f"version {version} answers, but the metadata lists no versions",
            fixes.version_fix(case, [version]),
        )
    return passed(f"no versions are listed, and a path with one is refused ({refused})")


def unknown_model(case: Case) -> Finding:
    """A model that is not there is a 404 with a reason."""
    answer = case.get(model_path(UNKNOWN))
    found = judge_refusal(answer, "a model that is not there")
    if found.verdict == "pass" and answer.status != 404:
        found = warned(f"{found.text}, where 404 says it best")
    if found.verdict != "pass":
        found.fix = Fix('Answer GET v2/models/<unknown> with status 404 and {"error": "<why>"}.')
    return found


def unknown_route(case: Case) -> Finding:
    """A path that is not there, and a HEAD request, do no harm."""
    path = f"/v2/{UNKNOWN}"
    answers = {f"GET {path}": case.get(path), "HEAD /v2": case.get("/v2", method="HEAD")}
    said = {asked: status_words(a.status) for asked, a in answers.items() if a.status >= 500}
    broken = [f"{asked} {words}" for asked, words in said.items() if not words.startswith("501")]
    if broken:
        return failed(f"the server breaks: {', '.join(broken)}", Fix("Answer 404 and 405 instead."))
    if answers[f"GET {path}"].is_ok:
        return warned(
            f"GET {path} is answered {status_words(answers[f'GET {path}'].status)}",
            Fix("A page that catches every path hides mistyped addresses: answer 404."),
        )
    return passed(", ".join(f"{asked}: {a.status}" for asked, a in answers.items()))


def no_leak(case: Case) -> Finding:
    """No refusal of the checks before shows code or paths of the server."""
    if not case.asker.refusals:
        return skipped("the server refused nothing, so there is no error to look at")
    for asked, body in case.asker.refusals:
        if found := _LEAK.search(body):
            case.asker.asked.append(asked)
            text = f'an error of {asked.path} shows the server\'s own code: "{found[0]}"'
            return failed(text, fixes.no_debug_fix(case))
    return passed(f"{len(case.asker.refusals)} refusals, none with a traceback or a path")
