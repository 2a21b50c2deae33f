"""`python -m bench`: the side-by-side benchmark, from a checkout."""

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from bench.gateways import Gateway
from bench.lanes import LANES, LIMITS, run_lane
from bench.machine import facts
from bench.peers import Ferrogw, TensorZero, install_peers
from bench.processes import BenchError
from bench.report import render, write_raw
from bench.samples import Plan, Results
from bench.tollbridge import CONFIG, THREE_LIMITS, UNLIMITED, Tollbridge

RESULTS = Path(__file__).resolve().parent / "results"
GATEWAYS = ["tollbridge", "tensorzero", "ferrogw"]
QUICK = Plan(load_s=3.0, warm_up_s=0.0, rounds=1, quick=True)


def _words(allowed: list[str]) -> Callable[[str], list[str]]:
    """Return a parser of comma-separated words."""

    def parse(text: str) -> list[str]:
        words = [word for word in text.split(",") if word]
        if unknown := sorted(set(words) - set(allowed)):
            raise argparse.ArgumentTypeError(f"{unknown} is not among {allowed}")
        return words

    return parse


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="each lane once, loads of 3 s")
    parser.add_argument("--lanes", type=_words(LANES), default=LANES, help=",".join(LANES))
    parser.add_argument("--peers", type=_words(GATEWAYS), default=GATEWAYS, help=",".join(GATEWAYS))
    parser.add_argument("--keys", type=int, default=10_000, help="callers of Tollbridge")
    parser.add_argument(
        "--workers",
        type=lambda text: [int(word) for word in text.split(",")],
        default=[None],
        help="workers of Tollbridge, each number a run of its own: 1,2 (default: its own default)",
    )
    parser.add_argument("--rounds", type=int, help="interleaved rounds (default 5)")
    parser.add_argument("--load-s", type=float, help="length of a load (default 8)")
    parser.add_argument(
        "--rows",
        type=int,
        default=0,
        help="calls in the books where usage is painted and drained, e.g. 10000000",
    )
    parser.add_argument(
        "--write", type=Path, help="write the report here too, e.g. docs/benchmarks.md"
    )
    return parser.parse_args()


def make_plan(options: argparse.Namespace) -> Plan:
    """Return how long and how often to measure."""
    base = QUICK if options.quick else Plan()
    return Plan(
        load_s=options.load_s or base.load_s,
        warm_up_s=base.warm_up_s,
        rounds=options.rounds or base.rounds,
        quick=base.quick,
        rows=options.rows,
    )


def make_gateways(
    options: argparse.Namespace, directory: Path, *configurations: str
) -> list[Gateway]:
    """Return the gateways that were asked for, not started; Tollbridge in each configuration."""
    gateways: list[Gateway] = []
    if "tollbridge" in options.peers:
        gateways += [
            Tollbridge(
                directory / f"tollbridge-{place}-{workers}",
                keys=options.keys,
                workers=workers,
                configuration=configuration,
            )
            for place, configuration in enumerate(configurations)
            for workers in options.workers
        ]
    if "tensorzero" in options.peers:
        gateways.append(TensorZero(directory / "tensorzero"))
    if "ferrogw" in options.peers:
        gateways.append(Ferrogw(directory / "ferrogw"))
    if {"tensorzero", "ferrogw"} & set(options.peers):
        install_peers()
    return gateways


def run(options: argparse.Namespace, directory: Path) -> int:
    """Measure what was asked for, write the results, and return the exit status."""
    plan = make_plan(options)
    gateways = make_gateways(options, directory / "one", CONFIG)
    limited = make_gateways(options, directory / "limits", UNLIMITED, CONFIG, THREE_LIMITS)
    results = Results()
    failed = False
    for lane in options.lanes:
        began_s = time.monotonic()
        try:
            chosen = limited if lane == LIMITS else gateways
            run_lane(lane, plan, chosen, directory, results)
        except (BenchError, subprocess.TimeoutExpired) as error:
            failed = True
            results.notes.append(f"The lane {lane} was given up: {str(error).splitlines()[0]}")
            print(f"{lane}: {error}", file=sys.stderr)
        print(f"{lane:>10} took {time.monotonic() - began_s:.0f} s", flush=True)
    machine = facts([*gateways, *limited] if LIMITS in options.lanes else gateways)
    RESULTS.mkdir(exist_ok=True)
    write_raw(RESULTS / "raw.json", machine, plan, results)
    text = render(machine, plan, results)
    paths = [RESULTS / "benchmarks.md"]
    if options.write and not failed:
        paths.append(options.write)
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    print(text)
    return 1 if failed else 0


def _leave(number: int, frame: FrameType | None) -> None:
    """Turn a polite request to end into an exception, so that everything started is ended."""
    del frame
    sys.exit(128 + number)


def main() -> int:
    """Run in a temporary directory that is removed at the end."""
    options = parse_arguments()
    signal.signal(signal.SIGTERM, _leave)
    directory = Path(tempfile.mkdtemp(prefix="tollbridge-bench-"))
    try:
        return run(options, directory)
    except BenchError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
