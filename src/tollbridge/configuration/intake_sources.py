"""What does an [[intake_source]] declare?

A gateway that reports what it carried: who may report for it, whether our budgets pay for it, and
the names that its reports are checked by.
"""

from collections.abc import Mapping
from typing import cast

from tollbridge.configuration.table import TableReader, near, type_name
from tollbridge.recording.intake_check import ID_LENGTH_MAX, TEXT_LENGTH_MAX
from tollbridge.recording.intake_registry import (
    Kind,
    RegisteredName,
    SourceNames,
    SourceTerms,
    names_of,
)

FIELDS = frozenset({"name", "keys", "charges", "names"})
KINDS = frozenset(kind.value for kind in Kind)
NAME_FIELDS: Mapping[Kind, frozenset[str]] = {
    Kind.PROVIDER: frozenset({"name", "provider_type", "models"}),
    Kind.ROUTE: frozenset({"name", "model_id"}),
}
"""What may be said of an id besides its name; of any other kind an id is a name alone."""


def read_intake_source(table: TableReader) -> SourceNames:
    """Return what one [[intake_source]] declares."""
    table.only(FIELDS)
    names = table.raw("names")
    if names is not None and not isinstance(names, dict):
        raise table.error(f"names is a table of kinds, not {type_name(names)}")
    found: list[RegisteredName] = []
    for kind, of_kind in cast("dict[str, object]", names or {}).items():
        if kind not in KINDS:
            raise table.error(f"names: there is no kind {kind!r}{near(kind, KINDS)}")
        if not isinstance(of_kind, dict):
            raise table.error(f"names.{kind} is a table of id and name, not {type_name(of_kind)}")
        entries = cast("dict[str, object]", of_kind)
        found += [_name(table, Kind(kind), key, said) for key, said in entries.items()]
    terms = SourceTerms(
        keys=table.texts("keys", ID_LENGTH_MAX), charges=table.flag("charges", default=False)
    )
    return names_of(table.text("name", length_max=ID_LENGTH_MAX), terms, tuple(found))


def _name(table: TableReader, kind: Kind, reported_id: str, said: object) -> RegisteredName:
    """Return what one id stands for: its name, or a table where there is more to say."""
    where = f"{table.where} names.{kind.value}"
    if not 0 < len(reported_id) <= ID_LENGTH_MAX or not reported_id.isprintable():
        raise table.error(f"names.{kind.value}: an id has 1 to {ID_LENGTH_MAX} characters")
    fields = NAME_FIELDS.get(kind, frozenset({"name"}))
    values = cast("dict[str, object]", said) if isinstance(said, dict) else {"name": said}
    entry = TableReader(f'{where} "{reported_id}"', values)
    entry.only(fields)
    return RegisteredName(
        kind=kind,
        id=reported_id,
        name=entry.text("name", length_max=TEXT_LENGTH_MAX),
        provider_type=_optional(entry, "provider_type"),
        models=entry.texts("models", TEXT_LENGTH_MAX) if entry.has("models") else None,
        model_id=_optional(entry, "model_id"),
    )


def _optional(entry: TableReader, field: str) -> str | None:
    return entry.text(field, length_max=ID_LENGTH_MAX) if entry.has(field) else None
