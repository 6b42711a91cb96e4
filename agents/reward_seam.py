"""The one seam between a tuner and whatever scores text: prompt index and texts in, reward out.

TRL takes no reward function, only a "reward model": a backbone that gets token ids and a head called `score`.
`ProgrammaticReward` is such a module around a plain function. It finds the context of a row by the row's own
prompt tokens, never by a side channel: TRL's loader reads one batch ahead, so whatever was collated last
belongs to the next batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from copybandit.agents.constraints import Constraint
from copybandit.agents.reward_scale import RewardScale
from copybandit.sim.types import Bools, DataError, Floats, Ints


@dataclass(frozen=True, kw_only=True)
class Reward:
    """Reward of b texts.

    Attributes:
        total: shape (b,), what is optimised.
        components: named parts of it, each of shape (b,), for the log only.
        costs: named costs, each of shape (b,), of which some may have a limit, see `copybandit.agents.constraints`.
    """

    total: Floats
    components: tuple[tuple[str, Floats], ...] = ()
    costs: tuple[tuple[str, Floats], ...] = ()


RewardFn = Callable[[Ints, list[str]], Reward]
"""Index of each row's prompt, shape (b,), and its text, never empty -> reward."""


@dataclass(frozen=True, kw_only=True)
class RewardBatch:
    """What the last batch got, for the log.

    Attributes:
        rows: answers.
        texts: those of them that were not empty.
        reward: mean raw total of the texts.
        components: mean of each component.
        costs: mean of each cost.
        excess: mean of each constraint's excess, in its order.
        length: mean answer length in tokens, the end-of-sequence token included.
        ended: share of answers that ended by themselves.
        lowest, highest: of the scores.
    """

    rows: int = 0
    texts: int = 0
    reward: float = 0.0
    components: tuple[tuple[str, float], ...] = ()
    costs: tuple[tuple[str, float], ...] = ()
    excess: tuple[float, ...] = ()
    length: float = 0.0
    ended: float = 0.0
    lowest: float = 0.0
    highest: float = 0.0

    @property
    def constant(self) -> bool:
        """Whether every row got the same score, so that advantages would be noise only."""
        return self.rows > 0 and self.highest - self.lowest < 1e-6


def together(batches: Sequence[RewardBatch]) -> RewardBatch:
    """The batch that these are the parts of; those without texts tell nothing of components and costs."""
    rows = np.array([batch.rows for batch in batches], dtype=np.float64)
    told = [batch for batch in batches if batch.texts] or list(batches[:1])
    texts = np.array([max(1, batch.texts) for batch in told], dtype=np.float64)

    def named(parts: Sequence[tuple[tuple[str, float], ...]]) -> tuple[tuple[str, float], ...]:
        columns = zip(*parts, strict=True)
        return tuple(
            (column[0][0], float(np.average([value for _, value in column], weights=texts)))
            for column in columns
        )

    excess = zip(*(batch.excess for batch in told), strict=True)
    return RewardBatch(
        rows=int(rows.sum()),
        texts=sum(batch.texts for batch in batches),
        reward=float(np.average([batch.reward for batch in told], weights=texts)),
        components=named([batch.components for batch in told]),
        costs=named([batch.costs for batch in told]),
        excess=tuple(float(np.average(column, weights=texts)) for column in excess),
        length=float(np.average([batch.length for batch in batches], weights=rows)),
        ended=float(np.average([batch.ended for batch in batches], weights=rows)),
        lowest=min(batch.lowest for batch in batches),
        highest=max(batch.highest for batch in batches),
    )


class PromptIndex:
    """Finds a prompt by the tokens a row starts with."""

    def __init__(self, prompts: Sequence[Sequence[int]]) -> None:
        """Index unpadded prompt token ids.

        Raises:
            DataError: two prompts are equal, or one is the beginning of another, so rows would be ambiguous.
        """
        keys = sorted((tuple(ids), cell) for cell, ids in enumerate(prompts))
        for (one, i), (two, j) in pairwise(keys):
            if two[: len(one)] == one:
                raise DataError(
                    f"prompts {i} and {j}: no prompt may equal or begin another, got the same tokens; drop one"
                )
        self._cell = dict(keys)
        self._lengths = sorted({len(ids) for ids in prompts})

    def split(self, row: Sequence[int]) -> tuple[int, list[int]]:
        """Return which prompt an unpadded row begins with, and the tokens after it."""
        for length in self._lengths:
            cell = self._cell.get(tuple(row[:length]))
            if cell is not None:
                return cell, list(row[length:])
        raise DataError(
            f"reward: row starts with no known prompt, got tokens {list(row[:8])}...; pass its prompt"
        )


@dataclass(frozen=True, kw_only=True)
class _Output:
    hidden_states: tuple[Tensor, ...]


