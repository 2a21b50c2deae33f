"""How is the office's HTTP application served? On its unix socket, within the office's own loop."""

import contextlib
from collections.abc import Generator
from pathlib import Path

import uvicorn

from tollbridge.api.application import create_application
from tollbridge.api.deps import ControlServices
from tollbridge.insight.forecast_process import ForecastModels
from tollbridge.insight.forecast_usage import ForecastTerms
from tollbridge.insight.foretell import Forecaster
from tollbridge.settings import Settings


class GuestServer(uvicorn.Server):
    """A server that leaves the process's signals to the office."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Do nothing: the office ends the server itself."""
        yield


def make_guest_server(services: ControlServices, socket_path: Path) -> GuestServer:
    """Return the server of the control plane, which is not started yet."""
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
