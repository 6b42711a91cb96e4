"""Train the token editor (`copybandit.generators.token_editor`) on clean English with slips put into it.

Stage one of GECToR's recipe (Omelianchuk et al., BEA 2020): synthetic slips alone. Texts are drawn anew with new slips
at each step. The loss is the cross-entropy of the tag plus that of whether anything is wrong, both per token; a tag
that is not among the labels teaches only the second. The two thresholds are then chosen for F0.5 on texts held out from
training. Reproduce the shipped weights with `copybandit pretrain --what token-editor`.
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

from copybandit.agents.token_corpus import Pair, Pool, draw_pairs
from copybandit.agents.token_sources import Texts
from copybandit.generators.token_editor import Candidates, TokenEditor, save, sheet_of
from copybandit.generators.token_edits import KEEP, Tag, Token, edited, tags, tokens
from copybandit.generators.token_labels import Labels, commonest
from copybandit.generators.token_tagger import Sheet, TaggerShape, TokenTagger, stacked
from copybandit.generators.token_words import WordList, product_words
from copybandit.sim.types import Floats

OnStep = Callable[[int, float], None]
"""Told step and loss."""
IGNORED = -100
WARM = 50
"""Steps over which the learning rate grows."""
BIASES = tuple(np.round(np.arange(0.0, 0.96, 0.05), 2).tolist())
ERRORS = (0.0, 0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98)


@dataclass(frozen=True, kw_only=True)
class TokenEditorSettings:
    """How the token editor is made.

    Attributes:
        steps: optimizer steps.
        batch_size: texts a step.
        learning_rate: warmed up over `WARM` steps, then constant.
        average: decay of the running mean of weights that is kept in the end (Polyak and Juditsky 1992), which stands in
            for an annealed rate, so that more steps go on where fewer ended.
        label_texts: texts whose tags are counted to find the labels.
        least: fewest times that a tag must come among them.
        dev_texts: texts that the thresholds are chosen on.
        dev_share: share of each pool that is kept for them.
        seed: of everything random.
    """

    steps: int = 3000
    batch_size: int = 64
    learning_rate: float = 1e-3
    average: float = 0.99
    label_texts: int = 8_000
    least: int = 4
    dev_texts: int = 1500
    dev_share: float = 0.1
    seed: int = 0


@dataclass(frozen=True)
class Lesson:
    """One text to learn from: what is read, the label of each token, and whether anything is wrong there."""

    sheet: Sheet
    labels: NDArray[np.int64]
    wrong: NDArray[np.float32]


def lesson(pair: Pair, labels: Labels, buckets: int) -> Lesson:
    """Align a text with slips to the clean one."""
    source, also = tokens(pair.source), product_words(pair.brief)
    read = sheet_of(pair.brief, pair.source, buckets)
    made = tags(pair.source, pair.target)[: read.n]
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
    editor = train(texts.pools, texts.words, settings, on_step)
    save(editor, {"texts": texts.told, **asdict(settings)}, out)
    return editor


def train(
    pools: Sequence[Pool], words: WordList, settings: TokenEditorSettings, on_step: OnStep | None = None
) -> TokenEditor:
    """Train an editor and choose its thresholds.

    Args:
        pools: clean texts.
        words: known words.
        settings: sizes, steps and seed; the same settings and pools give the same weights on the same machine.
        on_step: told step and loss.
    """
    learn, dev = _parted(pools, settings)
    rng = np.random.default_rng(settings.seed)
    labels = commonest(_seen(draw_pairs(learn, settings.label_texts, rng)), words, settings.least)
    torch.manual_seed(settings.seed)
    tagger = TokenTagger(TaggerShape(labels=len(labels.names)))
    _teach(tagger, labels, learn, settings, rng, on_step or _say_nothing)
    editor = TokenEditor(tagger=tagger.eval(), labels=labels, keep_bias=0.0, min_error=0.0)
    with torch.no_grad():
        for weight in tagger.parameters():
            weight.copy_(weight.half())  # what is shipped is what is tuned
    return tuned(editor, draw_pairs(dev, settings.dev_texts, np.random.default_rng([settings.seed, 1])))


def _parted(pools: Sequence[Pool], settings: TokenEditorSettings) -> tuple[list[Pool], list[Pool]]:
    """Each pool in two: to learn from, and to choose on."""
    learn, dev = [], []
    for number, pool in enumerate(pools):
        order = np.random.default_rng([settings.seed, 2, number]).permutation(len(pool.texts))
        cut = max(1, int(len(order) * settings.dev_share))
        dev.append(replace(pool, texts=tuple(pool.texts[i] for i in order[:cut])))
        learn.append(replace(pool, texts=tuple(pool.texts[i] for i in order[cut:])))
    return learn, dev


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
    together: int = 16,
) -> Iterator[list[Lesson]]:
    """Batches of texts of similar length, as many as there are steps."""
    size, left = settings.batch_size, settings.steps
    while left:
        drawn = [lesson(pair, labels, buckets) for pair in draw_pairs(pools, size * together, rng)]
        drawn.sort(key=lambda one: len(one.sheet.kinds))
        for k in rng.permutation(together)[:left]:
            yield drawn[k * size : (k + 1) * size]
        left -= min(together, left)


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


def tuned(editor: TokenEditor, pairs: Sequence[Pair], beta: float = 0.5) -> TokenEditor:
    """The editor with the thresholds of `BIASES` and `ERRORS` that give the best F of `beta` on edits of these texts."""
    hits, margin, wrong, wanted = _answers(editor, pairs)
    best, chosen = -1.0, (0.0, 0.0)
    for bias in BIASES:
        for error in ERRORS:
            made = (margin > bias) & (wrong >= error)
            score = f_score(float((made & hits).sum()), float(made.sum()), wanted, beta)
            if score > best:
                best, chosen = score, (bias, error)
    return replace(editor, keep_bias=chosen[0], min_error=chosen[1])


def _answers(editor: TokenEditor, pairs: Sequence[Pair]) -> tuple[NDArray[np.bool_], Floats, Floats, float]:
    """Of every edit that could be made: is it right, its margin and probability of error; and how many there should be."""
    hits: list[bool] = []
    margin: list[float] = []
    wrong: list[float] = []
    wanted = 0
    for start in range(0, len(pairs), 64):
        some = list(pairs[start : start + 64])
        found: list[Candidates] = editor.candidates_of([(pair.brief, pair.source) for pair in some])
        for pair, one in zip(some, found, strict=True):
            right = tags(pair.source, pair.target)
            wanted += sum(tag != KEEP for tag in right)
            for i in (i for i, tag in enumerate(one.tags) if tag != KEEP):
                hits.append(_same(pair.source, i, one, right))
                margin.append(float(one.margin[i]))
                wrong.append(float(one.wrong[i]))
    return np.array(hits, bool), np.array(margin), np.array(wrong), float(wanted)


def _same(text: str, place: int, found: Candidates, right: Sequence[Tag]) -> bool:
    """Whether an edit does to its token what the right one does, whatever it is called."""
    token = tokens(text)[place]
    return right[place] != KEEP and edited(token, found.tags[place]) == edited(token, right[place])


def f_score(right: float, made: float, wanted: float, beta: float = 0.5) -> float:
    """F of precision right / made and recall right / wanted; 0 where nothing is right.

    >>> round(f_score(1, 1, 2), 3), round(f_score(2, 4, 2), 3)
    (0.833, 0.556)
    """
    return (1 + beta**2) * right / (made + beta**2 * wanted) if right else 0.0


def _say_nothing(step: int, loss: float) -> None:
    """Stand in for a progress bar."""
