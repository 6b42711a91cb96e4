"""The short field prompt every language model writes from: interests | name | facts | price >.

Four positional fields keep the prompt near 24 tokens: on a CPU the backward pass over the prompt, not the
generation, is what tuning costs. That is the whole prompt of an English headline without a voice. Everything else is asked
for in two fields in front, what and how, and where it needs them in fields behind:

    description zh 600 | warm | interests | name | facts | price >
    answer en 600 | - | interests | name | facts | price | question >
    review en 800 | - | interests | name | facts | price | stars | notes >

Fields hold text that strangers wrote. The separator, the end mark and line breaks are taken out of it, so that a field
can neither end early nor look like another (`prompt_fields` reads them back); what its words say is not judged here.
"""

from __future__ import annotations

from copybandit.generators.limits import LIMITS, limit_for
from copybandit.sim.types import Brief, DataError

MAX_FACTS = 4
MAX_INTERESTS = 3
MAX_TOLD = 400
"""Characters of a question or of a buyer's notes that a prompt holds."""
_RESERVED = str.maketrans({"|": "/", ">": " ", "<": " ", "\n": " "})
_BETWEEN, END = " | ", " >"
"""Between the fields of a prompt, and behind the last."""


def as_field(text: str) -> str:
    """The text as a field may hold it: one line, without the marks that part fields or end a prompt."""
    return " ".join(text.translate(_RESERVED).split())


def field_prompt(brief: Brief) -> str:
    """Return e.g. ``garden, vintage | ceramic mug | blue, holds 350 ml | 8.50 >``.

    A brief without a segment, or a segment without interests, leaves the first field as ``-``.
    """
    interests = brief.segment.interests[:MAX_INTERESTS] if brief.segment else ()
    product = brief.product
    fields = (
        *_asked(brief),
        ", ".join(map(as_field, interests)) or "-",
        as_field(product.name),
        ", ".join(map(as_field, product.facts[:MAX_FACTS])) or "-",
        f"{product.price:.2f}",
        *_told(brief),
    )
    return _BETWEEN.join(fields) + END


def _asked(brief: Brief) -> tuple[str, ...]:
    """What is wanted, its language, the most characters, and the voice; nothing for a plain English headline."""
    if brief.content_type == "headline" and brief.language == "en" and not (brief.voice or brief.placement):
        return ()
    most = limit_for(brief.content_type, brief.placement, LIMITS).characters
    return (f"{brief.content_type} {brief.language} {most}", as_field(brief.voice) or "-")


def _told(brief: Brief) -> tuple[str, ...]:
    """The shopper's question, or the buyer's stars and notes."""
    if brief.content_type == "answer":
        return (as_field(brief.question[:MAX_TOLD]) or "-",)
    if brief.content_type == "review":
        return (str(brief.rating), as_field(brief.notes[:MAX_TOLD]) or "-")
    return ()


def prompt_fields(prompt: str) -> tuple[str, ...]:
    """The fields of a prompt, in order.

    >>> prompt_fields("garden | mug | blue, holds 350 ml | 8.50 >")
    ('garden', 'mug', 'blue, holds 350 ml', '8.50')

    Raises:
        DataError: it is no field prompt.
    """
    if not prompt.endswith(END):
        raise DataError(f"a prompt must end in {END!r}, got {prompt[-20:]!r}; make it with field_prompt")
    return tuple(prompt.removesuffix(END).split(_BETWEEN))
