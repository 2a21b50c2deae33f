"""Is every wire format that may be named also built?"""

from tollbridge.providers.dialects.registry import FACES, task_wires, wires
from tollbridge.routing.builtin import load_known
from tollbridge.routing.part import BUILT_DIALECTS


def test_what_routing_takes_for_built_is_what_is_built() -> None:
    """Routing knows the names alone: it must not know the wires themselves."""
    assert wires().keys() | task_wires().keys() == BUILT_DIALECTS


def test_every_known_endpoint_speaks_a_wire_format_that_is_built() -> None:
    """No entry of endpoints.toml is left out for its format."""
    assert {one.dialect for one in load_known().endpoints.values()} <= BUILT_DIALECTS


def test_callers_are_answered_in_four_formats() -> None:
    """Each address of the data plane belongs to one of these."""
    assert set(FACES) == {"openai", "responses", "anthropic", "gemini"}
