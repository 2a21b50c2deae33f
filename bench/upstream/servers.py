"""How are the benchmark's two providers started and stopped?"""

import json
import random
import shutil
import sys
from pathlib import Path
from urllib.request import urlopen

from bench.processes import BenchError, Child, free_port

USAGE_VARIANTS = 400
FOLDER = Path(__file__).resolve().parent
ANSWER = (
    "The ledger was closed on time. Each posting names the call that caused it, and the sum of "
    "all postings equals the sum of all calls. Where the provider reported no usage, the entry is "
    "marked as an estimate and stays marked. The remaining budget of the month is shown beside "
    "the amount that is set aside for calls in flight, so that nobody mistakes one for the other."
)


def usage_of(prompt_tokens: int, cached_tokens: int, completion_tokens: int) -> dict[str, object]:
    """Return a usage object as OpenAI reports it."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
        "prompt_tokens_details": {"cached_tokens": cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def random_usage(source: random.Random) -> dict[str, object]:
    """Return one plausible usage object for a 2 KB prompt."""
    prompt_tokens = source.randint(380, 640)
    return usage_of(prompt_tokens, source.choice((0, 0, 128, 256)), source.randint(40, 400))


def _answer_template() -> str:
    """Return the unstreamed answer as nginx text, with its variables in place."""
    body: dict[str, object] = {
        "id": "chatcmpl-$request_id",
        "object": "chat.completion",
        "created": 1767225600,
        "model": "gpt-4o-mini-2024-07-18",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": f"[$request_id] {ANSWER}",
                    "refusal": None,
                    "annotations": [],
                },
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": "@usage@",
        "service_tier": "default",
        "system_fingerprint": "fp_560af6e559",
    }
    return json.dumps(body).replace('"@usage@"', "$usage")


def render_nginx(directory: Path, port: int, workers: int) -> str:
    """Return the configuration of the unpaced provider."""
    source = random.Random(14)
    share = 100 / USAGE_VARIANTS
    lines = [
        f"        {share:.2f}% '{json.dumps(random_usage(source))}';"
        for _ in range(USAGE_VARIANTS - 1)
    ]
    lines.append(f"        * '{json.dumps(random_usage(source))}';")
    template = (FOLDER / "nginx.conf.template").read_text()
    return template.format(
        directory=directory,
        port=port,
        workers=workers,
        usages="\n".join(lines),
        body=_answer_template(),
    )


class Upstream:
    """A provider on loopback that speaks OpenAI's chat completions."""

    def __init__(self, child: Child, port: int) -> None:
        self._child = child
        self.port = port
        self.base_url = f"http://127.0.0.1:{port}/v1"
        self.pid = child.pid

    def calls(self) -> int:
        """Return how many requests it has served, this one included."""
        with urlopen(f"http://127.0.0.1:{self.port}/calls", timeout=10) as answer:
            text = answer.read().decode()
        # nginx prints a small table; our own server prints the number alone.
        return int(text.split("requests")[-1].split()[2 if "requests" in text else 0])

    def stop(self) -> None:
        """End the server."""
        self._child.stop()


def start_nginx(directory: Path, workers: int = 1) -> Upstream:
    """Start the provider that answers at once, unstreamed.

    Raises BenchError if nginx is missing or does not start.
    """
    binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if binary is None:
        raise BenchError("nginx is missing: apt-get install nginx-light")
    directory.mkdir(parents=True)
    port = free_port()
    configuration = directory / "nginx.conf"
    configuration.write_text(render_nginx(directory, port, workers))
    child = Child(
        [binary, "-p", str(directory), "-e", "stderr", "-c", str(configuration)],
        log=directory / "nginx.output",
    )
    return _when_listening(child, port)


def start_streamer(directory: Path) -> Upstream:
    """Start the provider that streams on a beat, and that reads large bodies whole.

    Raises BenchError if it does not start.
    """
    directory.mkdir(parents=True)
    port = free_port()
    child = Child(
        [sys.executable, "-m", "bench.upstream.stream", "--port", str(port)],
        log=directory / "stream.output",
        cwd=FOLDER.parent.parent,
    )
    return _when_listening(child, port)


def _when_listening(child: Child, port: int) -> Upstream:
    try:
        child.wait_for_port(port)
    except BenchError:
        child.stop()
        raise
    return Upstream(child, port)
