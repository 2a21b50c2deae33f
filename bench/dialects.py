"""What CPU does a whole governed call take, by the wire formats of caller and provider?

Run `python -m bench.dialects`: Tollbridge as the other benchmarks start it (hard budget, ledger,
spool, drain), in front of a static provider that speaks every format, loaded by wrk with one pair
of formats after the other, round by round. CPU is that of the whole process tree until the spool
is drained. `bench.micro.dialects` shows the formats' own part of it more finely.
"""

import argparse
import multiprocessing
import secrets
import shutil
import socket
import statistics
import tempfile
from pathlib import Path

from bench.load.requests import NUMBER_MARK, Request, write_pool
from bench.load.wrk import run_wrk
from bench.micro.dialects import BOUND, Case, body_of, serve
from bench.processes import cpu_s
from bench.tollbridge import CONFIG, Tollbridge
from tollbridge.providers.dialects.chat.translate import FORMATS

CONNECTIONS = 64
ROUNDS = 5
LOAD_S = 3.0
POOL_REQUESTS = 200
WARM_UP_S = 1.0
PATHS = {
    "openai": "/v1/chat/completions",
    "responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/{model}:generateContent",
}
ENDPOINT = """
[[endpoint]]
name = "{name}-door"
provider = "local"
dialect = "{dialect}"
base_url = "{{upstream_url}}/{name}/v1"
api_key = "none"
quirks = [{quirks}]

[[route]]
model = "by-{name}"
category = "text"
candidates = [{{{{ endpoint = "{name}-door", model = "gpt-4o-mini", priority = 1 }}}}]
"""


def _configuration() -> str:
    """Return the usual configuration, with a door and a route for each format."""
    doors = [
        ENDPOINT.format(
            name=name,
            dialect="openai" if name == "responses" else name,
            quirks='"responses"' if name == "responses" else "",
        )
        for name in FORMATS
    ]
    return CONFIG + "".join(doors)


def _pool(case: Case, key: str, port: int) -> list[Request]:
    """Return requests that differ by the number of the call, in their first message."""
    model = f"by-{case.wire}"
    body = body_of(case).replace(b'"m"', b'"%b"' % model.encode())
    mark = NUMBER_MARK.encode()
    body = body.replace(b"0 Name one", b"%b Name one" % mark, 1)
    head = (
        f"POST {PATHS[case.face].format(model=model)} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
        f"authorization: Bearer {key}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    before, after = (head.encode() + body).split(mark, 1)
    return [Request(before, after)] * POOL_REQUESTS


def _cases() -> list[Case]:
    """Return every pair; who speaks as the provider does is passed through."""
    return [
        Case(face, wire, stream=False)
        for face in FORMATS
        for wire in FORMATS
        if wire != "responses" or face == "responses"
    ]


def measure(rounds: int, load_s: float) -> dict[Case, list[float]]:
    """Return the CPU of a call in microseconds, by round, for every pair."""
    directory = Path(tempfile.mkdtemp(prefix="tollbridge-bench-"))
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    provider = multiprocessing.get_context("fork").Process(target=serve, args=(listener,))
    provider.start()
    gateway = Tollbridge(directory, keys=1, workers=None, configuration=_configuration())
    cases = _cases()
    costs_us: dict[Case, list[float]] = {case: [] for case in cases}
    try:
        gateway.start(f"http://127.0.0.1:{listener.getsockname()[1]}")
        call = 0
        for at in range(rounds + 1):
            for case in cases:
                pool = directory / f"pool-{case.face}-{case.wire}-{secrets.token_hex(2)}"
                write_pool(_pool(case, gateway.keys()[0], gateway.port), pool)
                before_s = cpu_s(gateway.root_pid)
                done = run_wrk(
                    gateway.url,
                    pool,
                    connections=CONNECTIONS,
                    duration_s=load_s if at else WARM_UP_S,
                    first_call=call,
                )
                call += done.calls + CONNECTIONS
                gateway.wait_until_idle()
                if done.errors:
                    raise SystemExit(f"{case}: {done.errors} errors")
                if at:
                    cost_s = cpu_s(gateway.root_pid) - before_s
                    costs_us[case].append(cost_s / max(done.calls, 1) * 1e6)
    finally:
        gateway.stop()
        provider.kill()
        provider.join()
        shutil.rmtree(directory, ignore_errors=True)
    return costs_us


def main() -> None:
    """Measure, and print a line for each pair."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--load-s", type=float, default=LOAD_S)
    chosen = parser.parse_args()
    costs_us = measure(chosen.rounds, chosen.load_s)
    base_us = costs_us[Case("openai", "openai", stream=False)]
    worst = 0.0
    for case, costs in costs_us.items():
        # Within a round, so that what the machine did at that moment met both.
        ratio = statistics.median([cost / base for cost, base in zip(costs, base_us, strict=True)])
        worst = max(worst, ratio)
        how = "passed" if case.face == case.wire else "translated"
        print(
            f"{case.face:>9} from {case.wire:<9} {how:<10} {statistics.median(costs):7.1f} us"
            f"  {ratio:.2f}"
        )
    print(f"worst {worst:.2f}, bound {BOUND}: {'kept' if worst <= BOUND else 'MISSED'}")


if __name__ == "__main__":
    main()
