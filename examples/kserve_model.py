"""KServe's own model server with scikit-learn models: `python -m examples.kserve_model FOLDER`.

FOLDER is the one that MLServer serves (repository.py): a folder with a model.joblib per model, or with
the model.pkl that MLflow writes. Where
model-settings.json lists tensors, the model publishes them and answers with the outputs that are
asked for by name; else it is as bare as KServe's own sklearnserver: no metadata, one `output-0`.

KServe's options, such as --http_port and --enable_grpc, are listed by --help.
"""

import argparse
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import joblib
import numpy as np
from kserve import InferOutput, InferRequest, InferResponse, Model, ModelRepository, ModelServer
from kserve import model_server as kserve_program
from kserve.errors import InferenceError, InvalidInput
from kserve.protocol.rest.server import RESTServer
from kserve.utils.numpy_codec import from_np_dtype
from kserve.utils.utils import get_predict_input, get_predict_response

METHODS = ("predict", "predict_proba")
# KServe's sklearnserver takes these and no skops file.
FILES = ("model.joblib", "model.pkl", "model.pickle")


class BareModel(Model):
    """Answers with whatever `predict` gives, as KServe's sklearnserver does.

    A model whose file is not there yet is known to the server, and not ready.
    """

    def __init__(self, name: str, home: Path) -> None:
        super().__init__(name)
        self.home = home
        self.load()

    def load(self) -> bool:
        """Read the model again, if its file is there."""
        paths = [self.home / name for name in FILES if (self.home / name).is_file()]
        self.ready = bool(paths)
        if self.ready:
            self.estimator = joblib.load(paths[0])
        return self.ready

    def start(self) -> None:
        """Leave `ready` as it is: KServe would call every model ready here."""

    async def predict(self, payload: Any, *_: Any) -> Any:
        """Answer a V1 or V2 request; every failure of the model is a 500 with its reason."""
        try:
            result = self.estimator.predict(get_predict_input(payload))
            return get_predict_response(payload, result, self.name)
        except Exception as error:
            raise InferenceError(str(error)) from error


class DescribedModel(BareModel):
    """A model that says what it takes and gives, and gives what it is asked for."""

    def __init__(self, name: str, home: Path, settings: dict[str, Any]) -> None:
        super().__init__(name, home)
        self.settings = settings

    async def get_input_types(self) -> list[dict[str, Any]]:
        """The inputs of the model's metadata."""
        inputs: list[dict[str, Any]] = self.settings["inputs"]
        return inputs

    async def get_output_types(self) -> list[dict[str, Any]]:
        """The outputs of the model's metadata."""
        outputs: list[dict[str, Any]] = self.settings["outputs"]
        return outputs

    async def predict(self, payload: Any, *_: Any) -> Any:
        """Answer V2 with the requested outputs, V1 with the predictions."""
        if not isinstance(payload, InferRequest):
            return await super().predict(payload)
        wanted = [output.name for output in payload.request_outputs or []] or ["predict"]
        for name in wanted:
            if name not in METHODS:
                raise InvalidInput(f"unknown output {name}")
        rows = get_predict_input(payload)
        try:
            outputs = [self._output(name, rows, payload.use_binary_outputs) for name in wanted]
        except Exception as error:
            raise InferenceError(str(error)) from error
        return InferResponse(
            response_id=payload.id or str(uuid4()),
            model_name=self.name,
            infer_outputs=outputs,
            use_binary_outputs=payload.use_binary_outputs,
            requested_outputs=payload.request_outputs,
        )

    def _output(self, name: str, rows: Any, is_binary: bool) -> Any:
        array = np.asarray(getattr(self.estimator, name)(rows))
        output = InferOutput(name, list(array.shape), from_np_dtype(array.dtype))
        output.set_data_from_numpy(array, binary_data=is_binary)
        return output


class Repository(ModelRepository):
    """The models of a folder, so that a model can be loaded again: KServe's own repository can't."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.folder = folder
        for home in sorted(folder.iterdir()):
            if home.is_dir():
                self.load(home.name)

    def load(self, name: str) -> bool:
        """Read a model from its folder; one without a folder is left for KServe to refuse."""
        home = self.folder / name
        if home.is_dir():
            self.update(self.model_of(name, home))
        return home.is_dir()

    def model_of(self, name: str, home: Path) -> Any:
        """Return the model in a folder, by what its settings say."""
        path = home / "model-settings.json"
        settings = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if settings.get("inputs"):
            return DescribedModel(name, home, settings)
        return BareModel(name, home)


def listen_on(host: str) -> None:
    """Let KServe 0.21.0 listen on one address; it has no option for it and takes all of them."""

    class OneAddress(RESTServer):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.config.host = host

    kserve_program.RESTServer = OneAddress


def serve(repository: type[Repository] = Repository) -> None:
    """Serve the models of a folder until a signal comes."""
    parser = argparse.ArgumentParser(
        parents=[kserve_program.parser], description="Serves scikit-learn models with KServe."
    )
    parser.add_argument("folder", type=Path, help="a folder with a model.joblib per model")
    parser.add_argument("--host", default="127.0.0.1", help="address (default: %(default)s)")
    options = parser.parse_args()
    listen_on(options.host)
    # ModelServer has read its own options from the command line by itself.
    ModelServer(registered_models=repository(options.folder)).start([])


if __name__ == "__main__":
    serve()
