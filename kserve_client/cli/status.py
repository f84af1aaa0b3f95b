"""Exit statuses."""

from __future__ import annotations

from kserve_client.errors import ConfigurationError, InputError, NoAnswerError

OK = 0
SOME_FAILED = 1
USAGE = 2
NO_ANSWER = 3
INTERRUPTED = 130
BROKEN_PIPE = 141


def status_of(error: Exception) -> int:
    """The exit status that says whose fault an error is."""
    if isinstance(error, ConfigurationError | InputError | OSError):
        return USAGE
    return NO_ANSWER if isinstance(error, NoAnswerError) else SOME_FAILED
