"""What must be known of the catalogue's models to plan a call?"""

from enum import StrEnum

import msgspec


class ModelType(StrEnum):
    """What a model makes; the categories of the same names are what calls ask for."""

    TEXT = "text"
    IMAGE = "image"
    VIDEO = "video"
    AUDIO = "audio"
    EMBEDDING = "embedding"
    RERANK = "rerank"


class ModelEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One model of the catalogue, as workers know it."""

    name: str
    model_type: str
    provider: str
    is_active: bool
    is_default: bool
    """At most one of each type, and only an active one."""
    is_decided: bool = True
    """Whether the seed or a person has said that it is active or not; False for a model that a
    sync brought and nobody has looked at: it must not change what was served before."""
    valid_sizes: tuple[str, ...] | None = None
    """None: any, as far as is known."""
    context_window: int | None = None
    """Tokens; None is not known."""
    max_output_tokens: int | None = None


class ModelPart(msgspec.Struct, frozen=True):
    """All models of the catalogue: a part of a worker's snapshot."""

    models: list[ModelEntry] = []
