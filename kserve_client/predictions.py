"""Predictions: the answer of a model, decoded by its signature, one per row and in their order."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import orjson
from numpy.typing import NDArray

from kserve_client import images
from kserve_client.errors import InvalidAnswerError, KServeClientError
from kserve_client.signature import Output, Signature
from kserve_client.tensors import InferResponse, Tensor

if TYPE_CHECKING:
    import pandas as pd

ANSWER_COLUMN = "prediction"
EXPANDED_COLUMNS = 64
REPR_CHARACTERS = 60


@dataclass(frozen=True, eq=False, slots=True)
class Prediction:
    """One decoded answer. What the model does not give is None or empty.

    `probabilities` map each class name to 0..1; `picture` is [height, width] or [height, width, 3],
    0..255; `raw` holds this row of every output tensor. `threshold` is the probability of the class
    `positive` from which on that is the label, or a mark to measure `value` by.
    """

    label: str | None = None
    probabilities: Mapping[str, float] | None = None
    threshold: float | None = None
    positive: str | None = None
    value: float | None = None
    unit: str = ""
    decimals: int | None = None
    text: str | None = None
    picture: NDArray[np.uint8] | None = None
    raw: Mapping[str, NDArray[Any]] = field(default_factory=dict)

    @property
    def headline(self) -> str:
        """The answer in words, e.g. "Iris setosa" or "4,207 g"."""
        if self.label is not None:
            return self.label
        if self.value is not None:
            return number_text(self.value, self.decimals, self.unit)
        if self.text is not None:
            return self.text
        if self.picture is not None:
            height, width = self.picture.shape[:2]
            return f"a picture of {width} × {height} pixels"
        return "; ".join(f"{name} {_cell(row)}" for name, row in self.raw.items())

    @property
    def confidence(self) -> float | None:
        """The probability of the label, 0..1, where the model gives one."""
        if self.probabilities is None or self.label is None:
            return None
        return self.probabilities.get(self.label)

    def __repr__(self) -> str:
        sure = f", {self.confidence:.1%} sure" if self.confidence is not None else ""
        return f"Prediction({_cut(self.headline)}{sure})"

    @property
    def margin(self) -> float | None:
        """How far the answer is above its threshold (below: negative), as a probability or in its unit.

        None without a threshold, and where there is no number to compare.
        """
        if self.threshold is None:
            return None
        found = self.value
        if self.positive is not None:
            found = (self.probabilities or {}).get(self.positive)
        return None if found is None or math.isnan(found) else found - self.threshold


def _cut(text: str) -> str:
    return text if len(text) <= REPR_CHARACTERS else f"{text[: REPR_CHARACTERS - 1]}…"


def number_text(value: float, decimals: int | None = None, unit: str = "") -> str:
    """A number as people read it: grouped, four significant digits unless `decimals` says more."""
    if math.isnan(value):
        return "no number"
    if decimals is None and math.isfinite(value):
        digits = len(str(int(abs(value)))) if abs(value) >= 1 else 0
        decimals = max(4 - digits, 0)
        text = f"{value:,.{decimals}f}" if abs(value) >= 0.001 or value == 0 else f"{value:.3g}"
        text = text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text
    else:
        text = f"{value:,.{decimals or 0}f}"
    return f"{text} {unit}".strip()


@dataclass(frozen=True, eq=False, slots=True)
class Coded:
    """A column of few distinct texts: for each row its position in `distinct`, -1 for none."""

    codes: NDArray[np.intp]
    distinct: tuple[str, ...]

    def tolist(self) -> list[str | None]:
        """The text of each row."""
        known = [*self.distinct, None]  # where -1 points to
        return [known[code] for code in self.codes.tolist()]


class Predictions(Sequence[Prediction]):
    """The answers for a number of rows.

    Indexing decodes one row, by its position; `columns` and `to_frame` all at once. `index` is that of
    the DataFrame that was predicted.

    Raises InvalidAnswerError when the answer lacks an output that was asked for or has another
    number of rows than were sent: a shifted answer is no answer.
    """

    def __init__(
        self,
        signature: Signature,
        response: InferResponse,
        count: int,
        index: pd.Index[Any] | None = None,
    ) -> None:
        self.signature = signature
        self.response = response
        self._count = count
        self._index = index
        self._main = signature.main_output
        self._tensors = sorted(
            _paired(signature, response), key=lambda pair: pair[0] is not self._main
        )
        for tensor in response.outputs:
            _check_rows(tensor, count)

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        rows = "1 row" if self._count == 1 else f"{self._count:,} rows"
        return f"Predictions({rows}{self._first_words()})"

    def _first_words(self) -> str:
        if not self._count:
            return ""
        try:
            headline = self[0].headline
        except KServeClientError:  # whoever looks at a row learns why
            return ""
        is_one = self._count == 1
        return f": {_cut(headline)}" if is_one else f", the first: {_cut(headline)}"

    @overload
    def __getitem__(self, at: int) -> Prediction: ...
    @overload
    def __getitem__(self, at: slice) -> list[Prediction]: ...
    def __getitem__(self, at: int | slice) -> Prediction | list[Prediction]:
        if isinstance(at, slice):
            return [self._decode(row) for row in range(*at.indices(self._count))]
        if not -self._count <= at < self._count:
            raise IndexError(f"row {at} of {self._count}")
        return self._decode(at % self._count)

    def __iter__(self) -> Iterator[Prediction]:
        return (self._decode(row) for row in range(self._count))

    def columns(self) -> dict[str, list[Any]]:
        """Result columns by name, as Python values.

        `prediction` first, then `probability_<class>` and further outputs under their own names;
        arrays of more than 64 numbers as JSON lists. A name that stands already gets the suffix
        `_2`, `_3` and so on.
        """
        return {name: column.tolist() for name, column in self.arrays().items()}

    def arrays(self) -> dict[str, NDArray[Any] | Coded]:
        """The same columns as arrays: numbers in the datatype of their tensor, texts as objects or coded."""
        columns: dict[str, NDArray[Any] | Coded] = {}
        if self._main is None or self._main.kind == "probabilities":
            labels = self._labels_from_probabilities()
            if labels is not None:
                columns[ANSWER_COLUMN] = labels
        for output, tensor in self._tensors:
            is_answer = output is self._main and ANSWER_COLUMN not in columns
            name = ANSWER_COLUMN if is_answer else output.name
            for column, values in self._output_arrays(name, output, tensor).items():
                columns[_free_name(column, columns)] = values
        return columns

    def to_frame(self) -> pd.DataFrame:
        """The result columns as a DataFrame, one row per input row.

        Its index is that of the DataFrame that was predicted, the name of a Series; else 0, 1, 2, …
        """
        import pandas as pd

        index = range(self._count) if self._index is None else self._index
        return pd.DataFrame(self.columns(), index=index)

    def _decode(self, row: int) -> Prediction:
        fields: dict[str, Any] = {"raw": {t.name: t.data[row] for t in self.response.outputs}}
        for output, tensor in self._tensors:
            for name, value in self._fields(output, tensor, row).items():
                fields.setdefault(name, value)
        if fields.get("positive"):
            fields["label"] = None  # the model's own divides at 0.5
        if fields.get("probabilities") and fields.get("label") is None:
            fields["label"] = _label_of(
                fields["probabilities"], fields.get("positive"), fields.get("threshold")
            )
        return Prediction(**fields)

    def _fields(self, output: Output, tensor: Tensor, row: int) -> dict[str, Any]:
        cell = tensor.data[row]
        if output.kind == "label":
            return {"label": output.class_label(cell.item() if hasattr(cell, "item") else cell)}
        if output.kind == "probabilities":
            chances = self._probabilities(output, tensor)[row].tolist()
            named = dict(zip(self._names(output, tensor), chances, strict=True))
            return {"probabilities": named, **_threshold_fields(output, tuple(named))}
        if output.kind == "value":
            number = {"value": float(cell), "unit": output.unit, "decimals": output.decimals}
            return number | ({} if output.threshold is None else {"threshold": output.threshold})
        if output.kind == "text":
            return {"text": _text(cell)}
        if output.kind == "image" and output.image:
            return {"picture": images.picture_of(cell, output.image)}
        return {}

    def _output_arrays(
        self, name: str, output: Output, tensor: Tensor
    ) -> dict[str, NDArray[Any] | Coded]:
        if output.kind == "label":
            return {name: _labels(output, tensor.data)}
        if output.kind == "probabilities":
            chances = self._probabilities(output, tensor)
            names = self._names(output, tensor)
            return {f"probability_{n}": chances[:, i] for i, n in enumerate(names)}
        if output.kind == "text":
            return {name: _objects([_text(value) for value in tensor.data.tolist()])}
        if output.kind == "value":
            return {name: tensor.data}
        return _raw_arrays(name, tensor)

    def _labels_from_probabilities(self) -> Coded | None:
        for output, tensor in self._tensors:
            if output.kind == "probabilities":
                names, chances = self._names(output, tensor), self._probabilities(output, tensor)
                return _labels_of(chances, names, _threshold_fields(output, names))
        return None

    def _probabilities(self, output: Output, tensor: Tensor) -> NDArray[np.float64]:
        """[rows, classes]; one column with two labels is the chance of the second."""
        classes = math.prod(tensor.shape[1:])
        data = tensor.data.reshape(self._count, classes).astype(np.float64)
        if data.shape[1] == 1 and len(self.signature.labels_of(output)) == 2:
            return np.hstack([1 - data, data])
        return data

    def _names(self, output: Output, tensor: Tensor) -> tuple[str, ...]:
        labels = self.signature.labels_of(output)
        count = self._probabilities(output, tensor).shape[1]
        if labels and len(labels) != count:
            raise InvalidAnswerError(
                f"output {output.name!r} has {count} probabilities, but the signature names "
                f"{len(labels)} classes"
            )
        return labels or tuple(str(at) for at in range(count))


def _paired(signature: Signature, response: InferResponse) -> list[tuple[Output, Tensor]]:
    """Each output of the signature with its tensor; those it does not know follow as raw.

    Each tensor of a one-number-a-row output is flattened to [rows]: MLServer says [n, 1], KServe
    [n]. The only output, where nobody asked for it by name, is the only tensor under any name: the
    MLflow runtime of MLServer 1.7.1 promises `output-0` and answers `output-1`.
    """
    left = {tensor.name: tensor for tensor in response.outputs}
    pairs = []
    if len(signature.outputs) == len(left) == 1 and not signature.outputs[0].requested:
        left = dict.fromkeys([signature.outputs[0].name], response.outputs[0])
    for output in signature.outputs:
        tensor = left.pop(output.name, None)
        if tensor is None and output.requested:
            raise InvalidAnswerError(
                f"the answer lacks the output {output.name!r}; it has {', '.join(left) or 'none'}. "
                "Name the outputs in the signature as the model does"
            )
        if tensor is not None:
            _check_kind(output, tensor)
            pairs.append((output, _flattened(output, tensor)))
    pairs += [(Output(name=name), tensor) for name, tensor in left.items()]
    return pairs


def _check_kind(output: Output, tensor: Tensor) -> None:
    """Numbers must be numbers: seen, HuggingFace's V2 runtime sends probabilities as text."""
    if output.kind in ("value", "probabilities", "image") and tensor.datatype == "BYTES":
        raise InvalidAnswerError(
            f"output {output.name!r} holds text, but the signature says it is of kind {output.kind}"
        )
    if output.kind == "image" and output.image:
        numbers = math.prod(tensor.shape[1:])
        if numbers != output.image.size:
            raise InvalidAnswerError(
                f"output {output.name!r} has {numbers} numbers a row, but the picture of the "
                f"signature has {output.image.size}"
            )


