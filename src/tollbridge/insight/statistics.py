"""What do counts say of how good a provider is, and how sure is that? Pure arithmetic."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from math import ceil, sqrt

from tollbridge.recording.rollups import bucket_bounds

Z_95 = 1.959963984540054
"""Of a normal distribution: 95 % of it is within so many deviations."""
HUNDREDTH = Decimal("0.01")


def percent(part: int, whole: int) -> Decimal:
    """Return a share in percent with two decimal places, half up; 0 of nothing."""
    if whole == 0:
        return Decimal(0)
    return (Decimal(part) * 100 / Decimal(whole)).quantize(HUNDREDTH, ROUND_HALF_UP)


def share(part: int, whole: int) -> float | None:
    """Return a share from 0 to 1 with six decimal places, None of nothing."""
    return None if whole <= 0 else round(part / whole, 6)


def wilson(successes: int, tries: int) -> tuple[float, float] | None:
    """Return between which shares the true one is, with 95 % confidence (Wilson's score interval).

    Unlike the plain one it holds for few tries, and for shares near 0 or 1. None without tries.
    """
    if tries <= 0:
        return None
    found, square = successes / tries, Z_95 * Z_95
    middle = (found + square / (2 * tries)) / (1 + square / tries)
    spread = (
        Z_95
        * sqrt(found * (1 - found) / tries + square / (4 * tries * tries))
        / (1 + square / tries)
    )
    return round(max(0.0, middle - spread), 6), round(min(1.0, middle + spread), 6)


def percentile(histogram: Mapping[int, int], part: float) -> int | None:
    """Return milliseconds that so many of all did not exceed: the middle of the bucket they end in.

    `histogram`: bucket of rollups.latency_bucket → count. Exact below 16 ms, else within 1/16.
    """
    total = sum(histogram.values())
    if total <= 0:
        return None
    wanted, seen = max(1, ceil(part * total)), 0
    for index in sorted(histogram):
        seen += histogram[index]
        if seen >= wanted:
            low, high = bucket_bounds(index)
            return (low + high - 1) // 2
    return None
