"""The office's server, beside the workers that pass requests on to it."""

from pathlib import Path
from typing import Any, cast

import pytest

from tollbridge.api.deps import ControlServices
from tollbridge.api.figures import OfficeFigures
from tollbridge.core.clock import SystemClock
from tollbridge.processes.guest import SPARE_S, make_guest_server
from tollbridge.settings import Settings


@pytest.mark.parametrize("idle_max_s", [0.5, 15.0, 300.0])
def test_the_office_keeps_a_connection_longer_than_a_worker_reuses_it(
    tmp_path: Path, idle_max_s: float
) -> None:
    """Else a request now and then meets one that is just being closed, and is answered 503."""
    services = ControlServices(
        database=cast("Any", None),  # nothing is asked
        clock=SystemClock(),
        token_secret=b"s" * 32,
        pepper=b"p" * 32,
        master=b"m" * 32,
        figures=lambda: OfficeFigures(database_is_up=True, workers_expected=1),
        on_fault=lambda _action, _error: None,
        body_bytes_max=1024,
    )
    settings = Settings(data_dir=tmp_path, upstream_idle_max_s=idle_max_s)
    server = make_guest_server(services, settings)
    assert server.config.timeout_keep_alive >= idle_max_s + SPARE_S
