"""How does a provider of OpenAI's format get calls for media, and what do its answers say?

The caller's own bytes go on, but for the model's name. What deviates is a quirk of the endpoint.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.plan import Endpoint
from tollbridge.core.usage import Unit
from tollbridge.providers.dialects.media.answers import (
    NO_NAMES,
    decoded,
    names_of,
    object_of,
    objects_in,
    usage_in,
)
from tollbridge.providers.dialects.media.at_once import as_events
from tollbridge.providers.dialects.media.forms import Part, is_form, read_form, with_field
from tollbridge.providers.dialects.media.images import QUALITY, SIZE, read_image, wants_data
from tollbridge.providers.dialects.media.kinds import image_size
from tollbridge.providers.dialects.media.limits import UNBOUNDED
from tollbridge.providers.dialects.media.openai_retold import retell_pictures
from tollbridge.providers.dialects.media.sounds import read_speech
from tollbridge.providers.dialects.media.streams import Bytes, Pictures
from tollbridge.providers.dialects.media.texts import read_rerank, render_rerank, scores_of
from tollbridge.providers.dialects.media.voices import voice_at
from tollbridge.providers.dialects.responses_stream import EventStream
from tollbridge.providers.request import MalformedAnswerError, Request, label_of
from tollbridge.providers.wire import (
    JSON,
    Given,
    Outgoing,
    Output,
    StreamReader,
    UntranslatableError,
    UsageMerge,
)

TARGETS: Mapping[Operation, str] = MappingProxyType(
    {
        Operation.IMAGE_GENERATION: "/images/generations",
        Operation.IMAGE_EDIT: "/images/edits",
        Operation.AUDIO_SPEECH: "/audio/speech",
        Operation.AUDIO_TRANSCRIPTION: "/audio/transcriptions",
        Operation.RERANK: "/rerank",
    }
)
IMAGES = frozenset({Operation.IMAGE_GENERATION, Operation.IMAGE_EDIT})

# Quirks: how an endpoint's media deviate; endpoints.toml says which has which.
IMAGES_BY_SIDES = "images_by_sides"
"""Width and height instead of size, and no quality: Together."""
IMAGES_AT_ROOT = "images_at_root"
"""/images instead of /images/generations: OpenRouter."""

# What OpenAI's older image models make where nobody says it; the newer ones say it themselves.
DEFAULT_FACTS: Mapping[str, str] = MappingProxyType({SIZE: "1024x1024", QUALITY: "standard"})
RESOLVED = frozenset({"low", "medium", "high"})
"""Qualities of the models that say in the answer what they made."""
MEASURED_CHARACTERS = 64 * 1024
"""Of a picture in base64: its size stands at the beginning."""


class OpenAIMedia:
    """The part of OpenAI's wire format that is not text."""

    operations = frozenset(TARGETS)

    def compose(self, request: Request, endpoint: Endpoint, model: str) -> Outgoing:
        """Return the request as this candidate gets it. Raises UntranslatableError."""
        operation = request.operation
        if operation is Operation.AUDIO_SPEECH:
            voice = read_speech(request).voice
            if voice is not None:
                voice_at(endpoint.provider, voice)
        target = TARGETS[operation]
        if operation in IMAGES:
            if request.original is not None:
                body, content_type = retell_pictures(request, endpoint.provider, model)
                retold = {"body": body, "content_type": content_type, "original": None}
                request = msgspec.structs.replace(request, model=model, **retold)
            if IMAGES_BY_SIDES in endpoint.quirks:
                return Outgoing(target, by_sides(request, model))
            if IMAGES_AT_ROOT in endpoint.quirks and operation is Operation.IMAGE_GENERATION:
                target = "/images"
        passes_bytes = operation is Operation.AUDIO_SPEECH and not request.stream
        return Outgoing(
            target,
            with_model(request, model),
            content_type=JSON if not is_form(request.content_type) else request.content_type,
            passes_bytes=passes_bytes,
        )

    def read(self, request: Request, headers: Mapping[bytes, bytes], body: bytes) -> Given:
        """Read a whole answer. Raises MalformedAnswerError."""
        given = self._read(request, headers, body)
        return as_events(request, given) if request.stream else given

    def _read(self, request: Request, headers: Mapping[bytes, bytes], body: bytes) -> Given:
        if request.operation in IMAGES:
            return read_pictures(request, headers, body)
        if request.operation is Operation.RERANK:
            return read_scores(request, body)
        if request.operation is Operation.AUDIO_TRANSCRIPTION:
            return _read_transcript(headers, body)
        return Given(
            NO_NAMES,
            body,
            headers.get(b"content-type", JSON),
            counts=dict(request.demand.counts),
        )

    def stream(
        self, request: Request, attempt: AttemptEvidence, merge_usage: UsageMerge
    ) -> StreamReader:
        """Return a reader of the stream, or of the sound, that answers `request`."""
        if request.operation in IMAGES:
            return Pictures(attempt, merge_usage, request.demand.facts)
        if request.stream:
            return EventStream(attempt, merge_usage)
        # Characters are billed by what was sent; no answer counts them.
        return Bytes(attempt, request.demand.counts, request.demand.facts)


