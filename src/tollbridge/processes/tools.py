"""Of what is a worker made? Settings in, tools out."""

import os
import socket
from pathlib import Path

import uvicorn

from tollbridge.api.protocol import ConnectionLimits, Serve, protocol_with
from tollbridge.core.clock import Clock
from tollbridge.core.errors import BugError
from tollbridge.journey import GatewayLimits
from tollbridge.metering.extract import merge_usage
from tollbridge.processes.crash import crash_points
from tollbridge.providers.ask import Asking
from tollbridge.providers.attempt import AttemptLimits, Attempts, MediaTools
from tollbridge.providers.connect import client_ssl_context
from tollbridge.providers.delivery import Delivery
from tollbridge.providers.dialects.media.limits import MediaLimits
from tollbridge.providers.dialects.registry import FACES, task_wires, wires
from tollbridge.providers.fetch import Fetcher, FetchLimits
from tollbridge.providers.keys import KeyRing, KeySettings
from tollbridge.providers.limits import TransportLimits
from tollbridge.providers.proxy import ProxySettings
from tollbridge.providers.relay import Health, Relay, RelayLimits
from tollbridge.providers.resolver import CachingResolver
from tollbridge.providers.tasks import Tasks
from tollbridge.providers.transport import Transport
from tollbridge.recording.spool import Spool, SpoolLimits
from tollbridge.settings import MIB, Settings


def make_spool(settings: Settings, directory: Path, worker_id: str, clock: Clock) -> Spool:
    """Return the journal of one worker."""
    reach, write = crash_points(settings.crash_at)
    return Spool(
        directory,
        node=settings.node,
        worker=worker_id,
        clock=clock,
        limits=SpoolLimits(
            segment_bytes_max=settings.spool_segment_mb * MIB,
            reserve_bytes=settings.spool_reserve_mb * MIB,
            fsync=settings.spool_fsync,
            fsync_interval_ms=settings.spool_fsync_interval_ms,
        ),
        reach=reach,
        write=write,
    )


def make_transport(settings: Settings, clock: Clock) -> Transport:
    """Return the client of all providers, by way of the environment's proxies."""

    def proxy(name: str) -> str:
        return os.environ.get(name) or os.environ.get(name.lower()) or ""

    return Transport(
        TransportLimits(
            connect_timeout_s=settings.connect_timeout_s,
            idle_max_s=settings.upstream_idle_max_s,
            age_max_s=settings.upstream_age_max_s,
            connections_per_origin_max=settings.connections_per_origin_max,
        ),
        ssl_context=client_ssl_context(settings.ca_file),
        proxies=ProxySettings.parse(proxy("HTTP_PROXY"), proxy("HTTPS_PROXY"), proxy("NO_PROXY")),
        clock=clock,
    )


def make_asking(settings: Settings, transport: Transport, clock: Clock) -> Asking:
    """Return what carries requests that are no attempts of a call."""
    return Asking(transport, clock, settings.answer_bytes_max)


def make_fetcher(settings: Settings, clock: Clock) -> Fetcher:
    """Return what fetches addresses that others give, and none of our own network."""
    limits = TransportLimits(connect_timeout_s=settings.connect_timeout_s)
    bounds = FetchLimits(
        timeout_s=settings.fetch_timeout_s,
        bytes_max=settings.answer_bytes_max,
        private_hosts=tuple(settings.fetch_private_hosts.split()),
    )
    return Fetcher(CachingResolver(limits, clock), bounds)


def make_key_ring(settings: Settings, clock: Clock) -> KeyRing:
    """Return what says whose turn it is of an endpoint's keys."""
    return KeyRing(
        clock,
        KeySettings(cooldown_s=settings.provider_key_cooldown_s, out_s=settings.provider_key_out_s),
    )


def make_attempts(
    settings: Settings, transport: Transport, clock: Clock, tools: MediaTools
) -> Attempts:
    """Return what makes single attempts."""
    return Attempts(
        transport,
        wires(),
        FACES,
        AttemptLimits(
            first_byte_timeout_s=settings.first_byte_timeout_s,
            frame_max_bytes=settings.frame_max_bytes,
            answer_bytes_max=settings.answer_bytes_max,
        ),
        clock,
        merge_usage,
        tools,
    )


def make_relay(
    settings: Settings,
    transport: Transport,
    fetcher: Fetcher,
    health: Health,
    clock: Clock,
    keys: KeyRing,
) -> Relay:
    """Return what carries calls to providers."""
    ask = make_asking(settings, transport, clock)
    tools = MediaTools(Tasks(ask, clock), task_wires(), Delivery(ask, fetcher))
    attempts = make_attempts(settings, transport, clock, tools)
    limits = RelayLimits(
        drain_timeout_s=settings.drain_timeout_s,
        drains_max=settings.drains_max,
        attempts_max=settings.attempts_max,
        retry_rounds_max=settings.retry_rounds_max,
        retry_wait_max_s=settings.retry_wait_max_s,
        retry_backoff_s=settings.retry_backoff_s,
    )
    return Relay(attempts, health, limits, clock, keys)


def media_limits(settings: Settings) -> MediaLimits:
    """Return the bounds of what one call may bring, or ask for, beside text."""
    return MediaLimits(
        prompt_characters_max=settings.image_prompt_characters_max,
        images_max=settings.images_max,
        images_given_max=settings.images_given_max,
        image_bytes_max=settings.image_bytes_max,
        image_side_px_max=settings.image_side_px_max,
        speech_characters_max=settings.speech_characters_max,
        audio_bytes_max=settings.audio_bytes_max,
        documents_max=settings.rerank_documents_max,
        form_parts_max=settings.form_parts_max,
    )


def gateway_limits(settings: Settings) -> GatewayLimits:
    """Return the bounds of the first stages."""
    return GatewayLimits(
        total_timeout_s=settings.total_timeout_s,
        stream_timeout_s=settings.stream_timeout_s,
        stream_idle_timeout_s=settings.stream_idle_timeout_s,
        reserve_wait_s=settings.reserve_wait_ms / 1000,
        reserve_output_tokens=settings.reserve_output_tokens,
        reserve_file_tokens=settings.reserve_file_tokens,
        content_bytes_max=settings.content_bytes_max,
        unpriced_allowed=settings.unpriced_allowed,
    )


def make_server(settings: Settings, serve: Serve) -> uvicorn.Server:
    """Return the HTTP server of a worker, with our bounds on its connections.

    uvicorn listens, and ends in good order; each request goes from the protocol to `serve`.
    """
    protocol = protocol_with(
        ConnectionLimits(
            header_bytes_max=settings.header_bytes_max,
            header_timeout_s=settings.header_timeout_s,
            body_timeout_s=settings.body_timeout_s,
            write_stall_timeout_s=settings.write_stall_timeout_s,
            idle_timeout_s=settings.keep_alive_timeout_s,
        ),
        serve,
    )
    config = uvicorn.Config(
        _never_asked,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=settings.keep_alive_timeout_s,
        timeout_graceful_shutdown=settings.shutdown_grace_s,
    )
    return uvicorn.Server(config)


async def _never_asked(scope: object, receive: object, send: object) -> None:
    """Stand where uvicorn wants an application; the protocol has taken its place."""
    del scope, receive, send
    raise BugError("a request came by way of ASGI")


def listen(settings: Settings) -> socket.socket:
    """Return a listening socket that shares its port with the other workers."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # The protocol is named because asyncio sets TCP_NODELAY only where it is.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listening.bind((settings.host, settings.port))
    listening.listen(settings.backlog)
    listening.setblocking(False)  # noqa: FBT003  # the socket module's own signature
    return listening
