"""Whom does a history name, where something was done from a terminal?"""

import getpass


def actor_here() -> str:
    """Return whoever is signed in to this machine."""
    try:
        return f"{getpass.getuser()[:64]} (command line)"
    except (KeyError, OSError):
        return "command line"
