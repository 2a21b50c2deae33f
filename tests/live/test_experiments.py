"""A caller of a running node gets the arm of an experiment, and the call says which."""

import asyncio
from pathlib import Path

from tests.support.node import MODEL, WAIT_MAX_S, Node, chat, config_of, running_node
from tests.support.sandbox_server import running_sandbox
from tollbridge.core.evidence import CallEvidence
from tollbridge.routing import experiment_store
from tollbridge.routing.experiments import EndedBy, Experiment, ExperimentTerms
from tollbridge.routing.part import Arm
from tollbridge.routing.trials import arm_of

ARMS = (Arm("control", "e1", MODEL), Arm("other", "e2", MODEL))


async def begun(node: Node, place: int) -> Experiment:
    """Begin an experiment in which ana has that arm: the id, and so the arm, is chance."""
    for number in range(64):
        terms = ExperimentTerms(name=f"try-{number}", model=MODEL, category="text", arms=ARMS)
        async with node.database.write() as unit:
            made = await experiment_store.start(unit, terms, "root")
            if arm_of(made.trial, "ana") == place:
                return made
            await experiment_store.end(unit, terms.name, EndedBy.STOPPED, "")
    raise AssertionError("64 times the same")


async def call(node: Node) -> CallEvidence:
    """Return the last call after one more."""
    before = len(node.calls())
    async with node.client() as client:
        answer = await client.post(
            "/v1/chat/completions", json=chat(), headers={"x-tollbridge-tags": "mine"}
        )
    assert answer.status_code == 200, answer.text
    return (await node.ended(before + 1))[-1]


async def called_until(node: Node, tags: tuple[str, ...]) -> CallEvidence:
    """Call until a call bears these tags: workers hear of it within a second."""
    async with asyncio.timeout(WAIT_MAX_S):
        while (found := await call(node)).opened.tags != tags:
            await asyncio.sleep(0.05)
    return found


async def test_the_arm_is_asked_first_and_stands_in_the_call_until_the_experiment_ends(
    tmp_path: Path,
) -> None:
    async with (
        running_sandbox() as first,
        running_sandbox() as second,
        running_node(tmp_path, config_of(first.url, second.url)) as node,
    ):
        assert (await called_until(node, ("mine",))).opened.expected_provider == "p1"
        made = await begun(node, 1)
        name = made.terms.name
        found = await called_until(node, ("mine", f"experiment:{name}=other"))
        assert found.opened.expected_provider == "p2"
        assert [one.endpoint for one in found.closed.attempts] == ["e2"]
        assert f"arm other of the experiment {name}" in found.opened.planned[0]
        assert found.opened.planned[1].startswith("e1/")
        async with node.database.write() as unit:
            await experiment_store.end(unit, name, EndedBy.STOPPED, "enough")
        assert (await called_until(node, ("mine",))).opened.expected_provider == "p1"
