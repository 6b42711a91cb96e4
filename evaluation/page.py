"""A self-contained page of this project out of its parts: one template, one style, no file beside it needed."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from string import Template

from copybandit.evaluation.markup import Html


def page(title: str, subtitle: str, parts: Sequence[Html], footer: str) -> str:
    """The page as text; title, subtitle and footer are escaped."""
    return Template(_resource("report.html")).substitute(
        title=escape(title),
        subtitle=escape(subtitle),
        css=_resource("report.css"),
        body="\n".join(part for part in parts if part),
        footer=escape(footer),
    )


def _resource(name: str) -> str:
    return files(__name__.rpartition(".")[0]).joinpath(name).read_text(encoding="utf-8")
