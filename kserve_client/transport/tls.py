"""Whom a TLS connection trusts, and what it shows of us."""

from __future__ import annotations

import os
import ssl
import warnings
from collections.abc import Iterator
from pathlib import Path

from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util import create_urllib3_context

from kserve_client.endpoint import Endpoint
from kserve_client.errors import ConfigurationError

_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_warned: set[str] = set()


class UncheckedCertificateWarning(UserWarning):
    """An endpoint says `verify: false`."""


def tls_context(endpoint: Endpoint) -> ssl.SSLContext:
    """The TLS settings of an endpoint. The name to check is `endpoint.checked_name`.

    Raises ConfigurationError when a file it names can't be used.
    """
    context = _trusting(endpoint) if endpoint.verify else _unchecked()
    if endpoint.client_cert_file:
        _show_certificate(context, endpoint)
    return context


def proxy_context(endpoint: Endpoint) -> ssl.SSLContext:
    """The settings for a proxy that is itself spoken to over TLS: always checked, and shown nothing of us."""
    return _trusting(endpoint)


def _unchecked() -> ssl.SSLContext:
    return create_urllib3_context(cert_reqs=ssl.CERT_NONE)


def _trusting(endpoint: Endpoint) -> ssl.SSLContext:
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    context.check_hostname = True
    path = authorities(endpoint)
    try:
        context.load_verify_locations(**{"capath" if path.is_dir() else "cafile": str(path)})
    except OSError as error:  # ssl.SSLError is one, for a file without a certificate
        reason = "no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise ConfigurationError(
            f"{endpoint.name}: the authorities in {path} can't be read ({reason}). Correct ca_file"
        ) from None
    return context


def authorities(endpoint: Endpoint) -> Path:
    """The file or folder of the authorities to trust: named, of the environment, or the usual ones."""
    named = next((os.environ[name] for name in _CA_VARIABLES if os.environ.get(name)), None)
    return endpoint.ca_file or Path(named or DEFAULT_CA_BUNDLE_PATH)


def _show_certificate(context: ssl.SSLContext, endpoint: Endpoint) -> None:
    certificate, key = endpoint.client_cert_file, endpoint.client_key_file
    try:
        # Without a password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(str(certificate), key and str(key), password="")
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or "no PEM"
        words = str(reason).lower().replace("_", " ")
        files = " and ".join(str(file) for file in (certificate, key) if file)
        raise ConfigurationError(
            f"{endpoint.name}: {files} give no client certificate ({words})"
        ) from None


def stamp_of(endpoint: Endpoint) -> tuple[int, ...]:
    """What changes when a file of the TLS settings is replaced, as short-lived certificates are."""
    return tuple(_changed_ns(endpoint)) if endpoint.is_tls else ()


def _changed_ns(endpoint: Endpoint) -> Iterator[int]:
    for file in (endpoint.ca_file, endpoint.client_cert_file, endpoint.client_key_file):
        if file is not None:
            try:
                yield file.stat().st_mtime_ns
            except OSError:
                yield 0


def warn_when_unchecked(endpoint: Endpoint) -> None:
    """Say once per endpoint that its certificate is not looked at."""
    if endpoint.verify or endpoint.url in _warned:
        return
    _warned.add(endpoint.url)
    warnings.warn(
        f"{endpoint.name}: its certificate is not checked (verify: false), so anybody on the way can "
        "read and change what is sent. Name its authority with ca_file instead",
        UncheckedCertificateWarning,
        stacklevel=3,
    )