def _threshold_fields(output: Output, names: Sequence[str]) -> dict[str, Any]:
    """The threshold of two classes and the one it is about; nothing where there is none."""
    if output.threshold is None:
        return {}
    if len(names) != 2:
        raise InvalidAnswerError(
            f"output {output.name!r} has the classes {', '.join(names)}, and a threshold divides "
            "two: take the threshold out of the signature"
        )
    if output.positive not in (None, *names):
        raise InvalidAnswerError(
            f"output {output.name!r} has the classes {', '.join(names)}, but the signature has a "
            f"threshold for {output.positive}: name the two labels"
        )
    return {"threshold": output.threshold, "positive": output.positive or names[1]}


def _label_of(
    chances: Mapping[str, float], positive: str | None = None, threshold: float | None = None
) -> str | None:
    """The class with the highest chance, or on its side of the threshold; None when one is no number."""
    if not chances or any(math.isnan(chance) for chance in chances.values()):
        return None
    if positive is not None and threshold is not None:
        (other,) = chances.keys() - {positive}
        return positive if chances[positive] >= threshold else other
    return max(chances, key=lambda name: chances[name])


def _free_name(name: str, taken: Container[str]) -> str:
    free, at = name, 2
    while free in taken:
        free, at = f"{name}_{at}", at + 1
    return free


