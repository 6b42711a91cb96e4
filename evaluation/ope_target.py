"""The policy that is valued: a checkpoint or one without features, asked what it would show in each logged request."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from copybandit.agents.around import Around
from copybandit.agents.batch import Policy
from copybandit.agents.policies import PriorGreedy, Uniform
from copybandit.agents.policy_files import load_policy, read_manifest
from copybandit.agents.stateful import Lasting
from copybandit.evaluation.ope_chunk import Chunk, Source
from copybandit.sim.types import DataError, Floats

NAMED = ("uniform", "prior_greedy")
"""Policies that can be named without a checkpoint."""
FEATURELESS = ("uniform", "explore_then_commit", "thompson", "ucb1", "horizon_index")
"""Kinds that look at nothing but which candidates there are."""
NOT_SUMMED = 1e-9


@dataclass(frozen=True, kw_only=True)
class Target:
    """Whose value is estimated.

    Attributes:
        name: what reports call it.
        policy: None where the log itself has the probabilities.
        featureless: whether the policy looks at nothing but which candidates there are.
        notes: what a reader should know.
    """

    name: str
    policy: Policy | None
    featureless: bool = False
    notes: tuple[str, ...] = ()

    def probs(self, chunk: Chunk, rng: np.random.Generator, where: str) -> Floats:
        """Its probabilities, shape (n, k).

        Raises:
            DataError: the log does not know the candidates, the policy cannot use them, or what it says is no distribution.
        """
        assert self.policy is not None
        if chunk.requests is None:
            raise DataError(
                f"{where}: candidates, action_probs and action must be logged for a policy to be asked, got a log without; "
                "log the whole distribution, or give target probabilities by --columns"
            )
        try:
            found = self.policy.action_probs(chunk.requests, rng)
        except DataError as error:
            raise DataError(f"{self.name} cannot be asked about {where}: {error}") from None
        absent = np.abs(found[chunk.requests.candidates < 0]).max(initial=0.0)
        off = np.abs(found.sum(axis=1) - 1).max(initial=0.0)
        if not (absent == 0 and off <= NOT_SUMMED and (found >= 0).all()):
            raise DataError(
                f"{self.name}: probabilities must be >= 0, sum to 1 and be 0 where absent, got rows off by {off:.3g}; "
                "correct the policy"
            )
        return found


def target_of(policy: str | None, source: Source) -> Target:
    """The policy of a name or checkpoint folder, fit for a log.

    Raises:
        DataError: there is no such policy, the checkpoint cannot be read, or it is of another action set or needs features
            that the log does not hold.
    """
    if (policy is None) != source.has_target:
        raise DataError(
            "ope: the target's probabilities are in the table, so --policy must not be given; drop it"
            if source.has_target
            else f"ope: --policy must be a checkpoint or one of {', '.join(NAMED)}, got none; name one"
        )
    if policy is None:
        return Target(name="target column", policy=None)
    if policy in NAMED and not Path(policy).is_dir():
        made: Lasting = Uniform() if policy == "uniform" else PriorGreedy()
        _check_features(policy, policy, source)
        return Target(name=policy, policy=made, featureless=policy in FEATURELESS)
    return _saved(Path(policy), source)


def _saved(folder: Path, source: Source) -> Target:
    if not folder.is_dir():
        raise DataError(
            f"ope: --policy must be the folder of a checkpoint or one of {', '.join(NAMED)}, got {folder}; check the path"
        )
    manifest, policy = read_manifest(folder), load_policy(folder)
    inside = _inside(policy)
    _check_features(str(folder), inside.name, source)
    actions = _actions(inside)
    if actions is not None and source.n_actions is not None and actions != source.n_actions:
        raise DataError(
            f"{folder}: must be a policy over the {source.n_actions} variants of {source.path}, got one over {actions}; "
            "give the log of its own variants"
        )
    rows = manifest.lineage.rows
    told = (
        f"the policy has learned from {rows:,} rows: if they are rows of this log, its value is overstated; judge it on "
        "a log that it did not learn from",
    )
    return Target(
        name=f"{manifest.policy} from {folder}",
        policy=policy,
        featureless=inside.name in FEATURELESS,
        notes=told if rows else (),
    )


def _check_features(name: str, kind: str, source: Source) -> None:
    known = source.warm if kind == "prior_greedy" else source.featured
    if not known and kind not in FEATURELESS:
        raise DataError(
            f"{name}: needs what the policy knew (context, state and features of the items), which {source.path} does not "
            "hold; log it again with this version, or value a policy without features such as uniform"
        )


def _inside(policy: Lasting) -> Lasting:
    """The learner inside of whatever is around it."""
    while isinstance(policy, Around):
        policy = policy.policy
    return policy


def _actions(policy: Lasting) -> int | None:
    """Variants that a policy knows; None where it does not say."""
    settings = policy.settings()
    if "n_actions" in settings:
        return int(settings["n_actions"])
    prior = settings.get("prior")
    return None if prior is None else len(prior)
