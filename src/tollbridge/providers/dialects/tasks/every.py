"""Which wire formats of tasks are there?"""

from collections.abc import Mapping

from tollbridge.providers.dialects.tasks.aimlapi import AimlapiTasks
from tollbridge.providers.dialects.tasks.openai_videos import OpenAIVideoTasks
from tollbridge.providers.dialects.tasks.piapi import PiapiTasks
from tollbridge.providers.dialects.tasks.replicate import ReplicateTasks
from tollbridge.providers.dialects.tasks.runware import RunwareTasks
from tollbridge.providers.dialects.tasks.veo import VeoTasks
from tollbridge.providers.dialects.tasks.wavespeed import WaveSpeedTasks
from tollbridge.providers.dialects.tasks.xai import XaiTasks
from tollbridge.providers.wire import TaskWire


def every_task_wire() -> Mapping[str, TaskWire]:
    """Return all of them, by the dialect of the endpoints that speak them."""
    wires: tuple[TaskWire, ...] = (
        AimlapiTasks(),
        OpenAIVideoTasks(),
        PiapiTasks(),
        ReplicateTasks(),
        RunwareTasks(),
        VeoTasks(),
        WaveSpeedTasks(),
        XaiTasks(),
    )
    return {wire.name: wire for wire in wires}
