"""How long each kind of copy may be and what shape it has."""

from __future__ import annotations

from dataclasses import dataclass

from copybandit.sim.types import ContentType, DataError

MAX_CHARACTERS = 140
"""Characters of the longest headline."""
MAX_TAG = 40
"""Characters of the longest tag."""
DRAFT_MARKS = ("[Draft]", "【草稿】")
"""How a review draft begins, in English and in Chinese, so that nobody takes it for a review."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """The shape of one kind of copy, at one placement or at all.

    Attributes:
        content_type: which kind.
        placement: where it stands; empty for anywhere.
        characters: most characters.
        sentences: fewest and most sentences.
        whole: whether it must end like a sentence.
        named: whether it must name the product.
        lines: whether line breaks are allowed.
        tags: fewest and most tags of a comma list; (0, 0) for running text.
        mark: what it must begin with, one of several; empty for nothing.

    Raises:
        DataError: a limit that no text can meet.
    """

    content_type: ContentType
    placement: str = ""
    characters: int
    sentences: tuple[int, int] = (0, 99)
    whole: bool = True
    named: bool = True
    lines: bool = False
    tags: tuple[int, int] = (0, 0)
    mark: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.characters < 1 or self.sentences[0] > self.sentences[1] or self.tags[0] > self.tags[1]:
            raise DataError(
                f"limit of {self.content_type}: needs characters >= 1 and ordered ranges, got {self.characters}, "
                f"sentences {self.sentences}, tags {self.tags}; correct it"
            )


_ANYWHERE = (
    Limit(content_type="headline", characters=MAX_CHARACTERS),
    Limit(content_type="subject", characters=60, whole=False, named=False),
    Limit(content_type="description", characters=600, sentences=(2, 4), lines=True),
    Limit(content_type="reason", characters=160, sentences=(1, 2), named=False),
    Limit(content_type="tags", characters=200, whole=False, named=False, tags=(2, 12)),
    Limit(content_type="answer", characters=600, sentences=(1, 6), named=False, lines=True),
    Limit(
        content_type="review", characters=800, sentences=(1, 12), named=False, lines=True, mark=DRAFT_MARKS
    ),
)
"""Limits of every kind at any placement; subject lines are cut by mail programs at about 60 characters."""
LIMITS = (
    *_ANYWHERE,
    Limit(content_type="headline", placement="banner", characters=60),
    Limit(content_type="subject", placement="push", characters=40, whole=False, named=False),
    Limit(content_type="description", placement="card", characters=240, sentences=(2, 4), lines=True),
    Limit(content_type="reason", placement="badge", characters=80, sentences=(1, 2), named=False),
    Limit(content_type="tags", placement="search", characters=80, whole=False, named=False, tags=(2, 12)),
)
"""With shorter ones where copy has a place of its own: a banner, a push message, a card, a badge, a search box."""


def limit_for(content_type: ContentType, placement: str, limits: tuple[Limit, ...]) -> Limit:
    """The limit of a placement, else the one for anywhere.

    Raises:
        DataError: no limit is given for that kind.
    """
    fitting = [limit for limit in limits if limit.content_type == content_type]
    for wanted in (placement, ""):
        for limit in fitting:
            if limit.placement == wanted:
                return limit
    raise DataError(
        f"no limit for content type {content_type!r}; add Limit(content_type={content_type!r}, ...)"
    )
