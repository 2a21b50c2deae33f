"""Whose model does a label name?

Only models that can be had from their author alone say so by name; open weights (gpt-oss, gemma)
are run by anybody, so their author says nothing of the bucket that they count in.
"""

from tollbridge.core.call import Category

_OPEN_WEIGHTS = ("gpt-oss", "gemma")
_VENDOR_OF_PREFIX = (
    ("gpt-", "openai"),
    ("chatgpt-", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("text-embedding-3-", "openai"),
    ("text-embedding-ada-", "openai"),
    ("dall-e-", "openai"),
    ("claude", "anthropic"),
    ("gemini", "google"),
)
_VENDOR_OF_AUTHOR = (
    ("openai", "openai"),
    ("anthropic", "anthropic"),
    ("google", "google"),
    ("wavespeed", "wavespeed"),
    ("wavespeed-ai", "wavespeed"),
)
_CATEGORIES = frozenset(category.value for category in Category)


def vendor_of(label: str) -> str | None:
    """Return the author of the model that a label names, None where its name does not say."""
    author, slash, model = label.lower().rpartition("/")
    if model.startswith(_OPEN_WEIGHTS) or label in _CATEGORIES:
        return None
    if slash:
        return dict(_VENDOR_OF_AUTHOR).get(author)
    for prefix, vendor in _VENDOR_OF_PREFIX:
        if model.startswith(prefix):
            return vendor
    return None
