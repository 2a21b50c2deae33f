"""Who served, by what is known, and which rules say so?"""

import asyncio
from typing import Annotated

import msgspec
import typer

from tollbridge.attribution.explain import Explanation, Tried, explain
from tollbridge.attribution.rules import builtin
from tollbridge.attribution.ruling import Rules
from tollbridge.attribution.store import RuleBook
from tollbridge.cli.environment import AsJson, DataDir, load_settings
from tollbridge.cli.opening import opened
from tollbridge.cli.output import note, print_json, print_line, print_table
from tollbridge.core.attribution import Evidence
from tollbridge.core.call import Bucket
from tollbridge.core.errors import ConfigurationError, InvalidRequestError
from tollbridge.core.provider_names import ProviderNames
from tollbridge.providers.names import load_names
from tollbridge.settings import Settings

HeaderOption = Annotated[
    list[str] | None,
    typer.Option("--header", help="Of the answer, as `name: value`; may be given again."),
]


def detect(
    model: Annotated[
        str | None, typer.Argument(help="The model that was asked for.", show_default=False)
    ] = None,
    *,
    bucket: Annotated[
        Bucket | None, typer.Option(help="The generic provider name.", show_default=False)
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="Its path, or its whole URL.", show_default=False)
    ] = None,
    header: HeaderOption = None,
    response_id: Annotated[str | None, typer.Option(help="The answer's id.")] = None,
    reported: Annotated[
        str | None, typer.Option(help="Whom the reporter of the use names.")
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Say who served, and explain it: which rules matched, on which words, how sure.

    With the rules of the database where there is one, else with the built-in ones. `--json`
    lists every rule, those that did not match too.
    """
    evidence = Evidence(
        bucket=None if bucket is None else bucket.value,
        model=model,
        path=endpoint,
        headers=_headers(header or []),
        response_id=response_id,
        reported_provider=reported,
    )
    names = load_names()
    explained = explain(evidence, _rules(load_settings(data_dir=data_dir), names))
    if as_json:
        print_json(msgspec.to_builtins(explained))
        return
    _print(explained, names)


def _rules(settings: Settings, names: ProviderNames) -> Rules:
    async def current() -> Rules:
        async with opened(settings) as database, database.read() as unit:
            return await RuleBook(names.resolve).current(unit)

    try:
        return asyncio.run(current())
    except ConfigurationError as error:
        note(f"by the built-in rules: {error.message}")
        return Rules(builtin(), names.resolve)


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise InvalidRequestError("--header is `name: value`")
        headers[name.strip().lower()] = value.strip()
    return headers


def _print(explained: Explanation, names: ProviderNames) -> None:
    one = explained.attribution
    upstream = "" if one.upstream_provider is None else f", run by {one.upstream_provider}"
    print_line(f"{one.provider} ({names.display(one.provider)}){upstream}: {one.confidence.value}")
    print_line(f"rule {one.rule_id}: {one.evidence}")
    for words in explained.contradictions:
        print_line(f"against it: {words}")
    shown = [rule for rule in explained.tried if rule.matched]
    if shown:
        print_table(("rule", "rank", "provider", "sure", "what matched"), map(_row, shown))
    print_line(
        f"{len(explained.tried)} rules, {len(shown)} matched; "
        f"rules version {explained.rules_version}"
    )


def _row(rule: Tried) -> tuple[str, ...]:
    name = f"{rule.rule_id} *" if rule.decided else rule.rule_id
    return (name, rule.rank.value, rule.provider or "-", rule.confidence.value, rule.words or "-")
