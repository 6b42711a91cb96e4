"""From settings to what surrounds a policy in a season: forgetting, guardrails, holdout and horizon."""

from __future__ import annotations

from msgspec import structs

from copybandit.agents.bandit_rules import SeasonRules
from copybandit.agents.discounted import Discounted
from copybandit.agents.guarded import Guarded
from copybandit.agents.guardrails import Guardrails
from copybandit.agents.holdout import Holdout
from copybandit.agents.policies import Uniform
from copybandit.agents.stateful import Lasting
from copybandit.agents.watchful import Watchful
from copybandit.agents.windowed import Windowed
from copybandit.evaluation.settings import BanditSettings, GuardrailSettings


def surround(policy: Lasting, options: BanditSettings, n_actions: int) -> Lasting:
    """The policy as the settings want it, from the inside out; the policy itself where they want nothing."""
    if options.window_days is not None:
        policy = Windowed(policy, days=options.window_days)
    if options.half_life_days is not None:
        policy = Discounted(policy, half_life_days=options.half_life_days)
    if options.false_alarm is not None:
        policy = Watchful(policy, n_actions=n_actions, false_alarm=options.false_alarm)
    rules = Guardrails(floor=options.guardrails.floor, cap=options.guardrails.cap)
    return policy if rules == Guardrails() else Guarded(policy, rules)


def plain(options: BanditSettings) -> BanditSettings:
    """The same season for a policy that only stands beside the named one: no forgetting, no guardrails."""
    return structs.replace(
        options,
        half_life_days=None,
        window_days=None,
        false_alarm=None,
        guardrails=GuardrailSettings(),
    )


def season_rules(options: BanditSettings, seed: int) -> SeasonRules:
    """Holdout and horizon; the held out get any variant by chance."""
    holdout = Holdout(share=options.holdout, salt=f"season-{seed}") if options.holdout > 0 else None
    return SeasonRules(holdout=holdout, control=Uniform(), horizon_days=options.horizon_days)
