"""What would a provider answer? Emulators of their wire formats, for demos and tests."""

from tollbridge.sandbox.app import Sandbox, base_urls
from tollbridge.sandbox.journal import Journal, LogEntry, Tally, read_log
from tollbridge.sandbox.script import Script
from tollbridge.sandbox.server import listen, running
from tollbridge.sandbox.tasks import Task
from tollbridge.sandbox.usage import Usage

__all__ = [
    "Journal",
    "LogEntry",
    "Sandbox",
    "Script",
    "Tally",
    "Task",
    "Usage",
    "base_urls",
    "listen",
    "read_log",
    "running",
]
