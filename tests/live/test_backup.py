"""The database is destroyed and its backup put back: the spool tells the rest, each call once."""

import asyncio
import shutil
from pathlib import Path

from tests.support.books import compare, discrepancies, rows_of
from tests.support.node import BUDGET, config_of
from tests.support.power import forget
from tests.support.processes import WAIT_MAX_S, ServedNode, load, served_node
from tests.support.sandbox_server import process_sandbox

CALLERS = 6
MORE = 20


async def drained_beyond(node: ServedNode, rows: int) -> None:
    """Wait until clearly more calls are in the books."""
    async with asyncio.timeout(WAIT_MAX_S):
        while len(await rows_of(node.database_url)) < rows + MORE:
            await asyncio.sleep(0.1)


async def test_a_restored_backup_and_the_kept_segments_are_every_call_exactly_once(
    tmp_path: Path,
) -> None:
    backup = tmp_path / "backup"
    with process_sandbox(tmp_path / "sandbox.log") as provider:
        config = config_of(provider.url, extra=BUDGET.format(limit="1000"))
        async with served_node(tmp_path, config, workers=2) as node:
            until = asyncio.Event()
            calls = asyncio.create_task(load(node, callers=CALLERS, until=until))
            await drained_beyond(node, 0)
            before = {one.client_request_id for one in provider.log()}
            said = await asyncio.to_thread(node.command, "backup", str(backup), "--with-secrets")
            assert "database:" in said.stdout
            await drained_beyond(node, len(await rows_of(node.database_url)))
            # Segments whose worker is gone are replayed no less than those of the living.
            node.kill("worker")
            await drained_beyond(node, len(await rows_of(node.database_url)))
            until.set()
            await calls
            await node.drained()
            rows = len(await rows_of(node.database_url))
            node.kill_all()

            forget(node.data_dir / "tollbridge.db")
            shutil.copyfile(backup / "tollbridge.db", node.data_dir / "tollbridge.db")
            in_backup = len(await rows_of(node.database_url))
            assert 0 < in_backup < rows
            await node.start()
            await node.drained()
            assert len(await compare(node.database_url, provider.log(), CALLERS)) == rows
            assert "the books agree" in node.command("doctor", "--deep").stderr
            assert node.stop() == 0

        # The whole machine is gone, and the backup is all there is.
        async with served_node(tmp_path, config, data_dir=backup) as node:
            await node.drained()
            url = f"sqlite:///{backup / 'tollbridge.db'}"
            known = {str(row.call_id) for row in await rows_of(url)}
            assert len(known) > in_backup, "what was drained after the copy is in the spool's"
            assert before - known == set()
            assert await discrepancies(url) == []
