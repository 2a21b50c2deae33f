"""How is the office's HTTP application served? On its unix socket, within the office's own loop."""

import contextlib
import math
from collections.abc import Generator

import uvicorn

from tollbridge.api.application import create_application
from tollbridge.api.deps import ControlServices
from tollbridge.insight.forecast_process import ForecastModels
from tollbridge.insight.forecast_usage import ForecastTerms
from tollbridge.insight.foretell import Forecaster
from tollbridge.processes.places import Places
from tollbridge.settings import Settings

SPARE_S = 5
"""How much longer than its workers the office keeps an idle connection."""


class GuestServer(uvicorn.Server):
    """A server that leaves the process's signals to the office."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Do nothing: the office ends the server itself."""
        yield


def make_guest_server(services: ControlServices, settings: Settings) -> GuestServer:
    """Return the server of the control plane, which is not started yet.

    Its idle connections outlive those of the workers: a request on a connection that is just being
    closed would be answered with 503.
    """
    socket_path = Places(settings.data_dir).office_socket
    socket_path.unlink(missing_ok=True)
    config = uvicorn.Config(
        create_application(services),
        uds=str(socket_path),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=math.ceil(settings.upstream_idle_max_s) + SPARE_S,
    )
    return GuestServer(config)


def make_forecaster(settings: Settings) -> Forecaster:
    """Return what forecasts; the process with its models is not started yet."""
    models = ForecastModels(settings.forecast_timeout_s, settings.forecast_idle_s)
    return Forecaster(
        terms=ForecastTerms(
            history_days=settings.forecast_history_days,
            days_min=settings.forecast_days_min,
            series_max=settings.forecast_series_max,
        ),
        models=models if settings.forecast_models == "auto" else None,
    )
