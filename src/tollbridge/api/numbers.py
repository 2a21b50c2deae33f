"""How does an exact decimal leave as a number of JSON?

What the documents show as a number is one; it is never a float of ours.
"""

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

_ENCODER = msgspec.json.Encoder(decimal_format="number")


def answer_with_numbers(body: object, headers: Mapping[str, str] | None = None) -> Response:
    """Return plain values as a JSON answer in which every Decimal is a number, digit for digit."""
    return Response(_ENCODER.encode(body), headers=headers, media_type="application/json")
