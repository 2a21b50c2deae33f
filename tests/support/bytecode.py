"""Bytecode that all processes of a test session share."""

import atexit
import functools
import os
import shutil
import tempfile
from collections.abc import Mapping

FORBIDDEN = "PYTHONDONTWRITEBYTECODE"
PREFIX = "PYTHONPYCACHEPREFIX"


@functools.cache
def compiled_once() -> Mapping[str, str]:
    """Return what to add to a child's environment, so that our sources are compiled only once.

    Where the environment forbids to write bytecode beside the sources, each of the some hundred
    processes that the tests start would compile everything anew: longer than all that is tested.
    """
    if not os.environ.get(FORBIDDEN) or os.environ.get(PREFIX):
        return {}
    folder = tempfile.mkdtemp(prefix="tollbridge-bytecode-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return {FORBIDDEN: "", PREFIX: folder}
