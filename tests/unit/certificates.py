"""Throw-away certificates of this test run, made with the openssl command."""

from __future__ import annotations

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """A certificate for 127.0.0.1, or another host, and its key, both PEM files."""

    certificate: Path
    key: Path

    def server_context(self, *, clients_of: Path | None = None) -> ssl.SSLContext:
        """The TLS settings of a server that shows it, and wants certificates of that authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        if clients_of is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients_of)
        return context


@dataclass(frozen=True)
class Authority:
    """An authority of our own; `certificate` is what clients of its servers trust."""

    certificate: Path
    key: Path
    folder: Path

    def issue(self, name: str, *, host: str = "IP:127.0.0.1") -> Certificate:
        """Make a certificate for a host; `name` is that of its files, and its subject."""
        made = Certificate(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        signing = ["-CA", str(self.certificate), "-CAkey", str(self.key)]
        _openssl(name, made, [*signing, "-addext", f"subjectAltName={host}"])
        return made


def make_authority(folder: Path) -> Authority:
    """Make an authority with openssl."""
    made = Certificate(folder / "ca.pem", folder / "ca.key")
    _openssl("authority", made, ["-addext", "keyUsage=keyCertSign"])
    return Authority(made.certificate, made.key, folder)


def make_certificate(folder: Path, *, host: str = "IP:127.0.0.1") -> Certificate:
    """Make a self-signed certificate; `host` is its subject alternative name."""
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    _openssl("test", made, ["-addext", f"subjectAltName={host}"])
    return made


def _openssl(subject: str, made: Certificate, more: list[str]) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", f"/CN={subject}", *more]
    command += ["-keyout", str(made.key), "-out", str(made.certificate)]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
