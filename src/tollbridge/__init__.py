"""Tollbridge: an AI gateway and the books behind it."""

import importlib
from collections.abc import Mapping
from typing import Any

# With `__init__.pyi`, which says the same to type checkers: the Python interface.
_HOME_OF: Mapping[str, str] = {
    "APIProvider": "tollbridge.attribution.detect",
    "Catalogue": "tollbridge.rating.model_catalogue",
    "Client": "tollbridge.client",
    "GenerateError": "tollbridge.client",
    "Model": "tollbridge.rating.models",
    "detect_actual_provider": "tollbridge.attribution.detect",
    "validate_image_size": "tollbridge.rating.models",
    "validate_model": "tollbridge.rating.models",
}


def __getattr__(name: str) -> Any:
    """Load a name of the Python interface when it is first asked for.

    A worker imports this package too, and must not load a database with it.
    """
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(home), name)
