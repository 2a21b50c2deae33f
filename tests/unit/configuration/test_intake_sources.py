"""What an [[intake_source]] of the configuration file declares, and what is refused of it."""

import pytest

from tollbridge.configuration.read import read
from tollbridge.core.errors import ConfigurationError
from tollbridge.recording.intake_registry import Kind, RegisteredName, SourceNames, SourceTerms
from tollbridge.routing.builtin import load_known

KNOWN = load_known()
WHOLE = """
[[intake_source]]
name = "eu"
keys = ["gw", "gw-2"]
charges = true

[intake_source.names.model]
7 = "gpt-4o"

[intake_source.names.provider]
3 = { name = "Azure EU", provider_type = "azure", models = ["gpt-4o"] }

[intake_source.names.route]
9 = { name = "chat", model_id = "7" }
"""


def declared(text: str) -> tuple[SourceNames, ...]:
    return read(text, {}, KNOWN).intake_sources


def test_a_source_has_keys_terms_and_names() -> None:
    [source] = declared(WHOLE)
    assert source.source == "eu"
    assert source.terms == SourceTerms(keys=("gw", "gw-2"), charges=True)
    assert source.find(Kind.MODEL, "7") == RegisteredName(kind=Kind.MODEL, id="7", name="gpt-4o")
    assert source.find(Kind.PROVIDER, "3") == RegisteredName(
        kind=Kind.PROVIDER, id="3", name="Azure EU", provider_type="azure", models=("gpt-4o",)
    )
    assert source.find(Kind.ROUTE, "9") == RegisteredName(
        kind=Kind.ROUTE, id="9", name="chat", model_id="7"
    )


def test_a_source_needs_no_more_than_a_name_and_charges_nobody() -> None:
    [source] = declared('[[intake_source]]\nname = "eu"')
    assert source.terms == SourceTerms()
    assert not source.has(Kind.MODEL)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["intake_source", "name is missing"]),
        ('name = "eu"\nkey = ["gw"]', ['"eu"', "unknown field key", "keys"]),
        ('name = "eu"\ncharges = "yes"', ["charges is true or false"]),
        ('name = "eu"\nkeys = "gw"', ["keys is a list"]),
        ('name = "eu"\nnames = ["a"]', ["names is a table"]),
        ('name = "eu"\nnames = { models = {} }', ["there is no kind 'models'", "model"]),
        ('name = "eu"\nnames = { user = "ana" }', ["names.user is a table of id and name"]),
        ('name = "eu"\nnames = { user = { 7 = 8 } }', ['names.user "7"', "name is text"]),
        (
            'name = "eu"\nnames = { user = { 7 = { name = "ana", models = [] } } }',
            ['names.user "7"', "unknown field models"],
        ),
        ('name = "eu"\n[[intake_source]]\nname = "eu"', ["eu is declared twice"]),
    ],
)
def test_what_is_wrong_is_named(text: str, words: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        declared(f"[[intake_source]]\n{text}")
    for word in words:
        assert word in caught.value.message
