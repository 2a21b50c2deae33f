"""What does the person who started us read first?"""

import os
import shlex
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from tollbridge.access.sessions import sign_in_path
from tollbridge.processes.prepare import Prepared
from tollbridge.settings import Settings

SANDBOX_MODEL = "sandbox-small"
WIDTH = 100
"""How wide a terminal is taken to be, in characters."""


def welcome(settings: Settings, prepared: Prepared) -> str:
    """Return the lines that are printed when the first worker serves."""
    url = f"http://{settings.host}:{settings.port}"
    lines = ["", f"Tollbridge serves on {url}"]
    if prepared.live:
        lines.append(f"  live: {', '.join(prepared.live)}")
    lines += [f"  skipped: {one.table} {one.name}: {one.reason}" for one in prepared.skipped]
    if prepared.unused:
        lines.append(_paragraph("not used: ", [f"{x.name}: {x.reason}" for x in prepared.unused]))
    if prepared.sign_in_token is not None:
        within = _span_text(settings.sign_in_link_lifetime_s)
        link = sign_in_link(settings, prepared.sign_in_token)
        lines.append(f"  sign in (once, within {within}): {link}")
    if prepared.admin_password is not None:
        lines.append(f"  user admin, password {prepared.admin_password} (shown once)")
    for minted in prepared.minted:
        lines.append(f"  key {minted.row.terms.name}: {minted.key} (shown once)")
    if prepared.start_key is not None:
        body = '{"model": "%s", "messages": [{"role": "user", "content": "Who serves me?"}]}'
        lines += [
            f"  key (replaced at each start): {prepared.start_key}",
            "  try it:",
            f"    curl {url}/v1/chat/completions \\",
            f"      -H 'Authorization: Bearer {prepared.start_key}' \\",
            "      -H 'Content-Type: application/json' \\",
            f"      -d '{body % SANDBOX_MODEL}'",
            f"    {_program()} usage --data-dir {shlex.quote(str(settings.data_dir))}",
        ]
    return "\n".join([*lines, "", ""])


def sign_in_link(settings: Settings, token: str) -> str:
    """Return the address at which a sign-in link's token signs a person in."""
    base = settings.public_url.rstrip("/") or f"http://{settings.host}:{settings.port}"
    return base + sign_in_path(token)


def _program() -> str:
    """Return how our command is called from the folder that we were started in."""
    ours = Path(sys.executable).with_name("tollbridge")
    found = shutil.which("tollbridge")
    if found is not None and Path(found).resolve() == ours.resolve():
        return "tollbridge"
    return shlex.quote(os.path.relpath(ours))


def _span_text(time_s: float) -> str:
    minutes = max(1, round(time_s / 60))
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"


def _paragraph(begin: str, parts: Sequence[str]) -> str:
    """Return a list as one paragraph: two dozen lines would push the sign-in link out of sight."""
    return textwrap.fill(
        begin + ", ".join(parts),
        WIDTH,
        initial_indent="  ",
        subsequent_indent="    ",
        break_on_hyphens=False,
        break_long_words=False,
    )
