"""Which options somebody gave: with --resume there may be none, since a run folder holds its own."""

from __future__ import annotations

import typer


def given(context: typer.Context, *, beside: tuple[str, ...]) -> list[str]:
    """Options that stand on the command line, other than those named."""
    return [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name is not None
        and parameter.name not in beside
        and (source := context.get_parameter_source(parameter.name)) is not None
        and source.name == "COMMANDLINE"
    ]
