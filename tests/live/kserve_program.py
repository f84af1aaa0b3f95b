"""KServe's server for the tests: `python -m tests.live.kserve_program FOLDER`, in KServe's environment.

A folder that is not there is filled first (kserve_training.py). Beside its models there are `echo`,
which gives every input back as it was understood, with the trace it belongs to, and `explained`, a V1
model with an explainer.
"""

from pathlib import Path
from typing import Any
from uuid import uuid4

from kserve import InferOutput, InferResponse, Model

from examples.kserve_model import Repository, serve
from tests.live.kserve_training import train

TRACED = ("traceparent", "x-request-id")


class Echo(Model):
    def __init__(self) -> None:
        super().__init__("echo")
        self.ready = True

    async def predict(self, payload: Any, headers: Any = None, *_: Any) -> Any:
        """Give every input back."""
        given = {name.lower(): value for name, value in (headers or {}).items()}
        told = {name: given[name] for name in TRACED} if TRACED[0] in given else {}
        return InferResponse(
            response_id=payload.id or str(uuid4()),
            model_name=self.name,
            infer_outputs=[self._output(tensor, payload) for tensor in payload.inputs],
            use_binary_outputs=payload.use_binary_outputs,
            requested_outputs=payload.request_outputs,
            parameters={**(payload.parameters or {}), **told} or None,
        )

    def _output(self, tensor: Any, payload: Any) -> Any:
        output = InferOutput(tensor.name, list(tensor.shape), tensor.datatype)
        output.set_data_from_numpy(tensor.as_numpy(), binary_data=payload.use_binary_outputs)
        return output


class Explained(Model):
    def __init__(self) -> None:
        super().__init__("explained")
        self.ready = True

    async def predict(self, payload: Any, *_: Any) -> Any:
        """Sum the numbers of each row."""
        return {"predictions": [sum(row) for row in payload["instances"]]}

    async def explain(self, payload: Any, *_: Any) -> Any:
        """Name the largest number of each row."""
        return {"explanations": [{"largest": max(row)} for row in payload["instances"]]}


class TestRepository(Repository):
    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            train(folder)
        super().__init__(folder)
        self.update(Echo())
        self.update(Explained())


if __name__ == "__main__":
    serve(TestRepository)
