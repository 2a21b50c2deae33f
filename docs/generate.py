# ruff: noqa: INP001 - a script beside the pages that it makes, not a package
"""What do the pages under docs/reference say? They are made from the code by this script.

`python docs/generate.py` writes them anew, `python docs/generate.py openapi` prints the document
that the dashboard's client is made from. tests/contract/test_reference.py fails where a page is
not current, or where a setting, a command, an address or an error has no description.
"""

import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer.main
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tollbridge.api.application import create_application
from tollbridge.api.deps import ControlServices
from tollbridge.api.figures import OfficeFigures
from tollbridge.cli.application import application as command_line
from tollbridge.core.clock import ManualClock
from tollbridge.core.errors import TollbridgeError
from tollbridge.settings import Settings
from tollbridge.storage.unit import Database

REFERENCE = Path(__file__).resolve().parent / "reference"
MARK = "<!-- Made by docs/generate.py; do not edit. -->"
NO_DESCRIPTION = "(no description)"
METHODS = ("get", "post", "put", "patch", "delete")


def pages() -> dict[str, str]:
    """Return every page by its file's name."""
    return {
        "settings.md": "\n".join(settings_page()) + "\n",
        "cli.md": "\n".join(command_page()) + "\n",
        "api.md": "\n".join(api_page(openapi())) + "\n",
        "errors.md": "\n".join(errors_page()) + "\n",
    }


def settings_page() -> Iterator[str]:
    """Yield the lines of the page on settings."""
    yield from ("# Settings", "", MARK, "")
    yield "Set by environment variables, or in `.env` in the working directory; options of"
    yield "`tollbridge serve` win. An empty value counts as not given."
    yield from ("", "| variable | default | what it does |", "|---|---|---|")
    for name, field in Settings.model_fields.items():
        what = field.description or NO_DESCRIPTION
        yield f"| `TOLLBRIDGE_{name.upper()}` | {default_text(field)} | {cell(what)} |"


def default_text(field: FieldInfo) -> str:
    """Return a setting's default as the table shows it."""
    default: object = field.default
    if default is None or default is PydanticUndefined:
        return "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f"`{default}`"


def command_page() -> Iterator[str]:
    """Yield the lines of the page on commands."""
    yield from ("# Commands", "", MARK, "")
    yield "Exit status: 0 done; 1 done, and what was checked is not in order; 2 not done, and the"
    yield "last line says why."
    root: Any = typer.main.get_command(command_line)
    for names, command in commands(root, ("tollbridge",)):
        yield from command_lines(names, command)