def _flattened(output: Output, tensor: Tensor) -> Tensor:
    if output.kind not in ("label", "value", "text"):
        return tensor
    rows = tensor.shape[0] if tensor.shape else 0
    if tensor.data.size != rows:
        raise InvalidAnswerError(
            f"output {output.name!r} has shape {list(tensor.shape)}, but a {output.kind} is one "
            "per row"
        )
    return Tensor(tensor.name, tensor.datatype, tensor.data.reshape(rows), tensor.parameters)


def _check_rows(tensor: Tensor, count: int) -> None:
    rows = tensor.shape[0] if tensor.shape else "no"
    if rows != count:
        raise InvalidAnswerError(
            f"output {tensor.name!r} has {rows} rows for the {count} that were sent"
        )


def _raw_arrays(name: str, tensor: Tensor) -> dict[str, NDArray[Any] | Coded]:
    rows = tensor.shape[0]
    width = math.prod(tensor.shape[1:])
    flat = tensor.data.reshape(rows, width)
    if width == 1:
        return {name: _plain_values(flat[:, 0])}
    if width <= EXPANDED_COLUMNS:
        return {f"{name}_{i}": _plain_values(flat[:, i]) for i in range(width)}
    return {name: _objects([_cell(row) for row in flat])}


def _plain_values(values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype.kind != "O":
        return values
    return _objects([_plain(value) for value in values.tolist()])


def _objects(values: list[Any]) -> NDArray[Any]:
    array = np.empty(len(values), dtype=np.object_)
    array[:] = values
    return array


def _labels(output: Output, values: NDArray[Any]) -> Coded:
    """Each distinct answer is named once."""
    if _are_indices(values, output):
        return Coded(values.astype(np.intp, copy=False), tuple(output.labels))
    if values.dtype.kind == "O":
        distinct = list(dict.fromkeys(values.tolist()))
        at = {value: code for code, value in enumerate(distinct)}
        codes = np.fromiter((at[value] for value in values.tolist()), np.intp, len(values))
    else:
        found, codes = np.unique(values, return_inverse=True)
        distinct = found.tolist()
    return Coded(codes, tuple(output.class_label(value) for value in distinct))


def _are_indices(values: NDArray[Any], output: Output) -> bool:
    if values.dtype.kind not in "iu" or not len(values) or isinstance(output.labels, dict):
        return False
    return bool(values.min() >= 0 and values.max() < len(output.labels))


def _labels_of(
    chances: NDArray[np.float64], names: Sequence[str], threshold: Mapping[str, Any]
) -> Coded:
    """For each row the class with the highest chance, or on its side of the threshold."""
    if threshold:
        positive = list(names).index(threshold["positive"])
        is_positive = chances[:, positive] >= threshold["threshold"]
        codes = np.where(is_positive, positive, 1 - positive)
    else:
        codes = chances.argmax(axis=1) if chances.shape[1] else np.full(len(chances), -1)
    return Coded(np.where(np.isnan(chances).any(axis=1), -1, codes), tuple(names))


def _cell(row: Any) -> str:
    """JSON text; what is no number is null."""
    if isinstance(row, np.ndarray):
        row = row.tolist() if row.dtype.kind == "O" else np.ascontiguousarray(row)
    return orjson.dumps(row, default=_text, option=orjson.OPT_SERIALIZE_NUMPY).decode()


def _plain(value: Any) -> Any:
    return _text(value) if isinstance(value, bytes) else value


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
