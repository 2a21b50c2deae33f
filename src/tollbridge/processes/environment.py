"""What does this node's environment say?"""

import os

from dotenv import dotenv_values


def environment() -> dict[str, str]:
    """Return the environment, with what a `.env` in the working directory adds to it."""
    return {**{name: value or "" for name, value in dotenv_values(".env").items()}, **os.environ}
