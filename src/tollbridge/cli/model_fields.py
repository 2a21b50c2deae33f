"""Which fields of a model does a command line set, and to what?"""

from tollbridge.core.errors import InvalidRequestError

WHOLE = frozenset({"context_window", "max_output_tokens", "sort_order"})
NONE_ALLOWED = frozenset(
    {
        "input_cost_per_1m",
        "output_cost_per_1m",
        "cost_per_image",
        "context_window",
        "max_output_tokens",
        "valid_sizes",
    }
)


def read_fields(given: list[str]) -> dict[str, object]:
    """Return the fields that `--set` names, as the store takes them.

    Raises InvalidRequestError for what is no FIELD=VALUE.
    """
    fields: dict[str, object] = {}
    for one in given:
        field, sign, text = one.partition("=")
        if not sign or not field:
            raise InvalidRequestError(f"--set takes FIELD=VALUE, not {one[:100]!r}")
        fields[field] = _value(field, text)
    return fields


def _value(field: str, text: str) -> object:
    if not text and field in NONE_ALLOWED:
        return None
    if field == "valid_sizes":
        return [size.strip() for size in text.split(",")]
    if field in WHOLE and text.isdecimal() and len(text) < 20:
        return int(text)
    if field.startswith(("is_", "supports_")) and text in {"true", "false"}:
        return text == "true"
    return text
