"""What is known of who served, before anything is concluded from it?"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec


class EvidenceSource(StrEnum):
    """How we know of the use."""

    CALL = "call"  # we carried it ourselves
    INTAKE = "intake"  # another gateway reports it
    IMPORT = "import"  # it was read from somebody's books


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Everything that may say who served one use. None, or empty, is not known.

    Nothing here need be true, or even printable: it is what others wrote.
    """

    bucket: str | None = None
    """The generic provider name, one of `core.call.Bucket`; another one says nothing."""
    model: str | None = None
    """The model that was asked for; behind an aggregator a suffix may name who is to run it."""
    served_model: str | None = None
    """The model that the answer says was run."""
    path: str | None = None
    """The endpoint's path, or its whole URL."""
    host: str | None = None
    """The host that was called, with or without a port."""
    headers: Mapping[str, str] = {}
    """Of the answer. Names in any case."""
    response_id: str | None = None
    aggregator_provider: str | None = None
    """Whom an aggregator's answer names in its own field, as OpenRouter's `provider`."""
    reported_provider: str | None = None
    """Whom the reporter of the use names."""
    endpoint: str | None = None
    """The name of the endpoint that we called."""
    endpoint_provider: str | None = None
    """Whose door that endpoint is, by its configuration."""
    http_status: int | None = None
    """What the endpoint answered; None: it did not."""
    error: str | None = None
    """Why it did not answer."""
    source: EvidenceSource = EvidenceSource.CALL
