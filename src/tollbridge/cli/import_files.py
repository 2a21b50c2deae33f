"""What do the lines of a file say, as records of the intake?"""

import csv
import hashlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import msgspec

from tollbridge.core.clock import to_us
from tollbridge.core.errors import ConfigurationError
from tollbridge.recording.alwrity_store import count_rows, read_rows
from tollbridge.recording.intake_check import GivenRecord

DIGEST_BYTES: Final = 1024 * 1024
LINE_BYTES_MAX: Final = 1024 * 1024
NUMBERS: Final = frozenset(
    {
        "input_token",
        "output_token",
        "total_token",
        "input_cached_token",
        "request_count",
        "output_chunk_count",
        "request_content_bytes",
        "started_at",
        "completed_at",
        "status_code",
    }
)
FIELDS: Final = frozenset(GivenRecord.__struct_fields__)
TRUE: Final = frozenset({"true", "1", "yes"})

Line = tuple[int, bytes]
"""A line's number, from 1, and its record as JSON."""


class Format(StrEnum):
    """What kind of file it is."""

    CSV = "csv"
    JSONL = "jsonl"
    ALWRITY = "alwrity"


class Keep(StrEnum):
    """What of a file is taken for granted."""

    COSTS = "costs"
    PROVIDERS = "providers"
    NOTHING = "nothing"


class ImportFile(msgspec.Struct, frozen=True):
    """A file to be imported."""

    path: Path
    format: Format
    trust_providers: bool = False
    """Whether the provider that an ALwrity row names is taken; else it is detected anew."""
    keep_costs: bool = True
    """Whether a cost that the file states is the cost; else our prices say it."""

    def lines(self) -> Iterator[Line]:
        """Yield its records. Raises ConfigurationError where it is not of its format."""
        if self.format is Format.ALWRITY:
            for number, row in enumerate(read_rows(self.path), 1):
                yield number, msgspec.json.encode(self._of_alwrity(row))
        elif self.format is Format.CSV:
            yield from self._of_csv()
        else:
            with self.path.open("rb") as file:
                for number, line in enumerate(iter(lambda: file.readline(LINE_BYTES_MAX), b""), 1):
                    if line.strip():
                        yield number, line.strip()

    def count(self) -> int:
        """Return about how many lines there are, for the progress."""
        if self.format is Format.ALWRITY:
            return count_rows(self.path)
        with self.path.open("rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(DIGEST_BYTES), b""))

    def digest(self) -> str:
        """Return what tells this file's content from another's."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _of_csv(self) -> Iterator[Line]:
        with self.path.open(encoding="utf-8-sig", newline="", errors="replace") as file:
            reader = csv.DictReader(file)
            names = set(reader.fieldnames or ())
            alwrity = "model_used" in names
            if not alwrity and "model" not in names:
                raise ConfigurationError(f"{self.path} has no column `model` (or `model_used`)")
            for row in reader:
                given = (
                    self._of_alwrity(row) if alwrity else _of_row(row, keep_costs=self.keep_costs)
                )
                yield reader.line_num, msgspec.json.encode(given)

    def _of_alwrity(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row of `api_usage_logs` as a record. There zero tokens mean: not known."""
        ended_ms = _milliseconds(row.get("timestamp"))
        taken_s = _decimal(row.get("response_time"))
        found: dict[str, Any] = {
            "id": f"{row.get('user_id')}:{row.get('id')}" if row.get("id") else None,
            "model": row.get("model_used") or row.get("provider"),
            "bucket": row.get("provider"),
            "endpoint": row.get("endpoint"),
            "user_id": row.get("user_id"),
            "completed": True,
            "input_token": _positive(row.get("tokens_input")),
            "output_token": _positive(row.get("tokens_output")),
            "total_token": _positive(row.get("tokens_total")),
            "status_code": _whole(row.get("status_code")),
            "error": row.get("error_message"),
            "request_content_bytes": _positive(row.get("request_size")),
            "completed_at": ended_ms,
        }
        if isinstance(ended_ms, int) and taken_s is not None and taken_s > 0:
            found["started_at"] = ended_ms - int(taken_s * 1000)
        if self.trust_providers:
            found["actual_provider"] = row.get("actual_provider_name")
        cost = _decimal(row.get("cost_total"))
        if self.keep_costs and cost is not None and cost > 0:
            found["cost_usd"] = f"{cost.quantize(Decimal('0.000001')):f}"
        return {name: value for name, value in found.items() if value not in {None, ""}}


def _of_row(row: Mapping[str, Any], *, keep_costs: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, text in row.items():
        if name not in FIELDS or text in {None, ""}:
            continue
        if name in NUMBERS:
            found[name] = _whole(text)
        elif name == "completed":
            found[name] = str(text).strip().lower() in TRUE
        elif name == "units":
            found[name] = msgspec.Raw(str(text).encode())
        elif name != "cost_usd" or keep_costs:
            found[name] = text
    return found


def _whole(value: Any) -> Any:
    """Return a whole number; what is none stays as it is, to be refused with its reason."""
    text = str(value).strip() if value is not None else ""
    if not text:
        return None
    try:
        number = Decimal(text)
        return int(number) if number == number.to_integral_value() else value
    except (InvalidOperation, OverflowError, ValueError):
        return value


def _positive(value: Any) -> Any:
    number = _whole(value)
    return None if number == 0 else number


def _decimal(value: Any) -> Decimal | None:
    try:
        found = None if value in {None, ""} else Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found is not None and found.is_finite() else None


def _milliseconds(value: Any) -> Any:
    """Return a time of an ALwrity row, naive in UTC, in milliseconds; as it is where it is none."""
    if value is None or value == "":
        return None
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        return str(value)
    return to_us(at if at.tzinfo is not None else at.replace(tzinfo=UTC)) // 1000
