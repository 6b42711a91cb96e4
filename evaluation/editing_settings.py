"""What a config says about the editor: which steps it takes, under which rules, and how long copy may be.

`copybandit run` reads it as the section `editor` of its config, `copybandit generate --editor FILE` as a file of its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from copybandit.generators.claims import PACKS, Pack
from copybandit.generators.editor import Editor, EditorSettings
from copybandit.generators.limits import LIMITS, limit_for
from copybandit.sim.types import ContentType

Characters = Annotated[int, Meta(ge=1)]


def _most(kind: ContentType) -> int:
    return limit_for(kind, "", LIMITS).characters


class LengthSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Most characters of each kind of copy."""

    headline: Characters = _most("headline")
    """The kind that `copybandit run` writes."""
    subject: Characters = _most("subject")
    """Of a mail."""
    description: Characters = _most("description")
    """Two to four sentences."""
    reason: Characters = _most("reason")
    """Why a product is recommended."""
    tags: Characters = _most("tags")
    """The whole comma list."""
    answer: Characters = _most("answer")
    """To a shopper's question."""
    review: Characters = _most("review")
    """The draft of a verified buyer's review."""


class EditingSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Steps of the editor, each on or off, and the rules that they read by."""

    facts: bool = True
    """Numbers, dates, materials, brands and attributes must be the product's."""
    claims: bool = True
    """The claim rules of `packs`."""
    safety: bool = True
    """No abuse, personal data, individual history or invented experience."""
    proofreading: bool = False
    """Grammar and spelling of English copy; without Harper only a few slips are found."""
    token_edits: bool = False
    """Whether a trained network mends slips of English copy, where copy is repaired and not only judged."""
    soft: bool = True
    """Whether rules that a person may excuse refuse, too."""
    packs: tuple[Pack, ...] = PACKS
    """Jurisdictions and topics whose claim rules hold."""
    currency: str = ""
    """ISO 4217 code of the shop's prices; empty lets copy write a price in any."""
    characters: LengthSettings = LengthSettings()


def editor_of(settings: EditingSettings, brands: tuple[str, ...] = ()) -> Editor:
    """The editor that the settings describe, in a shop of the given brands.

    Raises:
        DataError: the currency is unknown.
    """
    most: dict[str, int] = msgspec.structs.asdict(settings.characters)
    return Editor(
        settings=EditorSettings(
            facts=settings.facts,
            claims=settings.claims,
            safety=settings.safety,
            proofreading=settings.proofreading,
            token_edits=settings.token_edits,
            soft=settings.soft,
            packs=settings.packs,
            currency=settings.currency,
            brands=brands,
            limits=tuple(replace(limit, characters=most[limit.content_type]) for limit in LIMITS),
        )
    )
