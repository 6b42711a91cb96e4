"""Encoders turn texts into vectors. Each is a frozen record of arrays, so that it is saved without code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, HashingVectorizer, TfidfVectorizer

from copybandit.sim.persuasion import FEATURES, persuasion
from copybandit.sim.types import DataError, Floats, Ints


class Encoder(Protocol):
    """Anything that encodes texts; the dimension is fixed once fitted."""

    @property
    def dimension(self) -> int:
        """Length of a vector."""
        ...

    def encode(self, texts: Sequence[str]) -> Floats:
        """Encode n texts, shape (n, dimension)."""
        ...


@dataclass(frozen=True, kw_only=True)
class Lsa:
    """Latent semantic analysis (Deerwester et al., 1990): TF-IDF of words and word pairs, projected by a truncated SVD.

    Attributes:
        vocabulary: the terms, in column order.
        idf: shape (v,).
        components: shape (v, d).
    """

    vocabulary: tuple[str, ...]
    idf: Floats
    components: Floats

    @classmethod
    def fit(cls, texts: Sequence[str], dimension: int = 32, min_df: int = 2) -> Lsa:
        """Fit on texts; the signs of the components are fixed, so that the same texts give the same vectors.

        Raises:
            DataError: fewer than two texts, or fewer than two terms that occur in `min_df` texts.
        """
        vectorizer = _tfidf(min_df=min_df)
        try:
            matrix = vectorizer.fit_transform(texts)
        except ValueError as error:
            raise DataError(
                f"LSA needs words that occur in at least {min_df} texts, got {len(texts)} texts without any; "
                "give more text"
            ) from error
        d = min(dimension, min(matrix.shape) - 1)
        if d < 1:
            raise DataError(
                f"LSA needs at least 2 texts and 2 terms, got a {matrix.shape} matrix; give more text"
            )
        components = _right_singular(matrix, d)
        return cls(
            vocabulary=tuple(vectorizer.get_feature_names_out()),
            idf=np.asarray(vectorizer.idf_, dtype=np.float64),
            components=components,
        )

    @cached_property
    def _vectorizer(self) -> TfidfVectorizer:
        vectorizer = _tfidf(vocabulary={term: column for column, term in enumerate(self.vocabulary)})
        vectorizer.idf_ = self.idf
        return vectorizer

    @property
    def dimension(self) -> int:
        """Number of latent dimensions."""
        return int(self.components.shape[1])

    def encode(self, texts: Sequence[str]) -> Floats:
        """Project texts, shape (n, d); a text without known words is the zero vector."""
        if not len(texts):
            return np.zeros((0, self.dimension))
        return np.asarray(self.term_weights(texts) @ self.components)

    def term_weights(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """TF-IDF weight of each term in each of at least one text, sparse, shape (n, v)."""
        return self._vectorizer.transform(texts)


def _tfidf(**options: object) -> TfidfVectorizer:
    return TfidfVectorizer(
        ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b[^\W\d_][\w'-]+\b", **options
    )


def _right_singular(matrix: sparse.csr_matrix, d: int) -> Floats:
    """Top right singular vectors, shape (v, d), largest first, each with its largest entry positive."""
    start = np.ones(min(matrix.shape)) / np.sqrt(min(matrix.shape))
    _, values, right = svds(matrix.astype(np.float64), k=d, v0=start)
    vectors = right[np.argsort(-values)].T
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(d)])
    return np.ascontiguousarray(vectors * signs)


@dataclass(frozen=True, kw_only=True)
class Skeleton:
    """The sentence without its subject: latent semantic analysis of common words, punctuation and blanks for the rest.

    Words that stand in copy of many products carry the pattern of a sentence (Mosteller and Wallace, 1963, told authors
    apart by such words); a word of few products becomes a blank, a number another.

    Attributes:
        common: words that are kept.
        lsa: over the skeletons.
    """

    common: tuple[str, ...]
    lsa: Lsa

    @classmethod
    def fit(cls, texts: Sequence[str], group: Ints, dimension: int = 120, share: float = 0.02) -> Skeleton:
        """Keep function words and words that occur in texts of more than `share` of the groups, and fit the LSA.

        Args:
            texts: n texts.
            group: shape (n,), which product each is for.
            dimension: latent dimensions.
            share: of the groups, in (0, 1).

        Raises:
            DataError: the texts have too few words in common.
        """
        holders: dict[str, set[int]] = {}
        for text, owner in zip(texts, np.asarray(group).tolist(), strict=True):
            for word in set(_WORD.findall(text.lower())):
                holders.setdefault(word, set()).add(owner)
        least = share * len(set(np.asarray(group).tolist()))
        common = tuple(
            sorted(
                word for word, owners in holders.items() if word in ENGLISH_STOP_WORDS or len(owners) > least
            )
        )
        kept = frozenset(common)
        return cls(common=common, lsa=Lsa.fit([_skeleton(text, kept) for text in texts], dimension, min_df=5))

    @cached_property
    def _kept(self) -> frozenset[str]:
        return frozenset(self.common)

    @property
    def dimension(self) -> int:
        """Number of latent dimensions."""
        return self.lsa.dimension

    def encode(self, texts: Sequence[str]) -> Floats:
        """Project the skeletons of texts, shape (n, d)."""
        return self.lsa.encode([_skeleton(text, self._kept) for text in texts])


_WORD = re.compile(r"[^\W\d_][\w']*")
_TOKEN = re.compile(r"[^\W\d_][\w']*|\d[\d.,]*|[^\w\s]")


def _skeleton(text: str, kept: frozenset[str]) -> str:
    """Every token as a word that the LSA can read: kept words as they are, blanks, numbers and marks by name."""
    names = []
    for token in _TOKEN.findall(text.lower()):
        if token[0].isalpha():
            names.append(f"w-{token}" if token in kept else "blank")
        else:
            names.append("number" if token[0].isdigit() else f"mark-{ord(token)}")
    return " ".join(names)


@dataclass(frozen=True, kw_only=True)
class Style:
    """The persuasion features, standardised by a fitted mean and scale, each of shape (len(FEATURES),)."""

    mean: Floats
    scale: Floats

    @classmethod
    def fit(cls, texts: Sequence[str]) -> Style:
        """Fit mean and scale; a feature that never varies is left out by a zero scale.

        Raises:
            DataError: there is no text.
        """
        if not len(texts):
            raise DataError("style: needs at least one text to fit on, got none; give the texts")
        raw = persuasion(texts)
        deviation = raw.std(axis=0)
        scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 1e-9)
        return cls(mean=raw.mean(axis=0), scale=scale)

    @property
    def dimension(self) -> int:
        """Number of features."""
        return len(FEATURES)

    def encode(self, texts: Sequence[str]) -> Floats:
        """Standardised features, clipped to [-4, 4] so that odd texts do not extrapolate, shape (n, q)."""
        return np.clip((persuasion(texts) - self.mean) * self.scale, -4, 4)


@dataclass(frozen=True, kw_only=True)
class CharGrams:
    """Character 3- to 5-grams inside words, hashed into `size` columns, each text of unit length."""

    size: int

    @cached_property
    def _vectorizer(self) -> HashingVectorizer:
        return HashingVectorizer(
            analyzer="char_wb", ngram_range=(3, 5), n_features=self.size, norm="l2", alternate_sign=True
        )

    @property
    def dimension(self) -> int:
        """Number of columns."""
        return self.size

    def sparse(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """Sparse matrix, shape (n, size)."""
        if not len(texts):
            return sparse.csr_matrix((0, self.size))
        return self._vectorizer.transform(texts)

    def encode(self, texts: Sequence[str]) -> Floats:
        """Dense matrix, shape (n, size)."""
        return np.asarray(self.sparse(texts).toarray(), dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class RandomFourier:
    """Random Fourier features of a Gaussian kernel over style (Rahimi and Recht, 2007): smooth, bounded, non-linear.

    Attributes:
        style: the standardised features underneath.
        frequencies: shape (q, d).
        phases: shape (d,).
    """

    style: Style
    frequencies: Floats
    phases: Floats

    @classmethod
    def fit(
        cls, texts: Sequence[str], dimension: int, width: float, rng: np.random.Generator
    ) -> RandomFourier:
        """Draw frequencies of a kernel of the given width (in standard deviations times root of the dimension)."""
        style = Style.fit(texts)
        frequencies = rng.normal(size=(style.dimension, dimension)) / (width * np.sqrt(style.dimension))
        return cls(style=style, frequencies=frequencies, phases=rng.uniform(0, 2 * np.pi, dimension))

    @property
    def dimension(self) -> int:
        """Number of features."""
        return len(self.phases)

    def encode(self, texts: Sequence[str]) -> Floats:
        """Features in [-sqrt(2/d), sqrt(2/d)], shape (n, d)."""
        angle = self.style.encode(texts) @ self.frequencies + self.phases
        return np.asarray(np.sqrt(2 / self.dimension) * np.cos(angle))


@dataclass(frozen=True, kw_only=True)
class Joined:
    """Several encoders side by side: one model over all their features, not one model each."""

    encoders: tuple[Encoder, ...]

    @property
    def dimension(self) -> int:
        """Sum of the dimensions."""
        return sum(encoder.dimension for encoder in self.encoders)

    def encode(self, texts: Sequence[str]) -> Floats:
        """Features of all encoders, shape (n, dimension)."""
        return np.hstack([encoder.encode(texts) for encoder in self.encoders])
