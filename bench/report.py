"""What do the samples say, beside the bounds that the design sets?"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from bench.samples import Figure, Plan, Results, spread

PRODUCT = "tollbridge"
DIRECT = "direct"


@dataclass(frozen=True, slots=True)
class Column:
    """A measured value as a column: its key in the samples, its heading, its decimals."""

    key: str
    title: str
    digits: int


@dataclass(frozen=True, slots=True)
class LaneText:
    """How a lane is shown: what it is, its columns, the value whose ratio is bounded."""

    title: str
    sentence: str
    columns: tuple[Column, ...]
    ratio_of: str | None = None
    ratio_bound: float | None = None


_OF_CALLS = (
    Column("cpu_us", "CPU µs per call", 1),
    Column("calls_per_s", "calls/s", 0),
    Column("p50_ms", "p50 ms", 2),
    Column("p99_ms", "p99 ms", 2),
)
LANES = {
    "unstreamed": LaneText(
        "Calls, not streamed",
        "2 KB bodies, {connections} connections, as fast as they are answered.",
        _OF_CALLS,
        "cpu_us",
        0.5,
    ),
    "limits": LaneText(
        "Calls under three limits",
        "The same load; Tollbridge without limits, with a hard limit of money, and with one each "
        "of money, tokens and calls.",
        _OF_CALLS,
        "cpu_us",
        0.5,
    ),
    "latency": LaneText(
        "Added latency at one connection",
        "Blocks of calls straight to the upstream and through the gateway in turn.",
        (
            Column("direct_p50_ms", "direct p50 ms", 3),
            Column("gateway_p50_ms", "through p50 ms", 3),
            Column("added_p50_ms", "added p50 ms", 3),
            Column("added_p99_ms", "added p99 ms", 3),
        ),
    ),
    "stream": LaneText(
        "Streams",
        "{streams} streams at once, one frame per 10 ms each, 200 frames a stream.",
        (
            Column("cpu_frame_us", "CPU µs per frame", 1),
            Column("frames", "frames", 0),
            Column("first_byte_p50_ms", "first byte p50 ms", 2),
            Column("first_byte_p99_ms", "first byte p99 ms", 2),
            Column("length_p50_ms", "stream length p50 ms", 0),
        ),
        "cpu_frame_us",
        0.5,
    ),
    "body150k": LaneText(
        "Large bodies",
        "150 KB request bodies, {connections} connections. The design sets no bound.",
        (
            Column("cpu_us", "CPU µs per call", 1),
            Column("calls_per_s", "calls/s", 0),
            Column("p99_ms", "p99 ms", 2),
        ),
        "cpu_us",
    ),
}
LATENCY_BOUNDS_MS = {"added_p50_ms": 0.25, "added_p99_ms": 1.0}
FIRST_BYTE_BOUND_MS = 0.5
LIMITS_BOUND_US = 15.0
WITHOUT_LIMITS, WITH_LIMITS = "-no-limits", "-three-limits"
MEMORY_BOUNDS_MB = {"worker": 100.0, "office": 300.0}


def write_raw(path: Path, machine: dict[str, str], plan: Plan, results: Results) -> None:
    """Write everything that was measured, as JSON."""
    whole = {"machine": machine, "plan": asdict(plan), "results": asdict(results)}
    path.write_text(json.dumps(whole, indent=1, ensure_ascii=False))


def verdict(value: float, bound: float, *, at_least: bool = False) -> str:
    """Say plainly whether a value keeps its bound, and by how much it does not."""
    if value >= bound if at_least else value <= bound:
        return "pass"
    return f"**missed** ({value / bound:.2f} times the bound)"


def standing(lane: str, names: set[str], plan: Plan, results: Results) -> str:
    """Say whether the samples of some gateways in a lane are void or disturbed, else nothing."""
    samples = [s for s in results.samples if s.lane == lane and s.gateway in names]
    if any(s.errors for s in samples):
        return "void"
    if any(s.values.get("strangers_share", 0.0) > plan.strangers_share_max for s in samples):
        return "disturbed"
    return ""


def judged(value: float, bound: float, standing_of: str) -> str:
    """Return the verdict on a value that should be at most its bound; void samples have none."""
    if standing_of == "void":
        return "**void**: calls failed"
    return verdict(value, bound) + (f", {standing_of}" if standing_of else "")


def render(machine: dict[str, str], plan: Plan, results: Results) -> str:
    """Return the report as Markdown."""
    lines = ["# Benchmarks", "", *_method(machine, plan), *_summary(plan, results)]
    for lane, text in LANES.items():
        if results.gateways(lane):
            lines += ["", f"## {text.title}", ""]
            lines += [text.sentence.format(connections=plan.connections, streams=plan.streams)]
            lines += ["", *_lane_table(lane, text, results), *_ratio_table(lane, text, results)]
    lines += _memory(results)
    lines += _figures(results.figures)
    void = sorted({f"{s.lane} of {s.gateway}" for s in results.samples if s.errors})
    notes = results.notes + [f"Void, because calls failed: {name}." for name in void]
    notes += _disturbances(plan, results)
    if notes:
        lines += ["", "## What to know", "", *(f"- {note}" for note in notes)]
    return "\n".join(lines) + "\n"


def _disturbances(plan: Plan, results: Results) -> list[str]:
    """Return one line for each lane in which other processes used much of the machine."""
    notes: list[str] = []
    for lane in dict.fromkeys(s.lane for s in results.samples):
        samples = [s for s in results.samples if s.lane == lane]
        shares = [s.values.get("strangers_share", 0.0) for s in samples]
        disturbed = sum(share > plan.strangers_share_max for share in shares)
        if disturbed:
            notes.append(
                f"Disturbed: in {disturbed} of {len(shares)} loads of the lane {lane}, processes "
                f"that are not part of the benchmark used up to {max(shares):.0%} of the machine."
            )
    return notes


def _method(machine: dict[str, str], plan: Plan) -> list[str]:
    lines = [
        "Made by `make bench`; the raw figures are in `bench/results/raw.json`.",
        "CPU is user + system time of a gateway's whole process tree, read from /proc before the",
        "load and again when the gateway is idle (for Tollbridge: the spool is empty), per call.",
        f"{plan.rounds} interleaved round(s) of {plan.load_s:.0f} s after a warm-up; no two calls",
        "have the same body, and usage differs from call to call. Load, gateway and upstream share",
        "the machine's cores, and nothing is pinned: compare the ratios, not the figures.",
        "The peers run bare, Tollbridge governed; *direct* is the upstream without a gateway.",
    ]
    if plan.quick:
        lines.append("**A quick run: good for a smoke, not for a claim.**")
    table = ["", "| | |", "|---|---|", *(f"| {k} | {v} |" for k, v in machine.items())]
    return lines + table


def _summary(plan: Plan, results: Results) -> list[str]:
    rows = list(_verdicts(plan, results))
    if not rows:
        return []
    head = ["", "## Bounds", "", "| bound | measured | allowed | |", "|---|---|---|---|"]
    return head + [f"| {' | '.join(row)} |" for row in rows]


def _verdicts(plan: Plan, results: Results) -> Iterator[tuple[str, str, str, str]]:
    """Yield one row for each bound that was measured."""
    names = {s.gateway for s in results.samples}
    for name in sorted(n for n in names if n.startswith(PRODUCT)):
        for lane, text in LANES.items():
            for peer in results.gateways(lane):
                ratio = _ratio(lane, text, name, peer, results)
                if ratio is not None and text.ratio_bound is not None:
                    yield (
                        f"{text.title}: CPU of {name} ÷ {peer}",
                        f"{ratio:.2f}",
                        f"≤ {text.ratio_bound}",
                        judged(
                            ratio, text.ratio_bound, standing(lane, {name, peer}, plan, results)
                        ),
                    )
        yield from _absolute_verdicts(plan, results, name)
    for figure in results.figures:
        if figure.bound is not None:
            sign = "≥" if figure.at_least else "≤"
            yield (
                f"{figure.lane}: {figure.name}",
                f"{figure.value:,.4g} {figure.unit}",
                f"{sign} {figure.bound:,.4g}",
                verdict(figure.value, figure.bound, at_least=figure.at_least),
            )


def _absolute_verdicts(
    plan: Plan, results: Results, name: str
) -> Iterator[tuple[str, str, str, str]]:
    """Yield the rows of the bounds that no peer is needed for."""
    stands = {lane: standing(lane, {name}, plan, results) for lane in ("latency", "memory")}
    stands["stream"] = standing("stream", {name, DIRECT}, plan, results)
    if WITH_LIMITS in name and (added := limits_added_us(results, name)):
        stands_limits = standing("limits", {name, _unlimited(name)}, plan, results)
        title = f"{name}: CPU that the limits add to a call, pricing included"
        yield _at_most(title, median(added), LIMITS_BOUND_US, stands_limits, unit="µs")
    for key, bound_ms in LATENCY_BOUNDS_MS.items():
        if added := results.values("latency", name, key):
            title = f"{name}: {key[:-3].replace('_', ' ')}"
            yield _at_most(title, median(added), bound_ms, stands["latency"])
    if added := first_byte_added_ms(results, name):
        yield _at_most(
            f"{name}: first byte added, p99", median(added), FIRST_BYTE_BOUND_MS, stands["stream"]
        )
    for role, megabytes in _memory_of(results, name):
        for word, bound_mb in MEMORY_BOUNDS_MB.items():
            if role.startswith(word):
                title = f"{name}: memory of {role}"
                yield _at_most(title, megabytes, bound_mb, stands["memory"], unit="MB")


def _at_most(
    name: str, value: float, bound: float, stands: str, *, unit: str = "ms"
) -> tuple[str, str, str, str]:
    digits = {"MB": 0, "µs": 1}.get(unit, 3)
    return name, f"{value:.{digits}f} {unit}", f"≤ {bound:g}", judged(value, bound, stands)


def limits_added_us(results: Results, gateway: str) -> list[float]:
    """Return, per round, CPU of a call with three limits less that of one without."""
    without = {s.round: s.values["cpu_us"] for s in results.of("limits", _unlimited(gateway))}
    return [
        s.values["cpu_us"] - without[s.round]
        for s in results.of("limits", gateway)
        if s.round in without
    ]


def _unlimited(name: str) -> str:
    return name.replace(WITH_LIMITS, WITHOUT_LIMITS)


def first_byte_added_ms(results: Results, gateway: str) -> list[float]:
    """Return, per round, first byte through the gateway less first byte direct, both p99."""
    direct = {s.round: s.values["first_byte_p99_ms"] for s in results.of("stream", DIRECT)}
    return [
        s.values["first_byte_p99_ms"] - direct[s.round]
        for s in results.of("stream", gateway)
        if s.round in direct
    ]


def _lane_table(lane: str, text: LaneText, results: Results) -> Iterator[str]:
    """Yield a row per gateway: median of the rounds, least and greatest in brackets."""
    yield f"| gateway | {' | '.join(c.title for c in text.columns)} |"
    yield "|---" * (len(text.columns) + 1) + "|"
    for gateway in results.gateways(lane):
        cells: list[str] = []
        for column in text.columns:
            values = results.values(lane, gateway, column.key)
            bare = gateway == DIRECT and column.key.startswith("cpu_")
            if not values or bare:
                cells.append("-")
                continue
            least, middle, greatest = (f"{v:,.{column.digits}f}" for v in spread(values))
            cells.append(f"{middle} ({least} … {greatest})" if len(values) > 1 else middle)
        yield f"| {gateway} | {' | '.join(cells)} |"


def _ratio(lane: str, text: LaneText, name: str, peer: str, results: Results) -> float | None:
    if peer == DIRECT or peer.startswith(PRODUCT) or text.ratio_of is None:
        return None
    ratios = results.ratios(lane, name, peer, text.ratio_of)
    return median(ratios) if ratios else None


def _ratio_table(lane: str, text: LaneText, results: Results) -> list[str]:
    """Return a row per product and peer: the ratio of each pair and their median."""
    rows: list[str] = []
    for name in results.gateways(lane):
        for peer in results.gateways(lane):
            middle = _ratio(lane, text, name, peer, results)
            if not name.startswith(PRODUCT) or middle is None or text.ratio_of is None:
                continue
            pairs = results.ratios(lane, name, peer, text.ratio_of)
            shown = ", ".join(f"{ratio:.2f}" for ratio in pairs)
            rows.append(f"| {name} ÷ {peer} | {shown} | {middle:.2f} |")
    return ["", "| CPU ratio | pairs | median |", "|---|---|---|", *rows] if rows else []


def _memory_of(results: Results, gateway: str) -> list[tuple[str, float]]:
    peaks: dict[str, float] = {}
    for sample in results.of("memory", gateway):
        for key, megabytes in sample.values.items():
            if not key.endswith(" MB"):
                continue
            role = key.removesuffix(" MB")
            peaks[role] = max(peaks.get(role, 0.0), megabytes)
    return list(peaks.items())


def _memory(results: Results) -> list[str]:
    gateways = results.gateways("memory")
    if not gateways:
        return []
    lines = ["", "## Memory", "", "Greatest resident memory of each process under the first load."]
    lines += ["", "| gateway | process | MB |", "|---|---|---|"]
    for gateway in gateways:
        lines += [
            f"| {gateway} | {role} | {megabytes:.0f} |"
            for role, megabytes in _memory_of(results, gateway)
        ]
    return lines


def _figures(figures: list[Figure]) -> list[str]:
    if not figures:
        return []
    lines = ["", "## Other figures", "", "| | measured | bound |", "|---|---|---|"]
    for figure in figures:
        sign = "≥" if figure.at_least else "≤"
        bound = "-" if figure.bound is None else f"{sign} {figure.bound:,.4g} {figure.unit}"
        name = f"{figure.lane}: {figure.name}"
        lines.append(f"| {name} | {figure.value:,.4g} {figure.unit} | {bound} |")
    return lines
