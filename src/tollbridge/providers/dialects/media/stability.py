"""How are pictures asked of Stability AI, and how does it give them?

Source: platform.stability.ai, v2beta. Every call is a form; one picture is made per call. A model
is the last part of an address: core, ultra and sd3 generate, `edit/inpaint`, `upscale/fast`,
`control/style` … change a picture.
"""

from collections.abc import Mapping

from tollbridge.core.call import Operation
from tollbridge.core.plan import Endpoint
from tollbridge.providers.dialects.media.answers import (
    NO_NAMES,
    Unstreamed,
    decoded,
    filtered,
    given_pictures,
    object_of,
    only,
    picture_of,
    unstreamed,
)
from tollbridge.providers.dialects.media.forms import Part, form_of
from tollbridge.providers.dialects.media.images import (
    ImageAsk,
    aspect_ratio,
    nothing_lost,
    read_image,
)
from tollbridge.providers.request import MalformedAnswerError, Request
from tollbridge.providers.wire import (
    Given,
    Outgoing,
    UntranslatableError,
)

WHO = "stability"
RATIOS = ("1:1", "16:9", "21:9", "2:3", "3:2", "4:5", "5:4", "9:16", "9:21")
FAMILY = "stable-image-"
SD3 = "sd3"
# What its own forms have beside the prompt and the pictures.
OWN = frozenset(
    {
        "aspect_ratio",
        "cfg_scale",
        "control_strength",
        "creativity",
        "down",
        "fidelity",
        "grow_mask",
        "left",
        "negative_prompt",
        "output_format",
        "right",
        "search_prompt",
        "seed",
        "select_prompt",
        "strength",
        "style_preset",
        "up",
    }
)
PROMPT_CHARACTERS_MAX = 10_000
FILTERED = "CONTENT_FILTERED"


class StabilityWire(Unstreamed):
    """Stability's wire format for pictures."""

    name = "stability"

    def compose(
        self, request: Request, endpoint: Endpoint, model: str, output_tokens_cap: int | None
    ) -> Outgoing:
        """Return the request as a form. Raises UntranslatableError."""
        del endpoint, output_tokens_cap
        if request.operation not in {Operation.IMAGE_GENERATION, Operation.IMAGE_EDIT}:
            raise UntranslatableError(f"{WHO} does no {request.operation.value}")
        unstreamed(request, WHO)
        ask = read_image(request)
        only(ask.n, 1, WHO)
        nothing_lost(ask, OWN, WHO)
        if len(ask.prompt) > PROMPT_CHARACTERS_MAX:
            raise UntranslatableError(f"{WHO} takes prompts of {PROMPT_CHARACTERS_MAX} characters")
        fields = {
            "prompt": ask.prompt,
            **{name: str(ask.fields[name]) for name in OWN if name in ask.fields},
        }
        target = self._target(request, ask, model, fields)
        body, content_type = form_of(fields, _files(ask))
        return Outgoing(target, body, content_type=content_type, headers=((b"accept", b"image/*"),))

    def read(self, request: Request, headers: Mapping[bytes, bytes], body: bytes) -> Given:
        """Read an answer: the picture, or JSON with it. Raises RefusedError for a blurred one."""
        kind = headers.get(b"content-type", b"").decode("latin-1")
        reason = headers.get(b"finish-reason", b"").decode("latin-1")
        if kind.startswith("application/json"):
            fields = object_of(body)
            reason = str(fields.get("finish_reason") or reason)
            if "image" not in fields:
                raise MalformedAnswerError("the picture is made later, which is not carried")
            body, kind = decoded(fields["image"]), ""
        if reason.upper() == FILTERED:
            raise filtered("the picture was filtered")
        return given_pictures(request, [picture_of(body, kind)], NO_NAMES, {})

    @staticmethod
    def _target(request: Request, ask: ImageAsk, model: str, fields: dict[str, str]) -> str:
        """Return the address of a model, and put into the fields what its kind needs."""
        is_edit = request.operation is Operation.IMAGE_EDIT
        if "/" in model:
            if not is_edit:
                raise UntranslatableError(f"{model} changes a picture and makes none")
            return f"/v2beta/stable-image/{model}"
        if is_edit:
            if "strength" not in fields:
                raise UntranslatableError(f"{model} starts from a picture only with a strength")
            fields.pop("aspect_ratio", None)
        else:
            ratio = aspect_ratio(ask, RATIOS, WHO)
            if ratio is not None:
                fields["aspect_ratio"] = ratio
        if model.startswith(SD3):
            fields["model"] = model
            fields["mode"] = "image-to-image" if is_edit else "text-to-image"
            return "/v2beta/stable-image/generate/sd3"
        return f"/v2beta/stable-image/generate/{model.removeprefix(FAMILY)}"


def _files(ask: ImageAsk) -> list[Part]:
    if len(ask.pictures) > 1:
        raise UntranslatableError(f"{WHO} takes one picture")
    files: list[Part] = []
    for name, picture in (("image", next(iter(ask.pictures), None)), ("mask", ask.mask)):
        if picture is None:
            continue
        if picture.url is not None:
            raise UntranslatableError(f"{WHO} takes pictures, not their addresses")
        files.append(Part(name, picture.data, f"{name}.{picture.kind}", picture.content_type))
    return files
