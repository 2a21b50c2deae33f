"""What can be done from a terminal?"""

from tollbridge.cli.application import main

__all__ = ["main"]
