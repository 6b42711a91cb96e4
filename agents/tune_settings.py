"""What each way of tuning may be told; PPO's own record stands in `copybandit.agents.ppo`.

All count their budget alike: `episodes` texts are written and scored, `reference_samples` more before the first update, and
nothing else calls the reward. All write at the writer's own temperature, the one at which it will be served.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from copybandit.agents.constraints import check_limits
from copybandit.agents.gan import GANSettings
from copybandit.agents.kl_price import KLPrice
from copybandit.agents.tunable import check_numbers
from copybandit.sim.types import DataError


@dataclass(frozen=True, kw_only=True)
class TunerSettings:
    """What all but PPO have in common.

    Attributes:
        episodes: texts written and scored in all; rounded up to whole batches.
        batch_size: texts per update.
        learning_rate: of Adam, annealed linearly to 0.
        max_grad_norm: gradients are clipped to this norm.
        reference_samples: texts of the untuned writer that fix the reward's mean and sd; 0 takes those of the first batch,
            which the untuned writer wrote, too.
        reward_clip: in sd.
        missing_eos_penalty: in sd, for a text that did not end by itself.
        lora_rank: tune low-rank adapters instead of all weights.
        checkpoint_every: updates between saved writers; None saves none.
        limits, multiplier_rate, multiplier_cap: as in `PPOSettings`.
    """

    episodes: int = 4096
    batch_size: int = 64
    learning_rate: float = 1e-4
    max_grad_norm: float = 1.0
    reference_samples: int = 0
    reward_clip: float = 5.0
    missing_eos_penalty: float = 1.0
    lora_rank: int | None = None
    checkpoint_every: int | None = None
    limits: tuple[tuple[str, float], ...] = ()
    multiplier_rate: float = 0.1
    multiplier_cap: float = 10.0

    def __post_init__(self) -> None:
        if min(self.episodes, self.batch_size) < 1 or self.reference_samples < 0:
            raise DataError(
                f"{self.algorithm}: episodes and batch_size must be >= 1 and reference_samples >= 0, got "
                f"{self.episodes}, {self.batch_size} and {self.reference_samples}; raise the one below"
            )
        check_numbers(
            self.algorithm, (self.learning_rate,), self.reward_clip, self.checkpoint_every, self.lora_rank
        )
        check_limits(self.algorithm, self.limits, self.multiplier_rate, self.multiplier_cap)

    @property
    def algorithm(self) -> str:
        """Name of the algorithm."""
        raise NotImplementedError

    @property
    def prompts_per_update(self) -> int:
        """Different prompts of an update."""
        return self.batch_size

    @property
    def updates(self) -> int:
        """Batches written in all."""
        return -(-self.episodes // self.batch_size)


@dataclass(frozen=True, kw_only=True)
class GroupSettings(TunerSettings):
    """What those that compare texts of one prompt have in common.

    Attributes:
        group: texts per prompt.
        minibatches: optimizer steps per pass over a batch.
        epochs: passes over each batch.
    """

    group: int = 4
    minibatches: int = 1
    epochs: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.group < 2 or min(self.minibatches, self.epochs) < 1:
            raise DataError(
                f"{self.algorithm}: group must be >= 2, minibatches and epochs >= 1, got {self.group}, "
                f"{self.minibatches} and {self.epochs}; raise the one below"
            )
        if self.batch_size % self.group or self.batch_size % self.minibatches:
            raise DataError(
                f"{self.algorithm}: batch_size must be a multiple of group and of minibatches, got {self.batch_size}, "
                f"{self.group} and {self.minibatches}; change one of them"
            )

    @property
    def prompts_per_update(self) -> int:
        """Different prompts of an update."""
        return self.batch_size // self.group


@dataclass(frozen=True, kw_only=True)
class GRPOSettings(GroupSettings):
    """Group-relative policy optimisation (Shao et al., arXiv 2402.03300): a text's advantage is over its prompt's mean.

    Advantages are in sd of the reward, not of the group, so that `beta` means what `PPOSettings.kl_coef` means: the price of
    a nat of KL per text in sd of the reward. Its gradient is that of the reverse KL, without k3's bias.

    Attributes:
        beta: price of a nat, once annealed.
        kl_anneal, kl_anneal_share, target_kl: as in `PPOSettings`.
        cliprange: of the probability ratio.
    """

    minibatches: int = 2
    reference_samples: int = 256
    beta: float = 0.05
    kl_anneal: float = 1.0
    kl_anneal_share: float = 0.6
    target_kl: float | None = None
    cliprange: float = 0.2

    @property
    def algorithm(self) -> str:
        """Name of the algorithm."""
        return "grpo"

    def price(self) -> KLPrice:
        """Of KL, before the first update."""
        annealed = self.kl_anneal_share * self.updates
        return KLPrice.of(self.beta, self.kl_anneal, annealed, self.target_kl)


@dataclass(frozen=True, kw_only=True)
class DPOSettings(GroupSettings):
    """Direct preference optimisation (Rafailov et al., arXiv 2305.18290) on the tuned writer's own texts, batch after batch.

    Of the texts of a prompt the one that earns most is preferred to the one that earns least, the second to the last but one
    and so on; texts that earn alike give no pair, and what is refused is never preferred. The untuned writer stays the
    reference throughout.

    Attributes:
        beta: of the loss; the larger, the nearer to the reference.
    """

    beta: float = 0.1

    @property
    def algorithm(self) -> str:
        """Name of the algorithm."""
        return "dpo"


@dataclass(frozen=True, kw_only=True)
class BestOfNSettings(GroupSettings):
    """Best-of-n distillation (RAFT, Dong et al., arXiv 2304.06767): learn the best text of each prompt by heart.

    Of `group` texts per prompt the one that earns most is kept unless it is refused, and the writer takes steps of maximum
    likelihood on what was kept; the next batch is written by the new writer.
    """

    @property
    def algorithm(self) -> str:
        """Name of the algorithm."""
        return "best-of-n"


@dataclass(frozen=True, kw_only=True)
class GANTuneSettings(TunerSettings):
    """The GAN of `copybandit.agents.gan` with the reward as a component beside its discriminator.

    It optimises  2 D(text so far) - 1, discounted, + reward_weight * standardised reward,  where D tells approved copy that
    people wrote from the writer's; with reward_weight 0 it is the plain GAN, which no reward steers.

    Attributes:
        reward_weight: units of the discriminator's reward per sd of the reward.
        loop: of the GAN; rounds, batch size, learning rate, temperature and clipping follow from this record and the writer.
    """

    reward_weight: float = 0.5
    loop: GANSettings = field(default_factory=GANSettings)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.reward_weight >= 0 or (self.limits and not self.reward_weight):
            raise DataError(
                f"gan: reward_weight must be >= 0, and above 0 where there are limits, got {self.reward_weight}; limits "
                "are kept by what the reward loses"
            )
        if self.lora_rank is not None:
            raise DataError(
                f"gan: trains all weights, got lora_rank {self.lora_rank}; drop it, or use another algorithm"
            )

    @property
    def algorithm(self) -> str:
        """Name of the algorithm."""
        return "gan"

    def game(self, temperature: float) -> GANSettings:
        """Settings of the GAN's loop."""
        return replace(
            self.loop,
            rounds=self.updates,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            max_grad_norm=self.max_grad_norm,
            temperature=temperature,
        )
