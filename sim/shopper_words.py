"""What shoppers ask and what buyers note, in both languages; patterns, read once from `shopper_words.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from copybandit.sim.types import Language


@dataclass(frozen=True, kw_only=True, slots=True)
class ShopperWords:
    """Patterns of one language; ``{n}`` stands for a number, ``{word}`` for any noun."""

    facts: tuple[str, ...]
    questions: tuple[str, ...]
    notes: tuple[str, ...]


@cache
def shopper_words(language: Language) -> ShopperWords:
    """The patterns of a language."""
    raw = yaml.safe_load(files("copybandit.sim").joinpath("shopper_words.yaml").read_text("utf-8"))[language]
    return ShopperWords(**{name: tuple(map(str, raw[name])) for name in ("facts", "questions", "notes")})
