"""What can be set of insight: how far is looked back and ahead, what is watched, and who is told?

A part of `settings.Settings`: the names of the environment variables are made as there.
"""

from typing import Literal

from pydantic import Field, SecretStr

from tollbridge.settings_people import PeopleSettings


class InsightSettings(PeopleSettings):
    """The settings of forecasts, experiments and metrics, after those of people."""

    # Forecasts

    forecast_models: Literal["auto", "baseline"] = Field(
        default="auto",
        description="auto: the models of statsforecast where the extra `forecast` is installed, "
        "in a process of its own, each where it erred less in the past than the baseline; "
        "baseline: the seasonal-naive one alone.",
    )
    forecast_history_days: int = Field(
        default=365,
        ge=14,
        le=1500,
        description="Whole days that a forecast looks back at, where nobody says from when.",
    )
    forecast_days_min: int = Field(
        default=14,
        ge=14,
        le=365,
        description="Whole days since the first use, below which nothing is forecast.",
    )
    forecast_series_max: int = Field(
        default=200, ge=1, le=500, description="Series, or limits, of one question."
    )
    forecast_timeout_s: float = Field(
        default=60.0, gt=0, description="Time for the models to answer; then the baseline does."
    )
    forecast_idle_s: float = Field(
        default=120.0, gt=0, description="Time after which their process ends that nobody asks."
    )

    # Experiments
    experiment_guard_s: float = Field(
        default=30.0,
        gt=0,
        description="Time between two looks whether an arm of an experiment fails too often.",
    )

    # Metrics
    metrics_budgets_s: float = Field(
        default=15.0, gt=0, description="Time between two looks at the budgets for metrics."
    )
    metrics_series_max: int = Field(
        default=100,
        ge=1,
        le=2000,
        description="Groups of provider, category, operation and model that metrics tell apart; "
        "all further ones are one group, `other`.",
    )
    otlp_endpoint: str = Field(
        default="",
        description="Base address of an OpenTelemetry collector that metrics are sent to by OTLP "
        "over HTTP (JSON), such as http://127.0.0.1:4318; empty: none are.",
    )
    otlp_headers: SecretStr = Field(
        default=SecretStr(""),
        description="Headers that it wants, as name=value with commas between.",
    )
    otlp_interval_s: float = Field(
        default=60.0, ge=1, description="Time between two such messages."
    )
    otlp_timeout_s: float = Field(
        default=10.0, gt=0, description="Time that the collector may take for a message of spans."
    )
    otlp_spans: bool = Field(
        default=False,
        description="Whether the same collector gets a span for each call and for each of its "
        "attempts. They never hold prompts or answers.",
    )
    otlp_spans_ratio: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Share of calls that have spans; where a caller sends `traceparent`, its flag "
        "decides instead.",
    )
    otlp_spans_interval_s: float = Field(
        default=5.0, gt=0, description="Time after which spans are sent at the latest."
    )
    otlp_spans_queued_max: int = Field(
        default=10_000,
        ge=1,
        le=1_000_000,
        description="Calls whose spans wait for the collector; those of further ones are dropped, "
        "and counted.",
    )
