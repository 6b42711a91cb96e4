"""Off-policy terms for confidence sequences: doubly robust, with a range that is known before the log.

With weights w = pi_e / pi_b in [0, w_max], rewards in [a, b] and a reward model q in [a, a + cap],

    z = v + w (r - q),   v = sum_a pi_e(a|x) q(x, a),   E[z | past] = the policy's value,
    a - w_max cap  <=  z  <=  a + w_max (b - a) + cap.

The model is a control variate: it takes variance away and never biases, provided that it was fitted to earlier rows or to
other data. Its cap is what it costs: a sequence pays for the range. With cap = (b - a) / w_max, the default, the
range grows by 1 + 1 / w_max spans of reward at most; without a model, cap 0, the terms are a + w (r - a).
Sources: Karampatziakis, Mineiro & Ramdas (ICML 2021); Waudby-Smith et al. (arXiv 2210.10768), there k = w_max cap.

The logging policy may learn while it logs, as long as each row's propensity is that of its draw; no propensity may be so
small that w leaves [0, w_max]: w_max comes from the policies (a floor on the probabilities), never from the log.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from copybandit.evaluation.bounds import Bounds, Span
from copybandit.sim.types import DataError, Floats

UNIT = Span(low=0.0, high=1.0)


@dataclass(frozen=True, kw_only=True)
class OffPolicyTerms:
    """What is known before the log.

    Attributes:
        w_max: largest possible weight, at least 1.
        reward: range of rewards.
        cap: how far the model's rewards may lie above the least reward, in [0, width of the range]; 0 is no model.
    """

    w_max: float
    reward: Span = UNIT
    cap: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.w_max) and self.w_max >= 1):
            raise DataError(
                f"OffPolicyTerms: w_max must be finite and at least 1, the mean of weights, got {self.w_max}; "
                "give the largest ratio of the two policies, e.g. 1 / floor"
            )
        if not 0 <= self.cap <= self.reward.width:
            raise DataError(
                f"OffPolicyTerms: cap must be in [0, {self.reward.width}], got {self.cap}; "
                "use model_cap, or 0 without a model"
            )

    @staticmethod
    def with_model(w_max: float, reward: Span = UNIT) -> OffPolicyTerms:
        """Room for a model that costs about one span of reward in range: cap = width / w_max."""
        return OffPolicyTerms(w_max=w_max, reward=reward, cap=reward.width / max(w_max, 1.0))

    @property
    def span(self) -> Span:
        """Range of the terms, for the sequences."""
        low, width = self.reward.low, self.reward.width
        return Span(low=low - self.w_max * self.cap, high=low + self.w_max * width + self.cap)

    def capped(self, q: Floats) -> Floats:
        """A model's rewards cut to the range it may keep; v has to be averaged over what comes back."""
        return np.clip(q, self.reward.low, self.reward.low + self.cap)

    def cut(self, found: Bounds) -> Bounds:
        """Bounds cut to the range of rewards, which a policy's value cannot leave; terms can, and estimates with them."""
        least, most = self.reward.low, self.reward.high
        return replace(found, low=np.clip(found.low, least, most), high=np.clip(found.high, least, most))

    def terms(
        self, reward: Floats, weight: Floats, q: Floats | None = None, v: Floats | None = None
    ) -> Floats:
        """The terms z of every row.

        Args:
            reward: shape (..., rows).
            weight: same shape, pi_e / pi_b of the logged action.
            q: same shape, the model's reward of the logged action, `capped`; None is the least reward.
            v: same shape, the capped model averaged over the target policy; None only together with q.

        Returns:
            Same shape.

        Raises:
            DataError: shapes differ, a number is out of its range, or only one of q and v is given.
        """
        if (q is None) != (v is None):
            raise DataError(
                "OffPolicyTerms: q and v come together, got only one of them; pass both or neither"
            )
        low = self.reward.low
        q, v = (
            (np.full(np.shape(reward), low), np.full(np.shape(reward), low))
            if q is None or v is None
            else (q, v)
        )
        model = (low, low + self.cap)
        ranges = {"reward": (low, self.reward.high), "weight": (0.0, self.w_max), "q": model, "v": model}
        for (name, (least, most)), values in zip(ranges.items(), (reward, weight, q, v), strict=True):
            slack = 1e-9 * max(1.0, most - least)
            if (
                np.shape(values) != np.shape(reward)
                or not ((values >= least - slack) & (values <= most + slack)).all()
            ):
                raise DataError(
                    f"OffPolicyTerms: {name} must be {np.shape(reward)} and in [{least}, {most}], got {np.shape(values)} "
                    f"from {np.min(values, initial=np.inf)} to {np.max(values, initial=-np.inf)}; "
                    "correct it, or give the true bounds before the log"
                )
        return np.asarray(v + weight * (reward - q))