def with_model(request: Request, model: str) -> bytes:
    """Return the caller's body with the candidate's model; its own bytes where nothing differs."""
    if model == request.model:
        return request.body
    if is_form(request.content_type):
        parts = read_form(request.body, request.content_type, UNBOUNDED.form_parts_max)
        value = Part("model", model.encode())
        return with_field(request.body, request.content_type, parts, value)
    return changed(request.body, {"model": model})


def changed(
    body: bytes, changes: Mapping[str, Any], without: frozenset[str] = frozenset()
) -> bytes:
    """Return a JSON object with some fields changed and others left out."""
    fields: dict[str, Any] = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    fields.update(changes)
    return msgspec.json.encode({name: fields[name] for name in fields if name not in without})


def by_sides(request: Request, model: str) -> bytes:
    """Return a call for pictures with width and height. Raises UntranslatableError for a form."""
    if is_form(request.content_type):
        raise UntranslatableError("this provider takes no form with pictures")
    ask = read_image(request)
    changes: dict[str, Any] = {"model": model}
    sides = ask.sides()
    if sides is not None:
        changes["width"], changes["height"] = sides
    if ask.response_format == "b64_json":
        changes["response_format"] = "base64"
    return changed(request.body, changes, frozenset({SIZE, QUALITY, "user"}))


def read_pictures(request: Request, headers: Mapping[bytes, bytes], body: bytes) -> Given:
    """Read an answer with pictures in OpenAI's shape; the caller gets it as it came.

    What was made is counted in the answer; size and quality are its own where it says them. Where
    the pictures themselves were asked for and it names addresses, they are to be fetched.
    """
    fields = object_of(body)
    data = objects_in(fields, "data")
    made = [one for one in data if one.get("b64_json") or one.get("url")]
    if not made:
        raise MalformedAnswerError("the answer has no picture")
    facts = _facts(request, fields, made[0].get("b64_json"))
    content_type = headers.get(b"content-type", JSON)
    counts = {Unit.IMAGE.value: len(made)}
    links = () if all(one.get("b64_json") for one in made) else outputs_of(fields)
    are_wanted = request.original is None and not request.stream and links and wants_data(request)
    outputs = tuple(links) if are_wanted else ()
    return Given(names_of(fields, usage_in(fields)), body, content_type, outputs, counts, facts)


def outputs_of(fields: Mapping[str, Any]) -> list[Output]:
    """Return the pictures of an answer in OpenAI's shape."""
    found: list[Output] = []
    for one in objects_in(fields, "data"):
        text = one.get("revised_prompt")
        words = text if isinstance(text, str) else None
        if isinstance(one.get("b64_json"), str):
            found.append(Output(data=decoded(one["b64_json"]), text=words))
        elif isinstance(one.get("url"), str):
            found.append(Output(url=one["url"], text=words))
    return found


def read_scores(request: Request, body: bytes) -> Given:
    """Read an answer with scores; Voyage's own shape becomes that of the others."""
    fields = object_of(body)
    usage = usage_in(fields)
    billed = usage or {}
    searches = billed.get("search_units")
    counts = {Unit.SEARCH.value: searches} if type(searches) is int and searches >= 0 else {}
    answer = names_of(fields, usage)
    if isinstance(fields.get("results"), list):
        scores_of(fields["results"])
        return Given(answer, body, counts=counts)
    scores = scores_of(fields.get("data"))
    ask = read_rerank(request)
    rendered = render_rerank(request, scores[: ask.top_n], {"model": fields.get("model")}, usage)
    return Given(answer, rendered, counts=counts)


def _facts(request: Request, fields: Mapping[str, Any], first: object) -> dict[str, str]:
    """Return what a price depends on: as the answer says it, as was asked, as is measured."""
    said = {
        name: value.lower()
        for name in (SIZE, QUALITY)
        if (value := label_of(fields.get(name))) is not None and value != "auto"
    }
    facts = {**request.demand.facts, **said}
    if SIZE not in facts and isinstance(first, str):
        head = first[:MEASURED_CHARACTERS]
        measured = image_size(decoded(head[: len(head) // 4 * 4]))
        if measured is not None:
            facts[SIZE] = measured
    return facts if facts.get(QUALITY) in RESOLVED or said else {**DEFAULT_FACTS, **facts}


def _read_transcript(headers: Mapping[bytes, bytes], body: bytes) -> Given:
    """Read a transcript; only its JSON says what it took."""
    content_type = headers.get(b"content-type", JSON)
    if content_type.startswith(b"text/html"):
        raise MalformedAnswerError("the answer is a page")
    if not content_type.startswith(JSON):
        return Given(NO_NAMES, body, content_type)
    fields = object_of(body)
    usage = usage_in(fields)
    seconds = None if usage is None else usage.get("seconds")
    if seconds is None and "usage" not in fields:
        seconds = fields.get("duration")  # verbose_json before usage was said
    counts: dict[str, int] = {}
    if not isinstance(seconds, bool) and isinstance(seconds, int | float) and seconds >= 0:
        counts[Unit.AUDIO_MS.value] = round(seconds * 1000)
    return Given(names_of(fields, usage), body, content_type, counts=counts)
