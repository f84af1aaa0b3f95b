"""Run the checks on one model of the catalog. A server that is down is a result, never an exception."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from kserve_client.catalog import Catalog
from kserve_client.doctor.answer_checks import V2_FORM
from kserve_client.doctor.case import Case
from kserve_client.doctor.checks import CHECKS, Check
from kserve_client.doctor.findings import Finding, failed
from kserve_client.doctor.fixes import DESCRIBE_FIRST, metadata_fix
from kserve_client.doctor.report import Fix, Report, Result
from kserve_client.errors import InvalidAnswerError, KServeClientError

SEE_HEALTH = Fix("See which step fails: on the Health page, or with `kserve-client health MODEL`.")


def examine(catalog: Catalog, name: str) -> Report:
    """Check how well one model of the catalog speaks V2, with some thirty small requests.

    All of them read only; rows are the examples of the catalog entry, else what its signature
    allows. Each request waits 20 s at most, all together about a minute. Raises ConfigurationError
    only for a name that is not in the catalog, or has no address there.
    """
    case = Case(catalog, name)
    try:
        results = [_result(case, check) for check in CHECKS]
    finally:
        case.asker.close()
    return Report(
        model=name,
        title=catalog.title(name),
        endpoint=case.endpoint.name,
        server=f"{case.server.name} {case.server.version}".strip() if case.server else "",
        results=tuple(_with_metadata_fix(case, result) for result in results),
        checked_at=datetime.now(UTC),
        elapsed_s=case.asker.elapsed_s,
    )


def _result(case: Case, check: Check) -> Result:
    case.asker.asked = []
    found = _found(case, check)
    case.asked_before[check.key] = tuple(case.asker.asked)
    return Result(
        check.key,
        check.name,
        check.why,
        check.is_must,
        found.verdict,
        found.text,
        tuple(case.asker.asked),
        found.fix,
    )


def _found(case: Case, check: Check) -> Finding:
    try:
        case.asker.check_open()
        return check.run(case)
    except Finding as found:
        return found
    except InvalidAnswerError as error:
        return failed(str(error), V2_FORM)
    except KServeClientError as error:  # no answer
        return failed(str(error), SEE_HEALTH)


def _with_metadata_fix(case: Case, result: Result) -> Result:
    """The fix of the metadata is written from an answer, which comes later."""
    if result.key != "model-metadata" or result.verdict == "pass" or case.metadata is None:
        return result
    return replace(result, fix=metadata_fix(case) or DESCRIBE_FIRST)
