"""What does hf-inference answer to a task of its own: a picture from a text?"""

from typing import Any, Final

import msgspec

from tollbridge.sandbox.media import Size, png
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.visit import Visit

COMPUTE_MS: Final = 2500


class ImageTask(msgspec.Struct, frozen=True):
    """The body of a text-to-image task."""

    inputs: str
    parameters: dict[str, Any] = {}


_decoder: Final = msgspec.json.Decoder(ImageTask)


async def text_to_image(visit: Visit) -> None:
    """Answer with the picture itself; it is billed by compute time, which nobody tells."""
    request = visit.decoded(_decoder)
    model = visit.params["model"].removesuffix("/pipeline/text-to-image")
    script = visit.choose(model, request.inputs)
    if script.filtered:
        raise RefusedError("content_filter")
    if not await visit.call.prepare(script):
        return
    width = request.parameters.get("width", 1024)
    height = request.parameters.get("height", 1024)
    if not (isinstance(width, int) and isinstance(height, int) and 0 < width * height < 1 << 26):
        raise RefusedError("invalid_request", "width and height must be positive integers")
    data = png(Size(width, height), visit.seed(request.inputs))
    visit.call.charge(units={"image": 1, "compute_ms": COMPUTE_MS})
    compute = [(b"x-compute-type", b"gpu"), (b"x-inference-provider", b"hf-inference")]
    await visit.call.send_bytes(data, "image/png", headers=compute)
