"""The token editor: mends slips of English copy by tags that a small trained network gives its words.

It reads the text with the product's fields beside it, so that the product's words are known to be right. Precision goes
first: the evidence for a tag, ``log P(tag) - log P(keep) + log P(error) - log P(no error)`` by the network's two heads,
must reach the threshold of its kind (`kind_of`; GECToR has one for all), `allowed` must let it, and an edit that makes
the check find something new is dropped. Thresholds are chosen so that clean text of kinds that the weights never saw
stays as it is (`copybandit.agents.token_thresholds`). Edits may open the way to others, so a text is read up to
`ROUNDS` times.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load
from safetensors.torch import save as dump

from copybandit.generators.limits import DRAFT_MARKS
from copybandit.generators.normalising import has_chinese
from copybandit.generators.rejection import Rejection
from copybandit.generators.repairs import Edit
from copybandit.generators.token_edits import KEEP, Tag, Token, apply, tokens
from copybandit.generators.token_kinds import EDIT_KINDS, kind_of
from copybandit.generators.token_labels import Labels
from copybandit.generators.token_tagger import Sheet, TaggerShape, TokenTagger, sheet, stacked
from copybandit.generators.token_words import WordList, allowed, held, product_words
from copybandit.sim.types import Brief, DataError

FILES = ("token_editor.safetensors", "token_editor.json")
ROUNDS = 3
Check = Callable[[str], Iterable[Rejection]]
"""What is wrong with a text."""


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """The best edit of each token of a text, whether or not it will be made.

    Attributes:
        tags: per token.
        evidence: shape (t,), in nats, for the tag against KEEP and for an error against none.
    """

    tags: tuple[Tag, ...]
    evidence: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class TokenEditor:
    """A trained tagger with its labels and thresholds.

    Attributes:
        tagger: the network, in evaluation mode.
        labels: what its classes mean.
        least: least evidence for an edit of each of `EDIT_KINDS`, in nats; infinity where it is never made.

    Raises:
        DataError: a kind has no threshold.
    """

    tagger: TokenTagger
    labels: Labels
    least: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.least) != len(EDIT_KINDS):
            raise DataError(
                f"token editor: {len(EDIT_KINDS)} thresholds must be given, one a kind, got {len(self.least)}; "
                f"give those of {', '.join(EDIT_KINDS)}"
            )

    def candidates(self, brief: Brief, text: str) -> Candidates:
        """The best allowed edit of every token; `KEEP` where there is none."""
        return self.candidates_of([(brief, text)])[0]

    @torch.inference_mode()
    def candidates_of(self, asked: list[tuple[Brief, str]]) -> list[Candidates]:
        """`candidates` of several texts, read together."""
        sheets = [sheet_of(brief, text, self.labels, self.tagger.shape.buckets) for brief, text in asked]
        scores, odds = self.tagger(*stacked(sheets))
        best, label = scores[..., 1:].float().max(-1)
        evidence = (best - scores[..., 0] + odds.float()).numpy()
        return [
            self._named(brief, text, label[row, : one.n] + 1, evidence[row, : one.n])
            for row, ((brief, text), one) in enumerate(zip(asked, sheets, strict=True))
        ]

    def _named(
        self, brief: Brief, text: str, label: torch.Tensor, evidence: NDArray[np.float32]
    ) -> Candidates:
        source = tokens(text)
        stays, also = stays_of(brief, source), product_words(brief)
        tags = [self.labels.tag(k, source[i], also) for i, k in enumerate(label.tolist())]
        lawful = [
            tag if allowed(tag, source, i, stays, self.labels.known) else KEEP for i, tag in enumerate(tags)
        ]
        beyond = len(source) - len(tags)
        return Candidates(
            tags=(*lawful, *(KEEP,) * beyond),
            evidence=np.pad(evidence, (0, beyond), constant_values=-np.inf),
        )

    def propose(self, brief: Brief, text: str) -> tuple[Tag, ...]:
        """The tags of one reading, one per token of `tokens(text)`."""
        found, source = self.candidates(brief, text), tokens(text)
        return tuple(
            tag if tag != KEEP and found.evidence[i] >= self.least[kind_of(tag, source, i)] else KEEP
            for i, tag in enumerate(found.tags)
        )

    def edited(self, brief: Brief, text: str, check: Check) -> tuple[str, tuple[Edit, ...]]:
        """Mend a text; copy in other languages than English, and lists of tags, pass through.

        Args:
            brief: whose words are right.
            text: the copy, without outer spaces.
            check: finds violations; an edit after which it finds one that was not there before is dropped.
        """
        if brief.language != "en" or brief.content_type == "tags" or has_chinese(text):
            return text, ()
        edits: list[Edit] = []
        for _ in range(ROUNDS):
            made = self._once(brief, text, check)
            if not made:
                break
            edits += made
            text = made[-1].after
        return text, tuple(edits)

    def _once(self, brief: Brief, text: str, check: Check) -> list[Edit]:
        proposed = self.propose(brief, text)
        places = [i for i, tag in enumerate(proposed) if tag != KEEP]
        if not places:
            return []
        source, kept, edits = tokens(text), [KEEP] * len(proposed), []
        before = {(found.rule, found.reason) for found in check(text)}
        for place in places:
            tried = [*kept[:place], proposed[place], *kept[place + 1 :]]
            after = apply(source, tried)
            if after == text or any((found.rule, found.reason) not in before for found in check(after)):
                continue
            edits.append(Edit(kind=f"token-edit/{proposed[place].op}", before=text, after=after))
            text, kept = after, tried
        return edits


def fields_of(brief: Brief) -> tuple[Token, ...]:
    """What the network is told of the product: name, brand and facts."""
    product = brief.product
    return tokens(" | ".join(filter(None, (product.name, product.brand, *product.facts))))


def stays_of(brief: Brief, source: tuple[Token, ...]) -> tuple[bool, ...]:
    """`held`, and the mark of a review draft."""
    stays = held(brief, source)
    if brief.content_type != "review":
        return stays
    marks = {token.word for mark in DRAFT_MARKS for token in tokens(mark)}
    return tuple(stay or token.word in marks for stay, token in zip(stays, source, strict=True))


def sheet_of(brief: Brief, text: str, labels: Labels, buckets: int) -> Sheet:
    """Encode a text for the network."""
    source, also = tokens(text), product_words(brief)
    looked = [labels.looked_up(token, also) for token in source]
    return sheet(source, stays_of(brief, source), looked, fields_of(brief), buckets)


@cache
def shipped() -> TokenEditor:
    """The editor that comes with the package.

    Raises:
        DataError: its files are missing.
    """
    folder = resources.files("copybandit.generators")
    for name in FILES:
        if not folder.joinpath(name).is_file():
            raise DataError(
                f"token editor: {name} is missing; reinstall copybandit or run copybandit pretrain --what token-editor"
            )
    weights, card = (folder.joinpath(name).read_bytes() for name in FILES)
    return from_bytes(weights, card)


def from_bytes(weights: bytes, card: bytes) -> TokenEditor:
    """The editor that the contents of two files describe.

    Raises:
        DataError: the weights are not those that the card names.
    """
    read: dict[str, Any] = json.loads(card)
    if read["weights_sha256"] != hashlib.sha256(weights).hexdigest():
        raise DataError(
            f"token editor: {FILES[0]} must have the hash that {FILES[1]} names ({read['weights_sha256'][:16]}), got "
            f"{hashlib.sha256(weights).hexdigest()[:16]}; take both files from one run of copybandit pretrain"
        )
    with torch.random.fork_rng(devices=[]):  # throw-away initial weights must not move global random state
        tagger = TokenTagger(TaggerShape(**read["shape"]))
    tagger.load_state_dict({name: tensor.float() for name, tensor in load(weights).items()})
    labels = Labels(tuple(read["labels"]), WordList(tuple(read["words"]), read["usual"]))
    least = tuple(float(read["least"][kind]) for kind in EDIT_KINDS)
    return TokenEditor(tagger=tagger.eval(), labels=labels, least=least)


def save(editor: TokenEditor, made: dict[str, Any], folder: Path) -> None:
    """Write the two files that `from_bytes` reads, weights in half precision.

    Args:
        editor: what to keep.
        made: how it was made, for the card.
        folder: made where it is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: tensor.half().contiguous() for name, tensor in editor.tagger.state_dict().items()}
    weights = dump(state)
    (folder / FILES[0]).write_bytes(weights)
    card = {
        "made": made,
        "weights_sha256": hashlib.sha256(weights).hexdigest(),
        "least": {k: str(v) for k, v in zip(EDIT_KINDS, editor.least, strict=True)},  # JSON has no infinity
        "shape": asdict(editor.tagger.shape),
        "labels": list(editor.labels.names),
        "words": list(editor.labels.known.words),
        "usual": editor.labels.known.usual,
    }
    (folder / FILES[1]).write_text(json.dumps(card, ensure_ascii=False) + "\n", "utf-8")
