"""The hidden truth of the synthetic shop. Only `sim.synthetic` and `sim.oracle` may look at it.

It differs in kind from every fitted model: tastes are latent topics, copy is read through character n-grams with
saturation, wording mixes style with character n-grams under a ceiling, and a shopper's traits interact with style.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

from copybandit.sim.catalogue import lexicon
from copybandit.sim.encoders import CharGrams, Joined, Style
from copybandit.sim.interest_features import interest_text
from copybandit.sim.persuasion import FEATURES
from copybandit.sim.types import Floats, Ints, Product
from copybandit.sim.wording import LinearWording

N_TOPICS = 12
N_ARCHETYPES = 6
TRAIT_FEATURES = ("question", "you", "digit")
TRAIT_SHARE = 0.35
"""Part of the match that comes from traits meeting style, as a share of the topic part's standard deviation."""


@dataclass(frozen=True, kw_only=True)
class LatentText:
    """Reads latent topics, and the style that traits react to, off the characters of a text.

    Attributes:
        grams: hashed character n-grams.
        matrix: shape (size, N_TOPICS).
        style: standardised persuasion features.
        trait_columns: shape (3,), which of them traits react to.
        trait_scale: size of the reaction.
    """

    grams: CharGrams
    matrix: Floats
    style: Style
    trait_columns: Ints
    trait_scale: float

    def texts(self, texts: Sequence[str]) -> Floats:
        """Topics squashed to (-1, 1), then traits' style, shape (n, N_TOPICS + 3)."""
        topics = np.tanh(3.0 * (self.grams.sparse(texts) @ self.matrix))
        return np.hstack([topics, self.trait_scale * self.style.encode(texts)[:, self.trait_columns]])


def word_topics(rng: np.random.Generator) -> dict[str, Floats]:
    """Draw a latent topic vector for every word of the lexicon; words of one shelf lie close together."""
    words = lexicon()
    topics: dict[str, Floats] = {}
    for index, category in enumerate(words.categories):
        home = np.zeros(N_TOPICS)
        home[index % N_TOPICS] = 1.0
        topics[category.name] = home
        for word in category.words:
            topics[word] = home + 0.2 * rng.normal(size=N_TOPICS)
        for word in (*category.adjectives, *category.nouns):
            drawn = 0.5 * home + 0.35 * rng.normal(size=N_TOPICS)
            topics[word] = topics.get(word, np.zeros(N_TOPICS)) + drawn
    for word in (*words.colours, *words.styles):
        topics[word] = 0.5 * rng.normal(size=N_TOPICS)
    return topics


def latent_text(rng: np.random.Generator, size: int = 4096) -> LatentText:
    """Spread the words' topics over their character n-grams by ridge regression; function words speak of nothing."""
    topics = dict.fromkeys(sorted(ENGLISH_STOP_WORDS), np.zeros(N_TOPICS)) | word_topics(rng)
    grams = CharGrams(size=size)
    x = grams.sparse(list(topics))
    gram = (x @ x.T).toarray() + 0.1 * np.eye(len(topics))
    matrix = np.asarray(x.T @ np.linalg.solve(gram, np.array(list(topics.values()))))
    style = gold_style()
    columns = np.array([FEATURES.index(name) for name in TRAIT_FEATURES])
    return LatentText(grams=grams, matrix=matrix, style=style, trait_columns=columns, trait_scale=1.0)


def draw_shoppers(n: int, rng: np.random.Generator) -> Floats:
    """Draw tastes: each shopper leans to one of six archetypes, and has traits; shape (n, N_TOPICS + 3)."""
    archetypes = np.zeros((N_ARCHETYPES, N_TOPICS))
    for row in archetypes:
        row[rng.choice(N_TOPICS, size=3, replace=False)] = (1.6, 1.1, -0.8)
    topic = archetypes[rng.integers(N_ARCHETYPES, size=n)] + 0.5 * rng.normal(size=(n, N_TOPICS))
    return np.hstack([topic, rng.normal(size=(n, len(TRAIT_FEATURES)))])


def product_topics(text: LatentText, products: Sequence[Product]) -> Floats:
    """Latent topics of products, shape (m, N_TOPICS + 3); products have no style."""
    topics = text.texts([interest_text(product) for product in products])
    topics[:, N_TOPICS:] = 0.0
    return topics


def gold_style() -> Style:
    """The style features of the gold wording, standardised on the Upworthy headlines."""
    raw = _gold_json()["style"]
    return Style(mean=np.array(raw["mean"]), scale=np.array(raw["scale"]))


def gold_wording() -> LinearWording:
    """Wording effects estimated from the Upworthy A/B tests: one model over style and hashed character n-grams.

    The numbers lie in `gold_wording.json` with their provenance; `tests/benchmarks/gold_wording.py` makes the file.
    """
    raw = _gold_json()
    style, grams = raw["style"]["coefficients"], raw["grams"]["coefficients"]
    encoder = Joined(encoders=(gold_style(), CharGrams(size=len(grams))))
    return LinearWording(encoders=(encoder,), coefficients=(np.array([[*style, *grams]]),))


def _gold_json() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        files("copybandit.sim").joinpath("gold_wording.json").read_text("utf-8")
    )
    return found
