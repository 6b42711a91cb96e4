"""The moves of every kind of copy: one file per content type and language, read once.

A kind is made of parts that follow each other; a part offers moves, one of which is said. ``optional`` parts are skipped
where nothing is left to say. Voices choose among moves: `VOICES` lists them, ``voices.yaml`` says what they mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, get_args

import yaml

from copybandit.generators.moves import Move, moves
from copybandit.sim.types import Brief, ContentType, DataError, Language

CONTENT_TYPES: tuple[ContentType, ...] = get_args(ContentType)
VOICES = ("plain", "warm", "playful", "expert", "luxury")


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One place in a kind of copy, and the moves that can stand there, the preferred one first."""

    moves: tuple[Move, ...]
    optional: bool = False


@cache
def parts_of(content_type: ContentType, language: Language) -> tuple[Part, ...]:
    """The parts of a kind of copy, in order."""
    if (content_type, language) == ("headline", "en"):
        return (Part(moves=_voiced_headlines()),)
    raw = _read(f"moves_{content_type}_{language}.yaml")
    return tuple(
        Part(moves=tuple(map(_move, part["moves"])), optional=part.get("optional", False))
        for part in raw["parts"]
    )


def voice_of(brief: Brief) -> str:
    """The voice a brief asks for; empty for any.

    Raises:
        DataError: the voice is none of `VOICES`.
    """
    if brief.voice and brief.voice not in VOICES:
        raise DataError(
            f"voice must be one of {', '.join(VOICES)}, got {brief.voice!r}; choose one or leave it out"
        )
    return brief.voice


@cache
def source_files() -> tuple[str, ...]:
    """Names of the data files that moves are read from, sorted."""
    names = [entry.name for entry in files("copybandit.generators").iterdir()]
    known = ("chinese.yaml", "topics.yaml", "voices.yaml", "moves.yaml")
    return tuple(sorted(n for n in names if n in known or (n.startswith("moves_") and n.endswith(".yaml"))))


def _move(row: dict[str, Any]) -> Move:
    voices = tuple(row.get("voices", ()))
    if unknown := sorted(set(voices) - set(VOICES)):
        raise DataError(f"move {row['id']}: unknown voice {unknown[0]!r}; choose from {', '.join(VOICES)}")
    return Move(row["id"], row["text"], voices=voices, ratings=tuple(row.get("ratings", ())))


def _voiced_headlines() -> tuple[Move, ...]:
    speaking = {name: row["headline"] for name, row in _read("voices.yaml")["voices"].items()}
    return tuple(
        Move(move.move_id, move.text, voices=tuple(name for name in VOICES if move.move_id in speaking[name]))
        for move in moves()
    )


def _read(name: str) -> Any:
    return yaml.safe_load(files("copybandit.generators").joinpath(name).read_text("utf-8"))
