"""The records that cross folder boundaries, and the array aliases every module uses.

All records are frozen and keyword-only and check themselves once, when made; nobody checks them again.
Their columnar twins are the Arrow schemas of `copybandit.sim.schema`.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
"""float64 array; its shape is given where it is used."""
Ints = NDArray[np.int64]
"""int64 array, mostly indices; -1 stands for absent."""
Bools = NDArray[np.bool_]

EventKind = Literal["view", "search", "add_to_cart", "purchase", "return"]
ContentType = Literal["headline", "subject", "description", "reason", "tags", "answer", "review"]
"""What a piece of copy is for; ``reason`` says why a product is shown, ``review`` is a draft for a buyer to finish."""
Language = Literal["en", "zh"]


class DataError(ValueError):
    """Input that cannot be used. The message names file, place and remedy on one line."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Product:
    """What the shop says of one product; the only facts copy may state.

    Attributes:
        product_id: unique within a catalogue.
        name: short name that copy uses, e.g. ``ceramic mug``.
        title: full title as listed.
        category: one label.
        brand: empty when unknown.
        price: in the shop's currency, above zero.
        facts: short phrases that are true of the product, e.g. ``("blue", "holds 350 ml")``.
    """

    product_id: str
    name: str
    title: str
    category: str
    brand: str
    price: float
    facts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise DataError(f"product {self.product_id}: name must not be empty; give the product a name")
        if not (math.isfinite(self.price) and self.price > 0):
            raise DataError(
                f"product {self.product_id}: price must be a finite number above 0, got {self.price}; "
                "correct or drop the row"
            )

    @property
    def text(self) -> str:
        """Everything the shop says of the product, for encoders and fact checks."""
        return ". ".join(part for part in (self.title, self.brand, *self.facts) if part)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shopper:
    """What a shop can observe of one shopper; tastes are hidden and never stand here."""

    shopper_id: str
    country: str = ""
    segment: int = -1


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A group of at least a few dozen shoppers and the words they care for; copy is written per segment."""

    segment_id: int
    interests: tuple[str, ...]
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Brief:
    """What a writer is asked for: one product, one segment. ``segment=None`` asks for non-personal copy.

    Attributes:
        placement: where the copy will stand, for length limits; empty when it does not matter.
        voice: how the brand speaks, in its own words.
        question: what a shopper asked, for an answer.
        notes: what a buyer said of the product, for a review draft.
        rating: stars that a verified buyer gave, 1 to 5; a review draft needs it.

    Raises:
        DataError: a review draft without a verified buyer's rating, or a rating that is not 1 to 5.
    """

    product: Product
    segment: Segment | None = None
    content_type: ContentType = "headline"
    language: Language = "en"
    placement: str = ""
    voice: str = ""
    question: str = ""
    notes: str = ""
    rating: int | None = None

    def __post_init__(self) -> None:
        if self.content_type == "review" and self.rating is None:
            raise DataError(
                f"brief for product {self.product.product_id}: a review draft needs the rating of a verified purchase, "
                "got none; pass rating=1..5 of the buyer, or ask for another content type"
            )
        if self.rating is not None and self.rating not in range(1, 6):
            raise DataError(
                f"brief for product {self.product.product_id}: rating must be 1 to 5 stars, got {self.rating}; "
                "pass the buyer's own rating"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """One piece of copy and where it came from."""

    text: str
    product_id: str
    segment_id: int = -1
    generator_id: str
    lineage: str = ""

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise DataError(f"variant of product {self.product_id}: text must not be empty; drop it")

    @property
    def content_hash(self) -> str:
        """First 16 hex digits of the SHA-256 of product and text."""
        return hashlib.sha256(f"{self.product_id}\0{self.text}".encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One thing a shopper did. ``quantity`` is positive; a return is its own kind."""

    kind: EventKind
    time: datetime
    shopper_id: str
    product_id: str = ""
    query: str = ""
    quantity: int = 1
    price: float = math.nan


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """One choice of a policy among the candidates of one request, with its full distribution.

    Attributes:
        candidates: variant indices, shape (k,); -1 marks an absent one, which must have probability 0.
        action_probs: shape (k,), sums to 1.
        position_in_candidates: which of the k was drawn.
    """

    decision_id: str
    time: datetime
    shopper_id: str
    product_id: str
    candidates: tuple[int, ...]
    action_probs: tuple[float, ...]
    position_in_candidates: int

    def __post_init__(self) -> None:
        total = math.fsum(self.action_probs)
        if len(self.candidates) != len(self.action_probs):
            raise DataError(
                f"decision {self.decision_id}: {len(self.candidates)} candidates but {len(self.action_probs)} "
                "probabilities; give one per candidate"
            )
        if abs(total - 1) > 1e-9 or min(self.action_probs) < 0:
            raise DataError(
                f"decision {self.decision_id}: action_probs must be >= 0 and sum to 1, got sum {total}; "
                "normalise the policy's output"
            )
        if self.propensity <= 0:
            raise DataError(
                f"decision {self.decision_id}: propensity must be in (0, 1], got {self.propensity}; "
                "draw the action from action_probs"
            )

    @property
    def action(self) -> int:
        """Index of the variant that was chosen."""
        return self.candidates[self.position_in_candidates]

    @property
    def propensity(self) -> float:
        """Probability with which the chosen variant was drawn."""
        return self.action_probs[self.position_in_candidates]


@dataclass(frozen=True, kw_only=True, slots=True)
class Feedback:
    """What became of a decision. ``reward`` is what the learner is told."""

    decision: Decision
    click: bool
    conversion: bool
    value: float
    reward: float
