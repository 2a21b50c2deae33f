"""How are the other gateways started, so that they do their least work for a call?

Both are measured bare: no budget, no usage log, no database. Each in its shipped defaults apart
from what the class docstring names.
"""

import json
import secrets
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from bench.gateways import Gateway
from bench.processes import BenchError, Child

PEERS = {"tensorzero": "2026.6.0", "ferrogw": "1.5.10"}
VENV = Path(__file__).resolve().parent / ".venv-peers"
INSTALL_TIMEOUT_S = 300.0

TENSORZERO_CONFIG = """\
[gateway]
observability.enabled = false
[models."gpt-4o-mini"]
routing = ["bench"]
[models."gpt-4o-mini".providers.bench]
type = "openai"
model_name = "gpt-4o-mini"
api_base = "{upstream_url}/"
api_key_location = "none"
cost = [
  {{pointer = "/usage/prompt_tokens", cost_per_million = 0.15, required = true}},
  {{pointer = "/usage/completion_tokens", cost_per_million = 0.60, required = true}},
]
"""
TENSORZERO_LAUNCHER = """\
import signal, sys, warnings
warnings.simplefilter("ignore")
from openai import OpenAI
from tensorzero import patch_openai_client
client = OpenAI(api_key="none")
patch_openai_client(client, config_file=sys.argv[1], async_setup=False)
open(sys.argv[2], "w").write(str(client.base_url))
signal.sigwait({signal.SIGTERM})
import os
os._exit(0)
"""
FERROGW_CONFIG = "strategy: {mode: single}\ntargets: [{virtual_key: openai}]\n"


def install_peers() -> None:
    """Make the peers' own environment where it is missing or of other versions.

    Raises BenchError with the installer's output if that fails.
    """
    wanted = [f"{name}=={version}" for name, version in PEERS.items()]
    marker = VENV / "installed.json"
    if marker.exists() and json.loads(marker.read_text()) == wanted:
        return
    python = str(VENV / "bin" / "python")
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        _run([sys.executable, "-m", "venv", "--clear", str(VENV)])
        _run([python, "-m", "pip", "install", "--quiet", "openai", *wanted])
    else:
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(VENV)])
        _run([uv, "pip", "install", "--quiet", "--python", python, "openai", *wanted])
    marker.write_text(json.dumps(wanted))


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=INSTALL_TIMEOUT_S
    )
    if done.returncode:
        raise BenchError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def installed_version(name: str) -> str:
    """Return the version of a package in the peers' environment."""
    for found in VENV.glob(f"lib/python*/site-packages/{name}-*.dist-info"):
        return found.name.removesuffix(".dist-info").split("-", 1)[1]
    return "unknown"


class TensorZero(Gateway):
    """TensorZero embedded in a Python process (Rust): observability off, no authentication."""

    name = "tensorzero"
    path = "/openai/v1/chat/completions"
    model = "tensorzero::model_name::gpt-4o-mini"

    def start(self, upstream_url: str) -> None:
        """Start the process that embeds it, and learn the port it chose."""
        self.directory.mkdir(parents=True, exist_ok=True)
        configuration = self.directory / "tensorzero.toml"
        configuration.write_text(TENSORZERO_CONFIG.format(upstream_url=upstream_url))
        address = self.directory / "address"
        address.unlink(missing_ok=True)
        python = str(VENV / "bin" / "python")
        self._child = Child(
            [python, "-c", TENSORZERO_LAUNCHER, str(configuration), str(address)],
            log=self.directory / "output",
        )
        self._child.wait_for(lambda: address.exists() and address.stat().st_size > 0)
        self.port = urlsplit(address.read_text()).port or 0
        self._child.wait_for_port(self.port)

    def keys(self) -> list[str]:
        """Return a key that it does not look at."""
        return ["none"]

    def version(self) -> str:
        """Return the wheel's version."""
        return installed_version("tensorzero")

    def state(self) -> str:
        """Return what is on and off."""
        return (
            "embedded (Rust in a Python process), observability off, no authentication, "
            "no request log, no retries, cost from two usage pointers"
        )


class Ferrogw(Gateway):
    """ferrogw (Go): one master key, stores in memory, request log store off.

    Its rate limit (20 a second by default) is raised out of the way; its log level is what it
    ships with, one INFO line per call, written to /dev/null.
    """

    name = "ferrogw"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._master_key = f"fgw_{secrets.token_hex(16)}"

    def start(self, upstream_url: str) -> None:
        """Start the binary."""
        self.directory.mkdir(parents=True, exist_ok=True)
        configuration = self.directory / "config.yaml"
        configuration.write_text(FERROGW_CONFIG)
        self._child = Child(
            [str(VENV / "bin" / "ferrogw"), "serve"],
            log=Path("/dev/null"),
            cwd=self.directory,
            env={
                "OPENAI_API_KEY": "sk-bench",
                "OPENAI_BASE_URL": upstream_url.removesuffix("/v1"),
                "PORT": str(self.port),
                "RATE_LIMIT_RPS": "100000000",
                "RATE_LIMIT_BURST": "100000000",
                "MASTER_KEY": self._master_key,
                "GATEWAY_CONFIG": str(configuration),
            },
        )
        self._child.wait_for_port(self.port)

    def keys(self) -> list[str]:
        """Return its only key."""
        return [self._master_key]

    def version(self) -> str:
        """Return the wheel's version."""
        return installed_version("ferrogw")

    def state(self) -> str:
        """Return what is on and off."""
        return (
            "one master key checked, request log store off, stores in memory, no retries, its "
            "default log line per call written to /dev/null, rate limit raised out of the way"
        )
