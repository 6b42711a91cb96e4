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

from copybandit.sim.types import Bools, DataError, Floats, Ints


@dataclass(frozen=True, kw_only=True)
class Reward:
    """Reward of b texts.

    Attributes:
        total: shape (b,), what is optimised.
        components: named parts of it, each of shape (b,), for the log only.
        costs: named constraint costs of the texts, each of shape (b,); their limits stand in the tuner's settings.
    """

    total: Floats
    components: tuple[tuple[str, Floats], ...] = ()
    costs: tuple[tuple[str, Floats], ...] = ()


RewardFn = Callable[[Ints, list[str]], Reward]
"""Index of each row's prompt, shape (b,), and its text, never empty -> reward."""


@dataclass(frozen=True, kw_only=True)
class RewardScale:
    """How a raw reward becomes the number PPO sees: (total - mean) / sd, within +-clip.

    Attributes:
        mean, sd: of the raw reward on texts of the untuned writer.
        clip: in sd; an empty text gets -clip.
        missing_eos_penalty: in sd, taken from a text that did not end by itself.
    """

    mean: float
    sd: float
    clip: float = 5.0
    missing_eos_penalty: float = 1.0

    def __post_init__(self) -> None:
        if not (self.sd > 0 and np.isfinite([self.mean, self.sd]).all()):
            raise DataError(
                f"reward scale: sd must be above 0 and finite, got {self.sd}; use 1 for a constant"
            )

    def standardised(self, total: Floats) -> Floats:
        """(total - mean) / sd, within +-clip, shape (b,)."""
        return np.asarray(np.clip((total - self.mean) / self.sd, -self.clip, self.clip))


@dataclass(frozen=True, kw_only=True)
class RewardBatch:
    """What the last batch got, for the log.

    Attributes:
        reward: mean raw total of the texts that were not empty.
        components: mean of each component.
        length: mean answer length in tokens, the end-of-sequence token included.
        ended: share of answers that ended by themselves.
        constant: True when every row got the same score, so that advantages would be noise only.
    """

    reward: float
    components: tuple[tuple[str, float], ...]
    length: float
    ended: float
    constant: bool


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
    """A reward function in the shape of TRL's reward model. `last` tells what the last batch got."""

    base_model_prefix = "backbone"

    def __init__(
        self,
        reward: RewardFn,
        prompts: PromptIndex,
        decode: Callable[[Sequence[Sequence[int]]], list[str]],
        eos_id: int,
        scale: RewardScale,
    ) -> None:
        """Wrap `reward`; `decode` turns answer tokens into texts and stops at `eos_id`."""
        super().__init__()
        self._reward, self._prompts, self._decode = reward, prompts, decode
        self._eos_id, self._scale = eos_id, scale
        self.backbone = _RewardBackbone(self._score_rows)
        self.score = nn.Identity()
        self.last = RewardBatch(reward=0.0, components=(), length=0.0, ended=0.0, constant=False)

    def _score_rows(self, ids: Tensor, mask: Tensor) -> Floats:
        # Padding arrives here as token 0, so the mask alone tells what a row holds.
        rows = [row[seen].tolist() for row, seen in zip(ids.cpu(), mask.cpu().bool(), strict=True)]
        split = [self._prompts.split(row) for row in rows]
        cells = np.array([cell for cell, _ in split], dtype=np.int64)
        answers = [_until(answer, self._eos_id) for _, answer in split]
        ended = np.array([self._eos_id in answer for answer in answers])
        texts = self._decode(answers)
        written = np.array([bool(text) for text in texts])
        raw = evaluate_reward(self._reward, cells[written], [text for text in texts if text])
        scores = self._standardise(raw.total, written, ended)
        self.last = RewardBatch(
            reward=_mean(raw.total),
            components=tuple((name, _mean(values)) for name, values in raw.components),
            length=_mean(np.array([len(answer) for answer in answers], dtype=np.float64)),
            ended=_mean(ended.astype(np.float64)),
            constant=bool(np.ptp(scores) < 1e-6),
        )
        return scores

    def _standardise(self, total: Floats, written: Bools, ended: Bools) -> Floats:
        scale = self._scale
        scores = np.full(len(written), -scale.clip)
        scores[written] = scale.standardised(total)
        return scores - scale.missing_eos_penalty * ~ended


def evaluate_reward(reward: RewardFn, cells: Ints, texts: list[str]) -> Reward:
    """Call `reward` and check what it returns.

    Raises:
        DataError: not one finite number per text.
    """
    if not texts:
        return Reward(total=np.zeros(0))
    result = reward(cells, texts)
    if result.total.shape != (len(texts),):
        raise DataError(f"reward: must return shape ({len(texts)},), got {result.total.shape}; one per text")
    if not np.isfinite(result.total).all():
        row = int(np.argmin(np.isfinite(result.total)))
        raise DataError(
            f"reward: must be finite, got {result.total[row]} for prompt {cells[row]}, text {texts[row]!r}; "
            "give such a text a low finite reward"
        )
    return result


def _until(tokens: list[int], eos_id: int) -> list[int]:
    """Keep tokens up to and including the first `eos_id`: what stands behind it must not count."""
    return tokens[: tokens.index(eos_id) + 1] if eos_id in tokens else tokens


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else 0.0
