"""What servers do differently: one table, recognised from the name in `GET v2`.

Each cell says where it was seen or read. "read" is the server's source of mid-2026, "seen" a running server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

ServerName = Literal["generic", "kserve", "mlserver", "triton", "ovms"]
NonFinite = Literal["null", "token"]


@dataclass(frozen=True, slots=True)
class ServerProfile:
    """How one kind of server wants to be spoken to.

    `non_finite`: how NaN is written in JSON; `token` writes NaN and Infinity bare, which is no JSON.
    `has_binary`: the binary tensor extension, both ways. `has_fp16_json`: FP16 written as JSON numbers.
    `json_integer_bits`: integers that fit more bits must travel binary. `has_request_gzip`: a body may come
    gzipped. `has_versions`: `/versions/V` in paths. `has_index`: `POST v2/repository/index`.
    `has_statistics`: `GET v2/models/M/stats`.
    """

    name: ServerName
    non_finite: NonFinite = "null"
    has_binary: bool = False
    has_fp16_json: bool = False
    json_integer_bits: int = 64
    has_request_gzip: bool = False
    has_versions: bool = True
    has_index: bool = True
    has_statistics: bool = False


PROFILES: Mapping[ServerName, ServerProfile] = MappingProxyType(
    {
        profile.name: profile
        for profile in (
            # What every server is assumed to be until it says its name: plain JSON.
            ServerProfile("generic"),
            # Seen on 0.21.0: NaN ↔ null; binary both ways; FP16 in JSON is a 400; a gzipped body is a 400;
            # versioned paths are 501; the index is 404 (`GET v2/models` instead).
            ServerProfile("kserve", has_binary=True, has_versions=False, has_index=False),
            # Seen on 1.7.1: NaN ↔ null, a bare NaN is a 422; no binary over REST (500); FP16 in JSON and
            # gzipped bodies accepted; index with a JSON body.
            ServerProfile("mlserver", has_fp16_json=True, has_request_gzip=True),
            # Read (http_server.cc, triton_json.h): bare NaN both ways, null refused; FP16 in JSON refused;
            # gzip accepted.
            ServerProfile(
                "triton",
                non_finite="token",
                has_binary=True,
                has_request_gzip=True,
                has_statistics=True,
            ),
            # Read (rest_parser.cpp): JSON integers of 32 bits only, FP64 parsed as float: binary for both.
            ServerProfile("ovms", has_binary=True, json_integer_bits=32),
        )
    }
)
# Names as servers give them in `GET v2`: KServe and MLServer seen, the others read.
_SERVER_NAMES: tuple[tuple[str, ServerName], ...] = (
    ("kserve", "kserve"),
    ("mlserver", "mlserver"),
    ("triton", "triton"),
    ("openvino", "ovms"),
    ("ovms", "ovms"),
)


def profile_of(server_name: str) -> ServerProfile:
    """The profile of a server by the name it gives itself; the generic one for an unknown name."""
    told = server_name.casefold()
    return PROFILES[next((name for part, name in _SERVER_NAMES if part in told), "generic")]
