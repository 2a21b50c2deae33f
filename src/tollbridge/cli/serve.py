"""How is Tollbridge started?"""

from pathlib import Path
from typing import Annotated

import typer

from tollbridge.cli.environment import DataDir, load_settings
from tollbridge.processes import supervisor


def serve(  # each option is a setting too
    *,
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="127.0.0.1")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen on.", show_default="8000")
    ] = None,
    data_dir: DataDir = None,
    config: Annotated[
        Path | None, typer.Option(help="Configuration file.", show_default=False)
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes.", show_default="1")] = None,
    sandbox: Annotated[
        bool | None,
        typer.Option("--sandbox/--no-sandbox", help="Start the sandbox provider too."),
    ] = None,
) -> None:
    """Start the supervisor, which starts the office and the workers."""
    settings = load_settings(
        host=host, port=port, data_dir=data_dir, config=config, workers=workers, sandbox=sandbox
    )
    raise typer.Exit(supervisor.run(settings))
