"""Train the token editor (`copybandit.generators.token_editor`) on clean English with slips put into it.

Stage one of GECToR's recipe (Omelianchuk et al., BEA 2020): synthetic slips alone. Texts are drawn anew with new slips
at each step, half of them without any, and of some content words only the look is shown, so that a word that was never
seen is no sign of an error. The loss is the cross-entropy of the tag plus that of whether anything is wrong, both per
token; a tag that is not among the labels teaches only the second. A source of human text that is never learned from
then says how sure the editor must be (`token_thresholds`). Reproduce the shipped weights with `copybandit pretrain --what
token-editor --ab-tests upworthy-exploratory-sample.csv.gz --drafts 4000`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from copybandit.agents.token_corpus import Pair, Pool, draw_pairs, slipped
from copybandit.agents.token_sources import Texts
from copybandit.agents.token_thresholds import chosen, offers
from copybandit.generators.token_editor import TokenEditor, save, sheet_of
from copybandit.generators.token_edits import KEEP, Tag, Token, tags, tokens
from copybandit.generators.token_kinds import EDIT_KINDS
from copybandit.generators.token_labels import Labels, commonest
from copybandit.generators.token_tagger import Sheet, TaggerShape, TokenTagger, stacked
from copybandit.generators.token_words import FUNCTION, WordList, product_words

OnStep = Callable[[int, float], None]
"""Told step and loss."""
IGNORED = -100
WARM = 50
"""Steps over which the learning rate grows."""


@dataclass(frozen=True, kw_only=True)
class TokenEditorSettings:
    """How the token editor is made.

    Attributes:
        steps: optimizer steps.
        batch_size: texts a step.
        learning_rate: warmed up over `WARM` steps, then constant.
        average: decay of the running mean of weights that is kept in the end (Polyak and Juditsky 1992), which stands in
            for an annealed rate, so that more steps go on where fewer ended.
        hidden: share of content words of which only the look is shown.
        label_texts: texts whose tags are counted to find the labels.
        least: fewest times that a tag must come among them.
        dev_texts: most texts that the thresholds are chosen on, as they are and with one slip each.
        false_edits: most false edits per clean text among them.
        seed: of everything random.
    """

    steps: int = 1000
    batch_size: int = 64
    learning_rate: float = 1e-3
    average: float = 0.99
    hidden: float = 0.1
    label_texts: int = 8_000
    least: int = 4
    dev_texts: int = 1500
    false_edits: float = 0.015
    seed: int = 0


@dataclass(frozen=True)
class Lesson:
    """One text to learn from: what is read, the label of each token, and whether anything is wrong there."""

    sheet: Sheet
    labels: NDArray[np.int64]
    wrong: NDArray[np.float32]


def lesson(
    pair: Pair, labels: Labels, buckets: int, rng: np.random.Generator | None = None, hidden: float = 0.0
) -> Lesson:
    """Align a text with slips to the clean one.

    Args:
        pair: both texts.
        labels: of the network.
        buckets: of the network.
        rng: hides words; None hides none.
        hidden: share of content words whose letters are hidden.
    """
    source, also = tokens(pair.source), product_words(pair.brief)
    read = sheet_of(pair.brief, pair.source, labels, buckets)
    made = tags(pair.source, pair.target)[: read.n]
    if rng is not None:
        gone = rng.random(read.n) < hidden
        read.grams[: read.n][
            [g and t.word.lower() not in FUNCTION for g, t in zip(gone, source, strict=False)]
        ] = 0
    found = [labels.label(tag, token, also) for tag, token in zip(made, source, strict=False)]
    return Lesson(
        sheet=read,
        labels=np.array([IGNORED if label is None else label for label in found], np.int64),
        wrong=np.array([tag != KEEP for tag in made], np.float32),
    )


def pretrain(
    texts: Texts, settings: TokenEditorSettings, out: Path, on_step: OnStep | None = None
) -> TokenEditor:
    """Train an editor and write its two files; the card says what it learned from.

    Args:
        texts: what to learn from.
        settings: sizes, steps and seed; the same settings and texts give the same weights on the same machine.
        out: folder that receives the files.
        on_step: told step and loss.
    """
    editor = train(texts, settings, on_step)
    save(editor, {"texts": texts.told, **asdict(settings)}, out)
    return editor


def train(texts: Texts, settings: TokenEditorSettings, on_step: OnStep | None = None) -> TokenEditor:
    """Train an editor and choose its thresholds on the source that was left out.

    Args:
        texts: what to learn from, and what to choose on.
        settings: sizes, steps and seed; the same settings and texts give the same weights on the same machine.
        on_step: told step and loss.
    """
    editor = fitted(texts.pools, texts.words, settings, on_step or _say_nothing)
    rng, unseen = np.random.default_rng([settings.seed, 1]), texts.left_out.texts
    some = [unseen[i] for i in rng.permutation(len(unseen))[: settings.dev_texts]]
    offered = offers(editor, [slipped(text, rng, n) for n in (0, 1) for text in some])
    return replace(editor, least=chosen(offered, settings.false_edits))


def fitted(
    pools: Sequence[Pool], words: WordList, settings: TokenEditorSettings, on_step: OnStep
) -> TokenEditor:
    """Train an editor whose thresholds are 0."""
    rng = np.random.default_rng(settings.seed)
    labels = commonest(_seen(draw_pairs(pools, settings.label_texts, rng)), words, settings.least)
    torch.manual_seed(settings.seed)
    tagger = TokenTagger(TaggerShape(labels=len(labels.names)))
    _teach(tagger, labels, pools, settings, rng, on_step)
    with torch.no_grad():
        for weight in tagger.parameters():
            weight.copy_(weight.half())  # what is shipped is what is tuned
    return TokenEditor(tagger=tagger.eval(), labels=labels, least=(0.0,) * len(EDIT_KINDS))


def _seen(pairs: Sequence[Pair]) -> Iterator[tuple[Tag, Token, frozenset[str]]]:
    for pair in pairs:
        also = product_words(pair.brief)
        for tag, token in zip(tags(pair.source, pair.target), tokens(pair.source), strict=True):
            yield tag, token, also


def _teach(
    tagger: TokenTagger,
    labels: Labels,
    pools: Sequence[Pool],
    settings: TokenEditorSettings,
    rng: np.random.Generator,
    on_step: OnStep,
) -> None:
    optimizer = torch.optim.AdamW(
        tagger.parameters(), lr=settings.learning_rate, weight_decay=0.01, fused=True
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / WARM))
    mean = AveragedModel(tagger, multi_avg_fn=get_ema_multi_avg_fn(settings.average))  # type: ignore[no-untyped-call]
    tagger.train()
    for step, batch in enumerate(_batches(labels, pools, settings, tagger.shape.buckets, rng), 1):
        loss = _loss(tagger, batch)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(tagger.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        mean.update_parameters(tagger)
        on_step(step, loss.item())
    tagger.load_state_dict(mean.module.state_dict())


def _batches(
    labels: Labels,
    pools: Sequence[Pool],
    settings: TokenEditorSettings,
    buckets: int,
    rng: np.random.Generator,
    at_once: int = 16,
) -> Iterator[list[Lesson]]:
    """Batches of texts of similar length, as many as there are steps."""
    size, left = settings.batch_size, settings.steps
    while left:
        pairs = draw_pairs(pools, size * at_once, rng)
        drawn = [lesson(pair, labels, buckets, rng, settings.hidden) for pair in pairs]
        drawn.sort(key=lambda one: len(one.sheet.kinds))
        for k in rng.permutation(at_once)[:left]:
            yield drawn[k * size : (k + 1) * size]
        left -= min(at_once, left)


def _loss(tagger: TokenTagger, batch: Sequence[Lesson]) -> torch.Tensor:
    """Cross-entropy of tags plus that of errors, means over the tokens of the texts."""
    pieces, kinds = stacked([one.sheet for one in batch])
    mask = torch.zeros(kinds.shape, dtype=torch.bool)
    for row, one in enumerate(batch):
        mask[row, : one.sheet.n] = True
    wanted = torch.from_numpy(np.concatenate([one.labels for one in batch]))
    wrong = torch.from_numpy(np.concatenate([one.wrong for one in batch]))
    # Plain matrix products: the fused attention's backward pass takes half of a step on a processor.
    with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        scores, odds = tagger(pieces, kinds, mask)
    tag_loss = torch.nn.functional.cross_entropy(scores.float(), wanted, ignore_index=IGNORED)
    return tag_loss + torch.nn.functional.binary_cross_entropy_with_logits(odds.float(), wrong)


def _say_nothing(step: int, loss: float) -> None:
    """Stand in for a progress bar."""
