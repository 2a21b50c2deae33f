import csv
from importlib import resources

import pytest
from genai_prices.data import providers

from tollbridge.core.errors import ConfigurationError
from tollbridge.core.provider_names import PROVIDER_ID_MAX, Serving
from tollbridge.providers.names import load_names, read_names
from tollbridge.routing.builtin import load_known

REQUIRED = (
    "wavespeed google huggingface stability openai anthropic elevenlabs azure bedrock replicate "
    "openrouter aimlapi piapi xai mistral groq together deepseek cohere jina runware fal runway "
    "luma kling ideogram black-forest-labs minimax tavily serper metaphor exa firecrawl local"
)
NAMES = load_names()


def test_every_provider_that_is_to_be_known_has_an_id_and_a_name() -> None:
    assert set(REQUIRED.split()) <= NAMES.shown.keys()
    assert all(len(one) <= PROVIDER_ID_MAX for one in NAMES.shown)
    assert all(NAMES.shown.values())


def test_every_provider_of_genai_prices_is_mapped() -> None:
    """A new edition with a new provider fails here until somebody says who that is."""
    assert [one.id for one in providers if NAMES.resolve(one.id) is None] == []


def test_every_provider_of_the_price_research_is_mapped() -> None:
    text = (resources.files("tollbridge.rating") / "catalogue" / "media_prices.csv").read_text()
    named = {row["provider"] for row in csv.DictReader(text.splitlines())}
    assert len(named) > 30
    assert [one for one in sorted(named) if NAMES.resolve(one) is None] == []


def test_every_known_endpoint_belongs_to_a_provider_that_has_a_name() -> None:
    providers = {one.provider or name for name, one in load_known().endpoints.items()}
    assert len(providers) > 20
    assert providers <= NAMES.shown.keys()


@pytest.mark.parametrize(
    ("name", "serving"),
    [
        ("x-ai", Serving("xai")),
        ("gemini", Serving("google")),
        ("aws", Serving("bedrock")),
        (" OpenAI ", Serving("openai")),
        ("black_forest_labs", Serving("black-forest-labs")),
        ("huggingface:groq", Serving("huggingface", "groq")),
        ("huggingface_fireworks-ai", Serving("huggingface", "fireworks")),
    ],
)
def test_other_names_are_understood(name: str, serving: Serving) -> None:
    assert NAMES.resolve(name) == serving


@pytest.mark.parametrize("name", ["", "nobody", "huggingface:nobody", "openai:groq", "groqq"])
def test_what_nobody_lists_is_unknown_and_never_guessed(name: str) -> None:
    assert NAMES.resolve(name) is None


def test_people_see_the_name_and_of_an_unknown_provider_its_id() -> None:
    shown = [NAMES.display(one) for one in ("wavespeed", "huggingface", "stability", "google")]
    assert shown == ["WaveSpeed", "HuggingFace", "Stability AI", "Google"]
    assert NAMES.display("my-cluster") == "my-cluster"


def test_a_name_that_means_two_providers_is_refused() -> None:
    text = '[[provider]]\nid = "{}"\nname = "N"\naliases = ["same"]\n'
    with pytest.raises(ConfigurationError, match="'same' is given twice"):
        read_names(text.format("one") + text.format("two"))


@pytest.mark.parametrize("identifier", ["", "x" * 51, "Upper"])
def test_an_id_that_cannot_be_kept_is_refused(identifier: str) -> None:
    with pytest.raises(ConfigurationError, match="an id is lower case"):
        read_names(f'[[provider]]\nid = "{identifier}"\nname = "N"\n')


def test_a_file_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"providers\.toml"):
        read_names("[[provider]]\nid = 1\n")
