"""How are a price's conditions and names given on the command line?"""

from collections.abc import Iterable
from typing import Annotated

import typer

from tollbridge.core.errors import InvalidRequestError

ConditionOption = Annotated[
    list[str] | None,
    typer.Option(
        "--if",
        help="KEY=VALUE, such as service_tier=flex or input_above=200000. May be given again.",
        show_default=False,
    ),
]


def read_pairs(option: str, given: Iterable[str] | None) -> dict[str, str]:
    """Return KEY=VALUE words as a mapping. Raises InvalidRequestError naming the option."""
    found: dict[str, str] = {}
    for one in given or ():
        key, sign, value = one.partition("=")
        if not sign or not key or not value:
            raise InvalidRequestError(f"{option} takes NAME=VALUE, not {one[:100]!r}")
        if key in found:
            raise InvalidRequestError(f"{option}: {key[:50]} is given twice")
        found[key] = value
    return found