class _RewardBackbone(nn.Module):
    def __init__(self, owner: Callable[[Tensor, Tensor], Floats]) -> None:
        super().__init__()
        self._score_rows = owner

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **_: object) -> _Output:
        scores = torch.as_tensor(self._score_rows(input_ids, attention_mask), dtype=torch.float32)
        every_place = scores.to(input_ids.device)[:, None, None].expand(*input_ids.shape, 1)
        return _Output(hidden_states=(every_place,))


class ProgrammaticReward(nn.Module):
    """A reward function in the shape of TRL's reward model.

    Attributes:
        constraints: limits and their multipliers, as they are in this update.
        update: the update that is scored next; 1 is the first.
        last: what the last batch got, over all processes.
    """

    base_model_prefix = "backbone"

    def __init__(
        self,
        reward: RewardFn,
        prompts: PromptIndex,
        decode: Callable[[Sequence[Sequence[int]]], list[str]],
        eos_id: int,
        scale: RewardScale,
        constraints: tuple[Constraint, ...] = (),
    ) -> None:
        """Wrap `reward`; `decode` turns answer tokens into texts and stops at `eos_id`."""
        super().__init__()
        self._reward, self._prompts, self._decode = reward, prompts, decode
        self._eos_id, self._scale = eos_id, scale
        self.backbone = _RewardBackbone(self._score_rows)
        self.score = nn.Identity()
        self.constraints = constraints
        self.update = 1
        self.gather: Callable[[RewardBatch], list[RewardBatch]] = lambda batch: [batch]
        self.last = RewardBatch()

    def _score_rows(self, ids: Tensor, mask: Tensor) -> Floats:
        # Padding arrives here as token 0, so the mask alone tells what a row holds.
        rows = [row[seen].tolist() for row, seen in zip(ids.cpu(), mask.cpu().bool(), strict=True)]
        split = [self._prompts.split(row) for row in rows]
        cells = np.array([cell for cell, _ in split], dtype=np.int64)
        answers = [_until(answer, self._eos_id) for _, answer in split]
        ended = np.array([self._eos_id in answer for answer in answers])
        texts = self._decode(answers)
        written = np.array([bool(text) for text in texts])
        place = f"update {self.update}"
        raw = evaluate_reward(self._reward, cells[written], [text for text in texts if text], place)
        scores = self._scale.scores(raw.total, raw.costs, self.constraints, written, ended)
        lengths = np.array([len(answer) for answer in answers], dtype=np.float64)
        self.last = together(self.gather(self._batch(raw, scores, lengths, ended)))
        return scores

    def _batch(self, raw: Reward, scores: Floats, lengths: Floats, ended: Bools) -> RewardBatch:
        costs = dict(raw.costs)
        return RewardBatch(
            rows=len(scores),
            texts=len(raw.total),
            reward=_mean(raw.total),
            components=tuple((name, _mean(values)) for name, values in raw.components),
            costs=tuple((name, _mean(values)) for name, values in raw.costs),
            excess=tuple(_mean(one.excess(costs.get(one.name, np.zeros(0)))) for one in self.constraints),
            length=_mean(lengths),
            ended=_mean(ended.astype(np.float64)),
            lowest=float(scores.min()),
            highest=float(scores.max()),
        )


def evaluate_reward(reward: RewardFn, cells: Ints, texts: list[str], place: str) -> Reward:
    """Call `reward` and check what it returns; errors say at which `place` of the run it was.

    Raises:
        DataError: it raised, or returned other than one finite number per text.
    """
    if not texts:
        return Reward(total=np.zeros(0))
    result = _called(reward, cells, texts, place)
    for name, values in (("total", result.total), *result.components, *result.costs):
        if np.shape(values) != (len(texts),):
            raise DataError(
                f"reward: {name} must return shape ({len(texts)},), got {np.shape(values)} at {place}; one per text"
            )
    for name, values in (("total", result.total), *result.costs):
        if not np.isfinite(values).all():
            row = int(np.argmin(np.isfinite(values)))
            raise DataError(
                f"reward: {name} must be finite, got {values[row]} for prompt {cells[row]}, text {texts[row]!r} "
                f"at {place}; give such a text a low finite reward"
            )
    return result


def _called(reward: RewardFn, cells: Ints, texts: list[str], place: str) -> Reward:
    try:
        return reward(cells, texts)
    except (OSError, ImportError):  # a full disk and a missing extra speak for themselves
        raise
    except Exception as error:
        told = " ".join(str(error).split()) or "no message"
        raise DataError(
            f"reward: must not raise, got {type(error).__name__} ({told}) at {place}; mend it and tune again, with "
            "resume=True to go on from the last saved state"
        ) from error


def _until(tokens: list[int], eos_id: int) -> list[int]:
    """Keep tokens up to and including the first `eos_id`: what stands behind it must not count."""
    return tokens[: tokens.index(eos_id) + 1] if eos_id in tokens else tokens


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else 0.0
