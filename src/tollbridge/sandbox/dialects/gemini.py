"""What does the Gemini API answer to generateContent, whole and streamed, and to embeddings?"""

import base64
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from tollbridge.sandbox import usage
from tollbridge.sandbox.answer import Answer, Choice, embed, embedding_value
from tollbridge.sandbox.dialects.gemini_request import (
    Content,
    EmbedMany,
    EmbedOne,
    GenerateRequest,
    read,
)
from tollbridge.sandbox.frame import ARRAY, CONTENT, EVENTS, FINISH, Frame, encode
from tollbridge.sandbox.media import PCM_HZ, Size, png, sound, speech_ms
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.requests import Prompt
from tollbridge.sandbox.script import Script
from tollbridge.sandbox.text import Ask, Tool, converse
from tollbridge.sandbox.usage import Usage, count, text_tokens
from tollbridge.sandbox.visit import Visit

Document = dict[str, Any]
IMAGE_TOKENS: Final = 1290
PICTURE_MODEL: Final = "-image"
"""In the name of a model that makes pictures without being told to."""
SPEECH_TOKENS_PER_S: Final = 25
_FINISH: Final = (
    ("stop", "STOP"),
    ("length", "MAX_TOKENS"),
    ("tool_calls", "STOP"),
    ("content_filter", "SAFETY"),
)


async def generate(visit: Visit) -> None:
    """Answer generateContent."""
    await _answer(visit, streams=False)


async def stream(visit: Visit) -> None:
    """Answer streamGenerateContent: events where `alt=sse` asks for them, else one array."""
    await _answer(visit, streams=True)


async def _answer(visit: Visit, *, streams: bool) -> None:
    request = read(visit, GenerateRequest)
    if not request.contents:
        raise RefusedError("invalid_request", "* GenerateContentRequest.contents: not specified")
    ask = _ask(visit.params["model"], request, streams=streams)
    answer, script = converse(visit, ask)
    wanted = _modalities(visit.params["model"], request)
    made = _media(wanted, answer)
    used = answer.usage(answer.tokens)
    if made:
        used = _media_usage(wanted, answer)
    if script.filtered:
        await _blocked(visit, answer, script)
        return
    if not await visit.call.prepare(script, answer.usage(0)):
        return
    if made and "IMAGE" in wanted:
        visit.call.charge(units={"image": 1})
    if streams:
        style = EVENTS if visit.query.get("alt") == "sse" else ARRAY
        frames = _frames(answer, script, made, used)

        def bills(sent: int) -> Usage:
            return used if made else answer.usage(sent)

        await visit.call.send_stream(frames, bills, style, form=FORM)
        return
    told = _told(used, script)
    parts = [_parts(choice) + made for choice in answer.choices]
    document = _document(answer, parts, finished=True)
    if script.usage != "missing":
        document["usageMetadata"] = told
    await visit.call.send_document(document, used, told, form=FORM)


async def count_tokens(visit: Visit) -> None:
    """Count the tokens of contents."""
    request = read(visit, GenerateRequest)
    script = visit.choose(visit.params["model"])
    if not await visit.call.prepare(script):
        return
    tokens = _prompt(request).tokens
    details = [{"modality": "TEXT", "tokenCount": tokens}]
    await visit.call.send_document({"totalTokens": tokens, "promptTokensDetails": details})


async def embed_one(visit: Visit) -> None:
    """Embed one text."""
    one = read(visit, EmbedOne)
    await _embed(visit, [one], as_list=False)


async def embed_many(visit: Visit) -> None:
    """Embed several texts."""
    many = read(visit, EmbedMany)
    if not many.requests:
        raise RefusedError("invalid_request", "at least one request is required")
    await _embed(visit, many.requests, as_list=True)


async def _embed(visit: Visit, asked: list[EmbedOne], *, as_list: bool) -> None:
    model = visit.params["model"]
    texts = [_text(one.content) for one in asked]
    script = visit.choose(model, texts[-1])
    tokens = sum(text_tokens(text) for text in texts)
    used = Usage(prompt_tokens=tokens)
    if not await visit.call.prepare(script, used):
        return
    values = [
        {
            "values": embedding_value(
                embed(text, model, one.output_dimensionality or visit.world.embedding_dimensions),
                None,
            )
        }
        for text, one in zip(texts, asked, strict=True)
    ]
    document: Document = {"embeddings": values} if as_list else {"embedding": values[0]}
    honest: Document = {
        "promptTokenCount": tokens,
        "promptTokenDetails": [{"modality": "TEXT", "tokenCount": tokens}],
    }
    told = usage.reported(honest, script.usage, FORM)
    if told is not None:
        told.pop("totalTokenCount", None)
    if script.usage != "missing" and model != "gemini-embedding-001":
        document["usageMetadata"] = told
    await visit.call.send_document(document, used, told, form=FORM)


