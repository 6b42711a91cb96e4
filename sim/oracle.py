"""The one handle on the truth: a gold world that reports are measured against and the bandit stage is played in.

Nothing that writes, tunes or chooses may import this module or `sim._latent`; only evaluation does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from copybandit.sim import _latent
from copybandit.sim.types import Floats, Ints, Product
from copybandit.sim.wording import Idiosyncratic, Saturated
from copybandit.sim.world import Coefficients, Taste, World, match_scale

WITHIN_BRIEF_SD = 0.30
"""Standard deviation of true log CTR among wordings of one brief, as in the Upworthy A/B tests."""
STYLE_SHARE = 0.65
"""Part of that standard deviation that carries over from product to product; assumed, for style explains little of which
headline wins on Upworthy (held-out pairs: .57 right)."""
CEILING = 0.9
"""Log-odds that wording can at most add or take."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Texts written for products before anything was tuned; worlds are scaled on them.

    Attributes:
        texts: n texts.
        product: shape (n,), which product each is for.
    """

    texts: Sequence[str]
    product: Ints


def synthetic_gold(
    products: Sequence[Product],
    references: Sequence[str],
    sample: Sample,
    n_shoppers: int,
    coefficients: Coefficients,
    base_ctr: float,
    seed: int,
) -> World:
    """Build the truth of the synthetic shop.

    Args:
        products: the catalogue.
        references: reference copy of each product.
        sample: texts on which match is standardised and wording is pinned to `WITHIN_BRIEF_SD`.
        n_shoppers: how many shoppers.
        coefficients: sizes of the terms; `base` is set from `base_ctr`.
        base_ctr: mean click probability of reference copy in the first place.
        seed: the same seed gives the same shop.
    """
    rng = np.random.default_rng([seed, 1])
    text = _latent.latent_text(rng)
    shoppers = _latent.draw_shoppers(n_shoppers, rng)
    topics = _latent.product_topics(text, products)
    quality = 0.4 * rng.normal(size=len(products))
    text, sample_topics = _balanced(text, shoppers, references, sample, rng)
    logit = (shoppers @ topics.T + quality)[rng.integers(n_shoppers, size=2000)]
    taste = Taste(
        shoppers=shoppers,
        products=topics,
        quality=quality,
        centre=float(logit.mean()),
        scale=float(logit.std()),
        match_scale=match_scale(shoppers, sample_topics, rng),
        text=text,
    )
    world = World(
        taste=taste,
        wording=pinned(Saturated(inner=_latent.gold_wording(), gain=1.0, limit=CEILING), sample, rng),
        references=tuple(references),
        coefficients=coefficients,
    )
    return world.at_base_rate(base_ctr, rng)


def _balanced(
    text: _latent.LatentText,
    shoppers: Floats,
    references: Sequence[str],
    sample: Sample,
    rng: np.random.Generator,
) -> tuple[_latent.LatentText, Floats]:
    """Scale the traits' part to its share of the topics' part; return the reader and the sample's topics."""
    k = _latent.N_TOPICS
    raw = _beyond_reference(text.texts(sample.texts), text.texts(list(references)), sample.product)
    topic = match_scale(shoppers[:, :k], raw[:, :k], rng)
    trait = match_scale(shoppers[:, k:], raw[:, k:], rng)
    scale = _latent.TRAIT_SHARE * topic / trait
    raw[:, k:] *= scale
    balanced = _latent.LatentText(
        grams=text.grams,
        matrix=text.matrix,
        style=text.style,
        trait_columns=text.trait_columns,
        trait_scale=scale,
    )
    return balanced, raw


def _beyond_reference(texts: Floats, references: Floats, product: Ints) -> Floats:
    return texts - references[product]


def within_brief_sd(values: Floats, product: Ints) -> float:
    """Standard deviation around the mean of each product, values of shape (n,)."""
    mean = np.bincount(product, values) / np.maximum(np.bincount(product), 1)
    return float(np.sqrt(((values - mean[product]) ** 2).mean()))


def pinned(
    wording: Saturated, sample: Sample, rng: np.random.Generator, style_share: float = STYLE_SHARE
) -> Idiosyncratic:
    """Let true log-odds of the sample vary within a brief by `WITHIN_BRIEF_SD`, `style_share` of it by style.

    Args:
        wording: the part that carries over; its gain is set here.
        sample: texts to measure on.
        rng: draws the part that does not carry over.
        style_share: in (0, 1].
    """
    style_sd = style_share * WITHIN_BRIEF_SD
    low, high = 0.0, 1e4
    scores = wording.inner.members(list(sample.texts))
    for _ in range(60):
        middle = (low + high) / 2
        value = (wording.limit * np.tanh(middle * scores / wording.limit)).mean(axis=0)
        low, high = (middle, high) if within_brief_sd(value, sample.product) < style_sd else (low, middle)
    style = replace(wording, gain=(low + high) / 2)
    own = Idiosyncratic.around(style, 1.0, rng)
    drawn = (own.members(sample.texts) - style.members(sample.texts)).mean(axis=0)
    rest = WITHIN_BRIEF_SD * float(np.sqrt(1 - style_share**2))
    return replace(own, sd=rest / within_brief_sd(drawn, sample.product))
