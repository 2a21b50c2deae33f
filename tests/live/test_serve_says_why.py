"""A node that cannot start says why at once, and not only when it has tried for long."""

import asyncio
import signal
import subprocess
import time
from pathlib import Path

from tests.support.patience import slowness
from tests.support.processes import COMMAND, STOP_MAX_S, ServedNode, free_port

SAID_MAX_S = 15.0
WORDS = ("the office ended, and is started again", "Connection refused")


async def test_the_first_failure_of_the_office_is_told_with_its_cause(tmp_path: Path) -> None:
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/books"
    node = ServedNode(tmp_path, "", url, {})
    with node.log_path.open("ab") as log:
        process = subprocess.Popen(
            [COMMAND, "serve"],
            env=node.environment({}),
            cwd=tmp_path,
            stdout=log,
            stderr=log,
        )
    began_s, said_max_s = time.monotonic(), SAID_MAX_S * slowness()
    try:
        said = ""
        while not all(word in said for word in WORDS):
            assert time.monotonic() - began_s < said_max_s, said
            assert process.poll() is None, said
            await asyncio.sleep(0.05)
            said = node.log_path.read_text()
        assert said.count("is started again") <= 2
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=STOP_MAX_S)
