"""The short field prompt every language model writes from: interests | name | facts | price >.

Four positional fields keep the prompt near 24 tokens: on a CPU the backward pass over the prompt, not the
generation, is what tuning costs.
"""

from __future__ import annotations

from copybandit.sim.types import Brief

MAX_FACTS = 4
MAX_INTERESTS = 3
_RESERVED = str.maketrans({"|": "/", ">": " ", "<": " ", "\n": " "})


def _field(text: str) -> str:
    return " ".join(text.translate(_RESERVED).split())


def field_prompt(brief: Brief) -> str:
    """Return e.g. ``garden, vintage | ceramic mug | blue, holds 350 ml | 8.50 >``.

    A brief without a segment, or a segment without interests, leaves the first field as ``-``.
    """
    interests = brief.segment.interests[:MAX_INTERESTS] if brief.segment else ()
    product = brief.product
    fields = (
        ", ".join(map(_field, interests)) or "-",
        _field(product.name),
        ", ".join(map(_field, product.facts[:MAX_FACTS])) or "-",
        f"{product.price:.2f}",
    )
    return " | ".join(fields) + " >"
