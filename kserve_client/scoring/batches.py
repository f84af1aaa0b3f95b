"""Batches: the step of scoring for other engines, such as Spark and Ray. Rows in, results out.

A batch goes through what a chunk of `score` goes through: encoding by the signature, requests of a
fitting size, halving of what is refused. Its rows come back in order, with the result columns of the
model, `state` and `error`.
"""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from kserve_client.client import InferenceClient
from kserve_client.errors import InputError
from kserve_client.model import Model
from kserve_client.scoring.calls import DEFAULTS, mapping_of
from kserve_client.scoring.cutter import Cutter
from kserve_client.scoring.options import ScoreOptions
from kserve_client.scoring.paces import Paces
from kserve_client.scoring.results import ResultSchema, table
from kserve_client.scoring.rows import Rows, Scored
from kserve_client.scoring.run import Run, RunOptions, in_order
from kserve_client.scoring.sources import nameable
from kserve_client.scoring.sources.data_frame import table_of
from kserve_client.scoring.step import Step

if TYPE_CHECKING:
    import pandas as pd

MODELS_KEPT = 8


class BatchScorer:
    """Scores batches of rows; may be pickled, and is cheap to unpickle.

    `results` are the result columns where they are known (see `fixed_by`): then every batch comes
    back with the same columns and types, as Spark wants it, and an answer that does not fit is an
    error of its rows. Of `options` those of reading, writing and `limit` have no part in it.

    What is pickled: the endpoint, which names the places of its secrets, the signature, the options,
    and `token`, a bearer token for these requests. Processes that unpickle it share one client.
    """

    def __init__(
        self,
        model: Model,
        options: ScoreOptions = DEFAULTS,
        *,
        results: ResultSchema | None = None,
        token: str | None = None,
    ) -> None:
        self._model = model
        self._options = options
        self._results = results
        self._token = token
        self._paces = Paces(options)

    def __repr__(self) -> str:
        return f"BatchScorer({self._model!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        model = self._model
        parts = (model.client.endpoint, model.name, model.version, model.signature)
        return _restored, (pickle.dumps(parts), self._options, self._results, self._token)

    def __call__(self, batch: pa.RecordBatch | pa.Table | pd.DataFrame) -> pa.RecordBatch:
        """The rows of a batch with their results, state and error.

        Raises InputError when a column is missing, and what a call raises when the model gives no
        answer within the patience of the options: no row is to blame for that.
        """
        cells = _cells(batch)
        done = list(self._scored(cells))
        schema = self._results or _schema_of(done, cells)
        if not done:
            done = [Scored(Rows(0, cells), None)]
        return _joined([table(schema.fit(chunk), schema) for chunk in done])

    def each(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Batches one after the other, as Spark's `mapInArrow` has it."""
        return map(self, batches)

    def fixed_by(self, sample: pa.RecordBatch | pa.Table | pd.DataFrame) -> BatchScorer:
        """The same with the result columns that the model has for a sample of the rows.

        Raises InputError when no row of the sample has a result.
        """
        found = next((c for c in self._scored(_cells(sample)) if c.results is not None), None)
        if found is None:
            raise InputError("no row of the sample has a result, so its columns are not known")
        results = ResultSchema.of(found)
        return BatchScorer(self._model, self._options, results=results, token=self._token)

    def schema(self, columns: pa.Schema) -> pa.Schema:
        """The schema of what comes back for rows of such columns. Raises InputError if not fixed."""
        if self._results is None:
            raise InputError("the result columns are not known before `fixed_by`")
        empty = columns.empty_table()
        return self(empty).schema

    def _scored(self, cells: pa.RecordBatch) -> Iterator[Scored]:
        with self._paces.lent() as pace, contextlib.closing(Cutter([Rows(0, cells)])) as cutter:
            run = Run(self._step(cells), cutter, pace, RunOptions(self._options.patience_s))
            yield from in_order(iter(run))
            if run.stopped:
                raise run.first_failure or InputError(run.stopped)

    def _step(self, cells: pa.RecordBatch) -> Step:
        names = nameable(tuple(cells.schema.names))
        return Step(
            self._model,
            names,
            mapping_of(self._model, names, self._options),
            treatment=self._options.treatment,
            decimal=self._options.reading.decimal or ".",
            token=self._token,
            is_accepted=self._results is not None,
        )


def score_batch(
    model: Model,
    batch: pa.RecordBatch | pa.Table | pd.DataFrame,
    options: ScoreOptions = DEFAULTS,
    *,
    token: str | None = None,
) -> pa.RecordBatch:
    """Score a batch of rows that is in memory; see `BatchScorer`, which also goes to other processes.

    Integers stay integers beside nulls in what comes back; `to_pandas(types_mapper=pd.ArrowDtype)`
    keeps them so.
    """
    return BatchScorer(model, options, token=token)(batch)


def _restored(
    parts: bytes, options: ScoreOptions, results: ResultSchema | None, token: str | None
) -> BatchScorer:
    return BatchScorer(_model(parts), options, results=results, token=token)


@lru_cache(maxsize=MODELS_KEPT)
def _model(parts: bytes) -> Model:
    """The model of a process; tasks of the same run bring the same bytes."""
    endpoint, name, version, signature = pickle.loads(parts)  # noqa: S301 - part of a pickle
    return Model(InferenceClient(endpoint), name, version=version, signature=signature)


def _cells(batch: pa.RecordBatch | pa.Table | pd.DataFrame) -> pa.RecordBatch:
    if isinstance(batch, pa.RecordBatch):
        return batch
    found = table_of(batch)
    if found is None:
        raise InputError(
            f"a batch is a DataFrame or a table of Arrow's, not a {type(batch).__name__}"
        )
    if not isinstance(batch, pa.Table):
        found = found.replace_schema_metadata()
    whole = found.unify_dictionaries().combine_chunks().to_batches()
    return whole[0] if whole else pa.RecordBatch.from_pylist([], schema=found.schema)


def _schema_of(done: list[Scored], cells: pa.RecordBatch) -> ResultSchema:
    first = next((chunk for chunk in done if chunk.results is not None), None)
    if first is None:
        return ResultSchema.without_answers(cells.schema.names)
    return ResultSchema.of(first)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)
