"""Bytecode that all processes of a test session share."""

import atexit
import functools
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

FORBIDDEN = "PYTHONDONTWRITEBYTECODE"
PREFIX = "PYTHONPYCACHEPREFIX"
RUN = "PYTEST_XDIST_TESTRUNUID"
"""Names the run to its processes, where there are several."""


@functools.cache
def compiled_once() -> Mapping[str, str]:
    """Return what to add to a child's environment, so that our sources are compiled only once.

    Where the environment forbids to write bytecode beside the sources, each of the some hundred
    processes that the tests start would compile everything anew: longer than all that is tested.
    """
    if not os.environ.get(FORBIDDEN) or os.environ.get(PREFIX):
        return {}
    run = os.environ.get(RUN)
    if run is None:
        folder = tempfile.mkdtemp(prefix="tollbridge-bytecode-")
    else:
        # Whoever of the run ends first removes it; what is still needed is made again.
        folder = str(Path(tempfile.gettempdir()) / f"tollbridge-bytecode-{run}")
        Path(folder).mkdir(mode=0o700, exist_ok=True)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return {FORBIDDEN: "", PREFIX: folder}
