"""What a job is of: the model, the input and the options, and how far it has come. No secrets.

`Facts` are what a run is of; they never change, and a run may only go on with the same ones. A
`Manifest` is the facts with the state, as `manifest.json` holds them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from kserve_client.errors import ConfigurationError, first_problem
from kserve_client.scoring.job.store import without_secrets
from kserve_client.signature import Signature

FILE = "manifest.json"
FORMAT_VERSION = 1
State = Literal["created", "running", "paused", "stopped", "cancelled", "finished"]
Json = Any
# Options of fsspec hold keys and tokens; whoever resumes a job brings them anew.
_SECRET_OPTIONS = frozenset({"storage_options"})
# Words and bounds of the forms: they change what people see, not what the model says.
_FEATURE_WORDS = {
    "title",
    "help",
    "unit",
    "group",
    "min",
    "max",
    "step",
    "default",
    "sensitive",
    "reference",
}
_OUTPUT_WORDS = {"title", "unit", "decimals"}


def public_options(options: Mapping[str, Json]) -> dict[str, Json]:
    """Options that say something and are not secret, as JSON: sets become sorted lists."""
    return {
        name: _public(value)
        for name, value in options.items()
        if name not in _SECRET_OPTIONS and value is not None
    }


def _public(value: Json) -> Json:
    if isinstance(value, str):
        return without_secrets(value)
    return sorted(value) if isinstance(value, (set, frozenset)) else value


PublicUrl = Annotated[str, AfterValidator(without_secrets)]
PublicOptions = Annotated[dict[str, Json], BeforeValidator(public_options)]


class _Part(BaseModel):
    # A newer version of the same format may know more.
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class ModelFacts(_Part):
    """Which model, where. `name` is the catalog's, `served_name` the one on the server.

    `version` is the one that was asked for, `answered_version` the one the server said it was; ""
    when not known. `host` is the Host header, which picks the service behind a gateway; "" when it
    is that of the URL. `said` is what else the server told of itself.
    """

    name: str
    served_name: str
    version: str = ""
    answered_version: str = ""
    endpoint_name: str = ""
    endpoint_url: PublicUrl
    host: str = ""
    said: dict[str, Json] = Field(default_factory=dict)


class InputFacts(_Part):
    """Which table: its name for people, its location without secrets, and what it was found to be.

    `fingerprint` is what `sources.fingerprint` gives as JSON; {} for a stream that can be read once.
    """

    name: PublicUrl
    location: PublicUrl = ""
    fingerprint: dict[str, Json] = Field(default_factory=dict)
    found: dict[str, Json] = Field(default_factory=dict)
    columns: tuple[str, ...] = ()


class Options(_Part):
    """How the run was asked for.

    `reading`, `mapping`, `treatment` and `limit` decide what the model gets; the others may change
    when a job goes on. None or {} is the default of each.
    """

    reading: PublicOptions = Field(default_factory=dict)
    mapping: dict[str, Json] = Field(default_factory=dict)
    treatment: dict[str, Json] = Field(default_factory=dict)
    limit: int | None = None
    chunk_rows: int | Literal["auto"] = "auto"
    concurrency: int | Literal["auto"] = "auto"
    writing: PublicOptions = Field(default_factory=dict)


class Facts(_Part):
    """What a run is of. `signature` is the part of the signature that decides the result."""

    model: ModelFacts
    signature: dict[str, Json] = Field(default_factory=dict)
    input: InputFacts
    options: Options = Options()
    owner: str = ""

    @property
    def signature_hash(self) -> str:
        """SHA-256 of the signature in canonical JSON."""
        return hashlib.sha256(_canonical(self.signature)).hexdigest()


class Counts(_Part):
    """Rows by what became of them. `total_rows` is None until the source has ended."""

    total_rows: int | None = None
    ok: int = 0
    failed: int = 0
    skipped: int = 0

    @property
    def done(self) -> int:
        """Rows that are dealt with."""
        return self.ok + self.failed + self.skipped

    @property
    def is_complete(self) -> bool:
        """Whether all rows of the source are dealt with."""
        return self.done == self.total_rows


class Figures(_Part):
    """What the run took. `seconds` are those of the runs taken together, pauses left out."""

    rows_per_s: float = 0.0
    seconds: float = 0.0
    requests: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None
    sent_bytes: int = 0
    received_bytes: int = 0


class ResultColumn(_Part):
    """A column of the results, with its Arrow type in words."""

    name: str
    type: str


class Manifest(_Part):
    """A job as its directory tells it. Times are UTC."""

    format_version: Literal[1] = 1
    software_version: str
    job_id: str
    facts: Facts
    signature_hash: str
    state: State = "created"
    reason: str = ""
    counts: Counts = Counts()
    figures: Figures = Figures()
    results: tuple[ResultColumn, ...] = ()
    created: datetime
    started: datetime | None = None
    updated: datetime
    finished: datetime | None = None

    def to_bytes(self) -> bytes:
        """The file: JSON that people can read."""
        return orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_INDENT_2) + b"\n"

    @classmethod
    def from_bytes(cls, data: bytes, where: str) -> Manifest:
        """Read the file. Raises ConfigurationError when it is no manifest, or a newer one."""
        try:
            raw = orjson.loads(data)
            version = raw["format_version"]
            if isinstance(version, int) and version > FORMAT_VERSION:
                raise ConfigurationError(
                    f"the job in {where} was written by a newer version of kserve-client"
                )
            return cls.model_validate(raw)
        except ValidationError as error:
            raise _damaged(where, first_problem(error)) from None
        except (ValueError, TypeError, KeyError):
            raise _damaged(where, "it is not the JSON of one") from None


def _damaged(where: str, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"the manifest of the job in {where} is damaged ({why}); start a new job"
    )


def now() -> datetime:
    """The time in UTC, to the second."""
    return datetime.now(UTC).replace(microsecond=0)


def deciding(signature: Signature) -> dict[str, Json]:
    """What of a signature decides the result: names, kinds, datatypes, choices, not the words."""
    left_out: dict[str, Any] = {
        "features": {"__all__": _FEATURE_WORDS},
        "outputs": {"__all__": _OUTPUT_WORDS},
    }
    return signature.model_dump(mode="json", exclude=left_out, exclude_defaults=True)


def _canonical(value: Json) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
