"""Exit statuses."""

from __future__ import annotations

from collections.abc import Iterable

from kserve_client.errors import (
    ConfigurationError,
    InputError,
    KServeClientError,
    NoAnswerError,
)
from kserve_client.scoring.file_systems import StorageInputError, is_away

OK = 0
SOME_FAILED = 1
USAGE = 2
NO_ANSWER = 3
INTERRUPTED = 130
BROKEN_PIPE = 141


def status_of(error: Exception) -> int:
    """The exit status that says whose fault an error is.

    What the catalog does not know because a source of it could not be asked is the source's.
    """
    cause = error.__cause__
    if isinstance(error, ConfigurationError) and isinstance(cause, KServeClientError):
        return status_of(cause)
    if isinstance(error, NoAnswerError):
        return NO_ANSWER
    if isinstance(error, StorageInputError | OSError) and is_away(error):
        return NO_ANSWER
    return USAGE if isinstance(error, ConfigurationError | InputError | OSError) else SOME_FAILED


def status_of_all(statuses: Iterable[int]) -> int:
    """The exit status of several things, each with its own.

    Where one was answered, the others are some that failed. Where none was, a setting to mend comes
    first: who waits for an answer would wait for ever.
    """
    found = set(statuses)
    if found <= {OK}:
        return OK
    if found & {OK, SOME_FAILED}:
        return SOME_FAILED
    return USAGE if USAGE in found else NO_ANSWER