async def _blocked(visit: Visit, answer: Answer, script: Script) -> None:
    """Answer a blocked prompt: 200 without candidates; its tokens are told and billed."""
    used = Usage(prompt_tokens=answer.prompt.tokens)
    if not await visit.call.prepare(script, used):
        return
    told = _told(used, script)
    document = {
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": told,
        **_names(answer),
    }
    if visit.call.entry.stream:
        style = EVENTS if visit.query.get("alt") == "sse" else ARRAY
        frame = Frame(FINISH, encode(document), 0, told)
        await visit.call.send_stream([frame], lambda _: used, style, form=FORM)
        return
    await visit.call.send_document(document, used, told, form=FORM)


def _object(used: Usage) -> Document:
    """Return `usageMetadata`: thoughts are beside the candidates' tokens, not in them."""
    visible = used.completion_tokens - used.reasoning_tokens
    told: Document = {
        "promptTokenCount": used.prompt_tokens,
        "totalTokenCount": used.prompt_tokens + used.completion_tokens,
        "promptTokensDetails": _details(
            used.prompt_tokens,
            (("IMAGE", used.prompt_image_tokens), ("AUDIO", used.prompt_audio_tokens)),
        ),
    }
    if visible:
        told["candidatesTokenCount"] = visible
    made = (("IMAGE", used.completion_image_tokens), ("AUDIO", used.completion_audio_tokens))
    if any(tokens for _, tokens in made):
        told["candidatesTokensDetails"] = _details(visible, made)
    if used.reasoning_tokens:
        told["thoughtsTokenCount"] = used.reasoning_tokens
    if used.cached_tokens:
        told["cachedContentTokenCount"] = used.cached_tokens
    return told


def _details(total: int, parts: tuple[tuple[str, int], ...]) -> list[Document]:
    text = total - sum(tokens for _, tokens in parts)
    listed = [("TEXT", text), *parts]
    return [{"modality": name, "tokenCount": tokens} for name, tokens in listed if tokens]


def _modality(told: Document, key: str, modality: str) -> int:
    listed: Any = told.get(key) or []
    return sum(count(part, "tokenCount") for part in listed if part.get("modality") == modality)


def _read(told: Document) -> Usage:
    thoughts = count(told, "thoughtsTokenCount")
    return Usage(
        prompt_tokens=count(told, "promptTokenCount") + count(told, "toolUsePromptTokenCount"),
        cached_tokens=count(told, "cachedContentTokenCount"),
        prompt_image_tokens=_modality(told, "promptTokensDetails", "IMAGE"),
        prompt_audio_tokens=_modality(told, "promptTokensDetails", "AUDIO"),
        completion_tokens=count(told, "candidatesTokenCount") + thoughts,
        completion_image_tokens=_modality(told, "candidatesTokensDetails", "IMAGE"),
        completion_audio_tokens=_modality(told, "candidatesTokensDetails", "AUDIO"),
        reasoning_tokens=thoughts,
    )


def _total(told: Document) -> Document:
    used = _read(told)
    return {"totalTokenCount": used.prompt_tokens + used.completion_tokens}


FORM: Final = usage.Form(_object, _read, _total)


def _told(used: Usage, script: Script) -> Document | None:
    return usage.reported(_object(used), script.usage, FORM)


def _names(answer: Answer) -> Document:
    short = base64.urlsafe_b64encode(answer.seed).decode()[:22]
    return {"modelVersion": answer.model, "responseId": short}


def _document(answer: Answer, parts: list[list[Document]], *, finished: bool) -> Document:
    candidates: list[Document] = []
    for index, said in enumerate(parts):
        candidate: Document = {"content": {"role": "model", "parts": said}, "index": index}
        if finished:
            reason = answer.choices[index].finish_reason
            candidate["finishReason"] = dict(_FINISH).get(reason, reason)
        candidates.append(candidate)
    return {"candidates": candidates, **_names(answer)}


def _parts(choice: Choice) -> list[Document]:
    """Return the visible parts; thoughts stay with the model."""
    call = choice.tool_call
    if call is not None:
        given: Any = msgspec.json.decode(call.arguments)
        return [{"functionCall": {"name": call.name, "args": given}}]
    return [{"text": choice.text}] if choice.pieces else []


