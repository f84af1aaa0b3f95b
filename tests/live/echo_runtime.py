"""A MLServer runtime that answers with what it was asked: each input comes back as an output."""

from mlserver import MLModel
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput


class EchoModel(MLModel):
    """Answers each input as an output of the same name, shape, datatype and data."""

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Return the inputs."""
        outputs = [
            ResponseOutput(
                name=tensor.name, shape=tensor.shape, datatype=tensor.datatype, data=tensor.data
            )
            for tensor in payload.inputs
        ]
        return InferenceResponse(model_name=self.name, outputs=outputs)
