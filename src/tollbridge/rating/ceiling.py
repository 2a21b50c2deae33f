"""What can a call cost at most?

The hold of a call under a hard limit. It must not be too low: the dearest candidate, each token
at the dearest rate it could be billed at.
"""

from collections.abc import Iterable

from tollbridge.core.plan import Candidate
from tollbridge.rating.book import PriceBook
from tollbridge.rating.tariff import COST_ATTO_MAX, NANO_ATTO

BYTES_PER_TOKEN_MIN = 2
"""No request has more tokens than half its bytes, attachments aside."""
ATTACHMENT_TOKENS_MAX = 48_169
"""What one attachment may be billed as, however few bytes name it: an image given by its address.

The most of OpenAI's token tables for images: gpt-4o-mini in high detail, 2,833 + 5,667 for each of
at most 8 tiles of 512 x 512 (fitted into 2,048 x 2,048, then the shorter side to 768). The other
models of those tables take less. Files take more: each page is billed as text and as an image.
"""


def ceiling(
    candidates: Iterable[Candidate],
    request_bytes: int,
    output_tokens: int,
    choices: int,
    at_us: int,
    book: PriceBook,
    *,
    attachments: int = 0,
    file_tokens: int = 0,
) -> int | None:
    """Return the most that any of the candidates can cost, in nano-USD, rounded up.

    `output_tokens` is the cap of one choice, 0 for operations without output tokens;
    `attachments` counts the images and sounds of the input; `file_tokens` is what its files may
    take, whatever their bytes say: a page of a few bytes is a picture of thousands of tokens, and
    a file that is named by an id or an address has no bytes here at all. None where a candidate
    has no price for what it may bill, or there is no candidate.
    """
    input_tokens = -(-request_bytes // BYTES_PER_TOKEN_MIN) + file_tokens
    input_tokens += attachments * ATTACHMENT_TOKENS_MAX
    output_total = output_tokens * choices
    dearest_atto = -1
    for candidate in candidates:
        tariff = book.find_first(candidate.endpoint.provider, (candidate.model,), at_us)
        if tariff is None or tariff.input_atto_max is None:
            return None
        cost_atto = tariff.input_atto_max * input_tokens + tariff.request_atto
        if output_total:
            if tariff.output_atto_max is None:
                return None
            cost_atto += tariff.output_atto_max * output_total
        dearest_atto = max(dearest_atto, cost_atto)
    if dearest_atto < 0:
        return None
    # The caller names the output tokens: however many, the hold must fit a database's integer.
    return -(-min(dearest_atto, COST_ATTO_MAX) // NANO_ATTO)
