"""Which calls does somebody mean at the command line?"""

from collections.abc import Iterable, Mapping
from datetime import tzinfo
from typing import Annotated

import msgspec
import typer

from tollbridge.cli.instants import read_instant
from tollbridge.cli.price_options import read_pairs
from tollbridge.core.call import Bucket, Category, Ending, Status
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.provider_names import ProviderNames
from tollbridge.core.usage import UsageSource
from tollbridge.insight.log_filter import Asked, filter_as_asked
from tollbridge.insight.usage import CallFilter

ASKED = ("provider", "actual_provider", "upstream_provider", "status_code", "billing_period")
WORDS = ("user", "key", "model", "served_model", "project", "customer", "tag")
CHOICES: Mapping[str, tuple[str, ...]] = {
    "bucket": tuple(one.value for one in Bucket),
    "category": tuple(one.value for one in Category),
    "status": (Status.COMPLETED.value, Status.FAILED.value),
    "ending": tuple(one.value for one in Ending),
    "usage_source": tuple(one.value for one in UsageSource),
}
TRUTHS: Mapping[str, bool] = {"true": True, "false": False}
SWITCHES = ("unpriced", "fallback")
INSTANTS: Mapping[str, str] = {"from": "from_us", "to": "to_us"}
NAMES = (*ASKED, *WORDS, *CHOICES, *SWITCHES, *INSTANTS)

Where = Annotated[
    list[str] | None,
    typer.Option(
        help=f"NAME=VALUE, of: {', '.join(sorted(NAMES))}. May be given again; all must hold.",
        show_default=False,
    ),
]


def read_filter(
    options: Mapping[str, str | None],
    where: Iterable[str] | None,
    names: ProviderNames,
    zone: tzinfo,
) -> CallFilter:
    """Return the filter of options and of `--where`. Raises InvalidRequestError naming the one."""
    given = read_pairs("--where", where)
    for name, value in options.items():
        if value is not None and given.setdefault(name, value) != value:
            raise InvalidRequestError(f"--{name} and --where {name} differ")
    asked: dict[str, str] = {}
    plain: dict[str, object] = {}
    for name, value in given.items():
        if name in ASKED:
            asked[name] = value
        elif name in WORDS:
            plain[name] = value
        elif name in CHOICES:
            plain[name] = _chosen(name, value, CHOICES[name])
        elif name in SWITCHES:
            plain[name] = TRUTHS[_chosen(name, value, tuple(TRUTHS))]
        elif name in INSTANTS:
            plain[INSTANTS[name]] = read_instant(f"--where {name}", value, zone)
        else:
            raise InvalidRequestError(
                f"--where: there is no {name[:50]!r}; there are: {', '.join(sorted(NAMES))}"
            )
    return filter_as_asked(
        msgspec.convert(asked, Asked), msgspec.convert(plain, CallFilter), names, zone
    )


def _chosen(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise InvalidRequestError(
            f"--where {name}: there is no {value[:50]!r}; there are: {', '.join(choices)}"
        )
    return value