def commands(group: Any, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command that can be run, with its names from the first one on."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            if command.invoke_without_command:
                yield (*names, name), command
            yield from commands(command, (*names, name))
        else:
            yield (*names, name), command


def command_lines(names: tuple[str, ...], command: Any) -> Iterator[str]:
    """Yield the lines of one command: usage, what it does, its parameters."""
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [
        one for one in command.params if one.param_type_name == "option" and one.name != "help"
    ]
    shown = [one.name.upper() if one.required else f"[{one.name.upper()}]" for one in arguments]
    usage = " ".join([*names, *(["[OPTIONS]"] if options else []), *shown])
    yield from ("", f"## {' '.join(names)}", "", f"`{usage}`", "")
    yield inspect.cleandoc(command.help or NO_DESCRIPTION)
    if not command.params:
        return
    yield from ("", "| parameter | what it does |", "|---|---|")
    for one in (*arguments, *options):
        name = one.name
        if one.param_type_name == "option":
            name = ", ".join([*one.opts, *one.secondary_opts])
        yield f"| `{name}` | {cell(one.help or words(one.name))} |"


def words(name: str) -> str:
    """Return a parameter's name as words, where it needs no other description."""
    return f"{name.replace('_', ' ').capitalize()}."


def openapi() -> Mapping[str, Any]:
    """Return the OpenAPI document; nothing is opened for it."""
    services = ControlServices(
        database=Database.open("sqlite:///not-opened.db"),
        clock=ManualClock(),
        token_secret=b"\0" * 32,
        pepper=b"\0" * 32,
        figures=lambda: OfficeFigures(database_is_up=True, workers_expected=0),
        on_fault=lambda _action, _error: None,
    )
    return create_application(services).openapi()


def api_page(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of the page on the control plane."""
    yield from ("# Control plane", "", MARK, "", document["info"]["description"], "")
    yield "Everything needs `Authorization: Bearer` with a token of `POST /api/v1/auth/token` or a"
    yield "key with the scope `read` or `admin`; what changes something needs `admin`. Errors come"
    yield "in one envelope ([errors](errors.md)). The document itself is at `/api/openapi.json`."
    schemas = document["components"]["schemas"]
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                yield from operation_lines(path, method, methods[method])
    yield from ("", "# Bodies")
    for name in sorted(schemas):
        yield from schema_lines(name, schemas[name])


def operation_lines(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of one address and method."""
    yield from ("", f"## {method.upper()} {path}", "", operation.get("description", NO_DESCRIPTION))
    if not operation.get("security"):
        yield from ("", "No key is needed.")
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body:
        yield from ("", f"Body: {type_text(body['schema'])}.")
    status, answer = next(iter(operation["responses"].items()))
    content = answer.get("content", {}).get("application/json", {}).get("schema")
    if content:
        yield from ("", f"Answer: {status}, {type_text(content)}.")
    parameters = operation.get("parameters", [])
    if parameters:
        yield from ("", "| parameter | type | what it is |", "|---|---|---|")
    for one in parameters:
        what = one.get("description") or one["schema"].get("description") or words(one["name"])
        yield f"| `{one['name']}` | {type_text(one['schema'])} | {cell(what)} |"


def schema_lines(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of one body."""
    yield from ("", f"## {name}", "", schema.get("description", NO_DESCRIPTION))
    if "enum" in schema:
        yield from ("", f"One of {type_text(schema)}.")
    if "properties" not in schema:
        return
    required = frozenset(schema.get("required", ()))
    yield from ("", "| field | type | what it is |", "|---|---|---|")
    for field, property_ in schema["properties"].items():
        what = cell(property_.get("description", "")) or words(field)
        optional = "" if field in required else " Optional."
        yield f"| `{field}` | {type_text(property_)} | {what}{optional} |"


def type_text(schema: Mapping[str, Any]) -> str:
    """Return a schema's type in a few words, with links to other bodies."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(type_text(one) for one in schema["anyOf"])
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    if values:
        return ", ".join(f"`{one}`" for one in values)
    if schema.get("type") == "array":
        return f"list of {type_text(schema.get('items', {}))}"
    inner = schema.get("additionalProperties")
    if isinstance(inner, Mapping):
        return f"map to {type_text(inner)}"
    return str(schema.get("format") or schema.get("type") or "any")


def errors_page() -> Iterator[str]:
    """Yield the lines of the page on errors."""
    yield from ("# Errors", "", MARK, "")
    yield "The data plane answers in the caller's dialect; the control plane in this envelope:"
    yield from ("", "```json")
    yield '{"error": {"code": "…", "message": "…", "request_id": "…", "details": {}}}'
    yield from ("```", "", "Codes are stable. `retry-after` is sent where waiting helps.", "")
    yield from ("| status | code | meaning |", "|---|---|---|")
    known = {(one.status, one.code): one for one in errors(TollbridgeError)}
    for _, error in sorted(known.items()):
        meaning = (inspect.getdoc(error) or NO_DESCRIPTION).partition("\n\n")[0]
        yield f"| {error.status} | `{error.code}` | {cell(meaning)} |"


def errors(root: type[TollbridgeError]) -> Iterator[type[TollbridgeError]]:
    """Yield the errors of the tree that a caller can meet: those with a code of their own."""
    for error in root.__subclasses__():
        if "code" in vars(error):
            yield error
        yield from errors(error)


def cell(text: str) -> str:
    """Return a text for one cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def main() -> None:
    """Write every page, or print the OpenAPI document."""
    if sys.argv[1:] == ["openapi"]:
        json.dump(openapi(), sys.stdout)
        return
    REFERENCE.mkdir(exist_ok=True)
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
