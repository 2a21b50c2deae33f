"""Do we and genai-prices understand the same models by the same names?

Each clause of the whole list is tried with names that it takes: the text itself, and with what may
stand before and behind it. Where we find a model, it must be theirs: never another one's price.
Where we find none, REASONS says why.
"""

import re
from collections import Counter
from collections.abc import Iterator

from genai_prices import types as genai
from genai_prices.data import providers

from tests.unit.rating.sources.test_against_genai import book, reading
from tollbridge.providers.names import load_names
from tollbridge.rating.prices import PriceRow
from tollbridge.rating.sources.clauses import NOT_SPEECH

AT_US = 1_790_000_000_000_000
NAMES_MIN = 4_000
BEHIND = ("", "-x", "-20250101", "-2025-01-01", "-v1:0")
BEFORE = ("", "us.", "a/")
DATE = re.compile(r"\\d\{8\}|\\d\{4\}-\\d\{2\}-\\d\{2\}")


def names_of(clause: genai.MatchLogic) -> Iterator[str]:
    if isinstance(clause, genai.ClauseOr | genai.ClauseAnd):
        for part in clause.or_ if isinstance(clause, genai.ClauseOr) else clause.and_:
            yield from names_of(part)
    elif isinstance(clause, genai.ClauseEquals):
        yield clause.equals
    elif isinstance(clause, genai.ClauseStartsWith):
        yield from (clause.starts_with + end for end in BEHIND)
    elif isinstance(clause, genai.ClauseEndsWith):
        yield from (start + clause.ends_with for start in BEFORE)
    elif isinstance(clause, genai.ClauseContains):
        yield from (start + clause.contains + end for start in BEFORE for end in BEHIND)
    elif "(" not in clause.regex and "[-@]" not in clause.regex:
        yield DATE.sub("20260801", clause.regex.strip("^$")).replace("\\d", "7").replace("\\", "")


def found(provider: str, name: str) -> list[PriceRow]:
    return book().rows_at(provider, name, AT_US)


def no_price_is_stated(provider: genai.Provider, theirs: genai.ModelInfo, _name: str) -> bool:
    """State no price for the model: there is nothing that a name could lead to."""
    return (provider.id, theirs.id) in {(one.provider, one.what) for one in reading().skipped}


def speech_is_excepted(_provider: genai.Provider, theirs: genai.ModelInfo, name: str) -> bool:
    """Take any name with a beginning but those of speech models, which no matcher can say.

    Carried are the beginning itself and with a version or date behind it; `-x` is neither.
    """
    return NOT_SPEECH in repr(theirs.match) and name.endswith(("-x", "-v1:0"))


REASONS = (no_price_is_stated, speech_is_excepted)


def test_a_name_leads_to_the_model_that_genai_prices_means_or_to_none_for_a_reason() -> None:
    """No name is another model's with us, and those that lead nowhere are explained."""
    resolve = load_names().resolve
    tried, explained, wrong = 0, Counter[str](), list[str]()
    for provider in providers:
        serving = resolve(provider.id)
        assert serving is not None
        if serving.upstream is not None:
            continue  # several lists in one, with names of their own: see test_genai
        for model in provider.models:
            for name in dict.fromkeys(names_of(model.match)):
                theirs = provider.find_model(name)
                if theirs is None:
                    continue  # what a part of a clause takes is not what the whole takes
                tried += 1
                mine = found(serving.provider, name)
                if mine and mine == found(serving.provider, theirs.id):
                    continue
                reasons = [why for why in REASONS if not mine and why(provider, theirs, name)]
                explained.update(why.__name__ for why in reasons[:1])
                if not reasons:
                    wrong.append(f"{provider.id} {name}: {theirs.id}, ours {mine[:1]}")
    assert wrong[:10] == []
    assert tried >= NAMES_MIN
    assert explained.keys() == {why.__name__ for why in REASONS}
