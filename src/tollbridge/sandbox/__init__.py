"""What would a provider answer? An emulator of the OpenAI wire format, for demos and tests."""

from tollbridge.sandbox.app import Sandbox
from tollbridge.sandbox.journal import Journal, LogEntry, Tally, read_log
from tollbridge.sandbox.script import Script
from tollbridge.sandbox.server import listen, running
from tollbridge.sandbox.usage import Usage

__all__ = [
    "Journal",
    "LogEntry",
    "Sandbox",
    "Script",
    "Tally",
    "Usage",
    "listen",
    "read_log",
    "running",
]
