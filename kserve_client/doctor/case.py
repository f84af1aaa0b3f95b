"""Case: one model while it is examined, and what the checks before have found out."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from kserve_client.catalog import Catalog, Description, Example
from kserve_client.client import ModelMetadata, ServerMetadata, model_path
from kserve_client.doctor.asking import Asker
from kserve_client.doctor.findings import failed, skipped
from kserve_client.doctor.report import Asked, Fix
from kserve_client.doctor.rows import Rows, rows_of
from kserve_client.errors import InputError
from kserve_client.servers import PROFILES, ServerProfile, profile_of
from kserve_client.signature import Signature
from kserve_client.tensors import InferRequest, InferResponse
from kserve_client.transport import Answer
from kserve_client.wire.body import read_body, write_body
from kserve_client.wire.json import CONTENT_TYPE

Json = dict[str, Any]


class Case:
    """One model of the catalog on its endpoint.

    `server` and `metadata` are what they said of themselves, None until they did. `first` is the
    answer to the first row. `names_outputs`: whether requests may name the outputs of the signature.
    `asked_before` holds the requests of the checks so far, by their keys.
    """

    def __init__(self, catalog: Catalog, name: str) -> None:
        self._catalog = catalog
        self.name = name
        self.entry = catalog.entry(name)
        self.endpoint = catalog.endpoint(name)
        self.asker = Asker(self.endpoint)
        self.model = catalog.model(name)
        self.server: ServerMetadata | None = None
        self.metadata: ModelMetadata | None = None
        self.first: InferResponse | None = None
        self.names_outputs = True
        self.asked_before: dict[str, tuple[Asked, ...]] = {}

    @property
    def path(self) -> str:
        """The path of the model, with its version where the catalog names one."""
        return model_path(self.model.name, self.model.version)

    @property
    def profile(self) -> ServerProfile:
        """What is known of the server: named by the endpoint, or by the server itself."""
        if self.endpoint.server != "auto":
            return PROFILES[self.endpoint.server]
        return profile_of(self.server.name) if self.server else PROFILES["generic"]

    @cached_property
    def _description(self) -> Description:
        return self._catalog.describe(self.name)

    @property
    def signature(self) -> Signature:
        """What goes into the model. Ends the check where nobody says it."""
        if self._description.signature is None:
            raise skipped("nobody says what goes in: neither the catalog nor the model")
        return self._description.signature

    @property
    def is_private(self) -> bool:
        """Whether rows hold values that nobody may see in a report."""
        known = self._description.signature
        return known is not None and any(feature.sensitive for feature in known.features)

    @cached_property
    def examples(self) -> tuple[Example, ...]:
        """Rows that the catalog knows."""
        return self._catalog.examples(self.name, self._description)

    @cached_property
    def rows(self) -> Rows:
        """Two rows to ask with. Ends the check where there are none."""
        try:
            rows = rows_of(self.signature, [example.row for example in self.examples])
            self.body(rows.both)
        except InputError as error:
            raise skipped(f"no row can be sent: {error}") from None
        return rows

    @property
    def answered(self) -> InferResponse:
        """The answer to the first row. Ends the check where there is none."""
        self.rows  # noqa: B018 - its reason comes first
        if self.first is None:
            raise skipped("the model answered no row")
        return self.first

    def recall(self, *checks: str) -> None:
        """Show what these checks asked in this one too: it judges the same answers."""
        for key in checks:
            self.asker.asked += self.asked_before.get(key, ())

    def body(self, request: InferRequest) -> Json:
        """The JSON body of a request, with the outputs of the signature where they may be named."""
        body: Json = json.loads(write_body(request, self.profile, use_binary=False).data)
        if not self.names_outputs:
            body.pop("outputs", None)
        return body

    def get(self, path: str, *, method: str = "GET") -> Answer:
        """Ask for a path. Raises NoAnswerError."""
        return self.asker.ask(method, path, None, {})

    def infer(
        self, body: Json | bytes, *, path: str = "", headers: dict[str, str] | None = None
    ) -> Answer:
        """Send a body to the model, or to that of another path. Raises NoAnswerError."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {"Content-Type": CONTENT_TYPE, **(headers or {})}
        where = f"{path or self.path}/infer"
        return self.asker.ask("POST", where, data, given, is_private=self.is_private)

    def predict(
        self, body: Json | bytes, *, headers: dict[str, str] | None = None
    ) -> InferResponse:
        """The answer to a body that must be answered; ends the check where it is not.

        Raises NoAnswerError, or InvalidAnswerError for an answer that is not V2.
        """
        answer = self.infer(body, headers=headers)
        if not answer.is_ok:
            text = f"a row that was answered before got {answer.status} this time"
            raise failed(text, Fix("Look at the log of the server: the row fits."))
        return read_body(answer.body, answer.headers)
