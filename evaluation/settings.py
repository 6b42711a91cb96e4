"""What one run may be told: the records behind a YAML config; `load_settings` turns files into them.

Each field's unit and range stand once, under the field or in its type. A run folder keeps the settings it was
made with, and nothing else steers a run.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from copybandit.evaluation.editing_settings import EditingSettings
from copybandit.evaluation.weekly_settings import WeeklySettings

Count = Annotated[int, Meta(ge=1)]
"""A whole number of at least 1."""
Seed = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Positive = Annotated[float, Meta(gt=0)]
NonNegative = Annotated[float, Meta(ge=0)]
Share = Annotated[float, Meta(gt=0, lt=1)]
"""A probability strictly between 0 and 1."""
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")]
"""Letters, digits, dot, dash and underscore: it becomes part of a folder's name."""

WorldName = Literal["synthetic", "online-retail"]
PolicyName = Literal[
    "uniform",
    "explore_then_commit",
    "thompson",
    "epsilon_greedy",
    "ucb1",
    "bootstrap_bag",
    "horizon_index",
    "linucb",
    "softmax",
    "squarecb",
    "lints",
    "logistic_thompson",
    "neural_linear",
    "disjoint_linucb",
    "disjoint_lints",
]
AlgorithmName = Literal["ppo", "grpo", "dpo", "best-of-n", "gan"]


class DataSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How large the shop is and which files it is read from."""

    n_products: Count = 500
    """Products in the catalogue; for real input the most that are kept."""
    n_shoppers: Count = 3000
    """Shoppers; for real input the most that are kept."""
    n_rounds: Count = 500_000
    """Impressions in the log; the response model learns from those of the fit split, two in five."""
    retail: str | None = None
    """Path of the Online Retail purchase log (csv, xlsx or parquet); only for world online-retail."""
    ab_tests: str | None = None
    """Path of the Upworthy headline tests (csv or csv.gz); only for world online-retail."""


class WorldSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Coefficients of the World's terms in log-odds; each one stands in the report's ledger."""

    base_ctr: Share = 0.014
    """Click probability of an average shopper, product and copy in first position."""
    b_interest: NonNegative = 0.5
    """Log-odds per standard deviation of the interest logit."""
    b_match: NonNegative = 0.3
    """Log-odds per unit of match between what the copy talks about and the shopper's interests."""
    position_eta: NonNegative = 0.5
    """Examination falls as position ** -eta; 0 switches position bias off."""
    fatigue: NonNegative = 0.15
    """Log-odds lost per repeated exposure; 0 switches fatigue off."""
    drift: NonNegative = 0.1
    """Amplitude of the weekly drift in log-odds; 0 switches drift off."""


class LimitSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far tuning may change what copy is like, on average over the cells; null sets no limit."""

    length: Positive | None = None
    """Share by which copy may be longer or shorter than that of the untuned writer."""
    fluency: Positive | None = None
    """Share by which its perplexity under the untuned writer may be higher."""
    repetition: Positive | None = None
    """By how much the share of words that repeat an earlier one may be higher."""
    sameness: Positive | None = None
    """By how much the share of a text's phrases that another text has, too, may be higher."""


class TuneSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The writer and how it is tuned."""

    algorithm: AlgorithmName = "ppo"
    """Who tunes. The report calls the tuned writer ppo whatever this says."""
    group: Annotated[int, Meta(ge=2)] = 4
    """Texts per prompt that grpo, dpo and best-of-n compare; must divide batch_size."""
    limits: LimitSettings = LimitSettings()
    """What tuning may not change much; multipliers rise from 0 where it does."""

    model: Annotated[str, Meta(min_length=1)] = "tiny"
    """`tiny`, `smollm2`, `hf:NAME` or the path of a checkpoint."""
    sft_examples: Annotated[int, Meta(ge=0)] = 0
    """Texts about the shop's own products that the writer learns from before PPO; 0 takes it as it is."""
    episodes: Count = 4096
    """Pieces of copy written and scored per run of the tuner."""
    restarts: Count = 1
    """Runs of the tuner per seed, of which the select split keeps the best: one run may settle on a pattern that is not."""
    batch_size: Count = 64
    """Episodes per update."""
    learning_rate: NonNegative = 4e-4
    """Step size of Adam; 0 leaves the writer as it is."""
    critic_learning_rate: NonNegative = 1e-2
    """The same of the critic, which is small and starts from nothing."""
    reference_samples: Count = 1024
    """Pieces of copy before tuning that scale the reward and warm the critic up."""
    kl_target: Positive = 3.0
    """Nats per piece of copy that the tuned writer may drift from SFT."""
    kl_coef: Positive = 0.2
    """Price of a nat in standard deviations of the reward, once annealed; raised where KL is above `kl_target`."""
    kl_anneal: Annotated[float, Meta(ge=1)] = 4.0
    """How many times dearer a nat is at the start; the price falls to `kl_coef` within the first 60% of the updates."""
    temperature: Positive = 1.0
    """Sampling temperature while tuning and writing."""
    max_new_tokens: Annotated[int, Meta(ge=1, le=512)] = 24
    """Longest piece of copy in tokens."""
    ppo_epochs: Count = 2
    """Passes over each batch."""
    minibatches: Count = 2
    """Optimizer steps per pass; must divide batch_size."""
    seeds: Annotated[tuple[Seed, ...], Meta(min_length=1)] = (0,)
    """One tuning run per seed; intervals resample over them."""


class GuardrailSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the shop insists on whatever the policy thinks, in probabilities per request."""

    floor: Annotated[float, Meta(ge=0, le=0.5)] = 0.0
    """Least of each variant that is not paused; 0 sets none."""
    cap: Annotated[float, Meta(ge=0.5, le=1)] = 1.0
    """Most of each, where a request has more than one; 1 sets none."""


Weight = Annotated[float, Meta(ge=0, le=1e6)]
"""What one event is worth; a loss has no warm start, so none is below 0."""


class RewardSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the season's policies are after: so much for each event of an impression; what is left out counts nothing."""

    click: Weight = 0.0
    """Reward of a click."""
    purchase: Weight = 0.0
    """Reward of a purchase, on top of its click."""
    revenue: Weight = 0.0
    """Reward of a unit of money of a purchase."""


class BanditSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The simulated week in which a policy chooses among approved variants."""

    policy: PolicyName = "linucb"
    """The policy named in advance: the one the headline reports. It stands beside uniform, explore_then_commit, thompson
    and linucb, which every report has."""
    n_products: Count = 200
    """Products on show; at most data.n_products."""
    n_variants: Annotated[int, Meta(ge=2, le=64)] = 6
    """Approved variants per product."""
    diversity: bool = False
    """Whether a product's variants are chosen as a set, by expected clicks and unlikeness, and not as they come."""
    n_impressions: Count = 200_000
    """Impressions over the whole week."""
    days: Count = 7
    """Simulated days."""
    batch_size: Count = 500
    """Impressions between two updates of the policy."""
    reward: RewardSettings = RewardSettings(click=1.0)
    """What an impression earns, and so what policies learn to raise; what a whole group does not name counts nothing."""
    half_life_days: Positive | None = None
    """Days in which feedback loses half of its weight; null forgets nothing."""
    window_days: Positive | None = None
    """Days of feedback that count at all, cut into seven blocks; null keeps everything."""
    false_alarm: Share | None = None
    """Most chance of a false alarm per look at a variant, which starts anew after an alarm; null looks for no change."""
    hashed_crosses: Annotated[int, Meta(ge=0, le=226)] = 0
    """Features into which interest x copy columns are hashed, for every policy on shared features; 0 crosses nothing."""
    horizon_days: NonNegative = 0.0
    """Days until the reward of an impression reaches the policy; 0 is after its batch."""
    holdout: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    """Share of the shoppers who always get a variant by chance, to tell what learning is worth; 0 holds nobody out."""
    guardrails: GuardrailSettings = GuardrailSettings()
    """Bounds on every probability the named policy may give."""


class RunSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything one `copybandit run` may be told."""

    name: Name
    """Names the default run folder: runs/NAME-SEED."""
    description: str = ""
    """One line for `copybandit configs`."""
    seed: Seed = 0
    """Seed of everything random in the run."""
    world: WorldName = "synthetic"
    """Where shoppers and products come from."""
    n_segments: Count = 6
    """Segments the shoppers are grouped into; copy is written per segment and product."""
    bootstrap_replicates: Annotated[int, Meta(ge=100)] = 2000
    """Resamples behind each bootstrap interval."""
    data: DataSettings = DataSettings()
    terms: WorldSettings = WorldSettings()
    editor: EditingSettings = EditingSettings()
    tune: TuneSettings = TuneSettings()
    bandit: BanditSettings = BanditSettings()
    weekly: WeeklySettings = WeeklySettings()
