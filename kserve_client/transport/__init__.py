"""The only place that speaks HTTP: connections, time-outs, retries, tokens, one mapping of errors."""

from kserve_client.transport.answer import Answer, refusal, server_message, shown_address
from kserve_client.transport.call import Options
from kserve_client.transport.retries import DEFAULT_RETRIES, RETRIED_STATUSES
from kserve_client.transport.sender import USER_AGENT, Transport
from kserve_client.transport.tls import UncheckedCertificateWarning, tls_context
from kserve_client.transport.tracing import tracing
from kserve_client.transport.unreached import Unreached, unreached

__all__ = [
    "DEFAULT_RETRIES",
    "RETRIED_STATUSES",
    "USER_AGENT",
    "Answer",
    "Options",
    "Transport",
    "UncheckedCertificateWarning",
    "Unreached",
    "refusal",
    "server_message",
    "shown_address",
    "tls_context",
    "tracing",
    "unreached",
]