def _frames(answer: Answer, script: Script, made: list[Document], used: Usage) -> Iterator[Frame]:
    """Yield one candidate's pieces; each chunk tells the usage so far, the last all of it."""
    choice = answer.choices[0]
    sent = 0
    waiting = len(choice.thoughts)
    shows = script.usage != "missing"
    for piece, counted in zip(choice.pieces, choice.counts, strict=True):
        tokens = counted + waiting
        waiting = 0
        sent += tokens
        document = _document(answer, [[{"text": piece}]], finished=False)
        if shows:
            told = _told(answer.usage(sent), script)
            if told is not None:
                told |= script.usage_at_start
            document["usageMetadata"] = told
        yield Frame(CONTENT, encode(document), tokens)
    parts = made if choice.tool_call is None else _parts(choice)
    document = _document(answer, [parts or [{"text": ""}]], finished=True)
    told = _told(used, script)
    if shows:
        document["usageMetadata"] = told
    rest = used.completion_tokens - sent
    yield Frame(FINISH, encode(document), rest, told if shows else None)


def _modalities(model: str, request: GenerateRequest) -> list[str]:
    """Return what an answer is made of: as was asked, else as the model does it."""
    asked = request.generation_config.response_modalities
    return asked or (["TEXT", "IMAGE"] if PICTURE_MODEL in model else [])


def _media(wanted: list[str], answer: Answer) -> list[Document]:
    """Return the picture or the sound that is asked for instead of words."""
    if "IMAGE" in wanted:
        data = base64.b64encode(png(Size(1024, 1024), answer.seed)).decode()
        return [{"inlineData": {"mimeType": "image/png", "data": data}}]
    if "AUDIO" in wanted:
        data = base64.b64encode(sound("pcm", speech_ms(answer.prompt.last_text))).decode()
        kind = f"audio/L16;codec=pcm;rate={PCM_HZ}"
        return [{"inlineData": {"mimeType": kind, "data": data}}]
    return []


def _media_usage(wanted: list[str], answer: Answer) -> Usage:
    used = answer.usage(0)
    if "IMAGE" in wanted:
        return msgspec.structs.replace(
            used,
            completion_tokens=answer.tokens + IMAGE_TOKENS,
            completion_image_tokens=IMAGE_TOKENS,
        )
    length_ms = speech_ms(answer.prompt.last_text)
    tokens = -(-length_ms * SPEECH_TOKENS_PER_S // 1000)
    return msgspec.structs.replace(
        used, completion_tokens=answer.tokens + tokens, completion_audio_tokens=tokens
    )


def _ask(model: str, request: GenerateRequest, *, streams: bool) -> Ask:
    config = request.generation_config
    functions = [
        function for tool in request.tools for function in tool.get("functionDeclarations") or ()
    ]
    calling: Document = request.tool_config.get("functionCallingConfig") or {}
    forced: str | None = None
    if calling.get("mode") == "ANY":
        allowed: Any = calling.get("allowedFunctionNames") or [""]
        forced = allowed[0]
    thinking = config.thinking_config or {}
    silent = bool({"IMAGE", "AUDIO"} & set(_modalities(model, request)))
    last = request.contents[-1]
    return Ask(
        model=model,
        prompt=_prompt(request),
        stream=streams,
        choices=1 if streams else config.candidate_count or 1,
        tokens_max=0 if silent else config.max_output_tokens,
        tools=[
            Tool(one["name"], one.get("parameters") or one.get("parametersJsonSchema") or {})
            for one in functions
        ],
        forced=forced,
        answered=any("functionResponse" in part for part in last.parts),
        thinks=bool(thinking.get("thinkingBudget") or thinking.get("thinkingLevel")),
        schema=config.response_schema or config.response_json_schema,
    )


def _prompt(request: GenerateRequest) -> Prompt:
    texts: list[str] = []
    tokens = usage.REQUEST_TOKENS + usage.MESSAGE_TOKENS * len(request.contents)
    if request.tools:
        tokens += text_tokens(encode(request.tools).decode())
    images = 0
    sounds = 0
    last_text = ""
    system = [request.system_instruction] if request.system_instruction else []
    for content in [*system, *request.contents]:
        for part in content.parts:
            text = part.get("text")
            if isinstance(text, str):
                texts.append(text)
                tokens += text_tokens(text)
                last_text = text if content.role == "user" else last_text
            blob: Document = part.get("inlineData") or part.get("fileData") or {}
            kind = str(blob.get("mimeType", ""))
            images += usage.IMAGE_TOKENS if kind.startswith("image/") else 0
            sounds += usage.AUDIO_TOKENS if kind.startswith("audio/") else 0
            for key in ("functionCall", "functionResponse"):
                if key in part:
                    tokens += text_tokens(encode(part[key]).decode())
                    texts.append(encode(part[key]).decode())
    return Prompt(texts, tokens + images + sounds, sounds, last_text, images)


def _text(content: Content) -> str:
    return "".join(str(part.get("text", "")) for part in content.parts)
