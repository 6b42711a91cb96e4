"""Fits a shop to a user's own files and says how far to believe it: `copybandit fit`.

Everything that is reported comes from shoppers, households or tests that nothing was fitted on, the interest also from
later time. What is fitted is written to ``models``; what is said of it, with the gates it is held to, to report.json and
report.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from copybandit.evaluation import attacks
from copybandit.evaluation.fit_attack import FittedAttack, attack_tests
from copybandit.evaluation.fit_gates import gates
from copybandit.evaluation.fit_inputs import FitRequest, ShopLog, read_log, read_panels, read_tests
from copybandit.evaluation.fit_interest import FittedInterest, fit_interests
from copybandit.evaluation.fit_parts import (
    FittedDemand,
    FittedFunnel,
    FittedWording,
    fit_funnel,
    fit_panel,
    fit_tests,
)
from copybandit.evaluation.policy_ranking import PolicyRanking, rank_policies
from copybandit.evaluation.progress import Progress
from copybandit.evaluation.run_folder import versions
from copybandit.evaluation.storage import plain, save_json
from copybandit.sim.baskets import BasketModel, real_marginals
from copybandit.sim.interest_judge import JudgedInterest, known_part
from copybandit.sim.panels import Panel
from copybandit.sim.realism import LogElasticity, MarginalGap, compare_marginals, log_elasticity
from copybandit.sim.split import Split, split_groups
from copybandit.sim.store import save_record
from copybandit.sim.types import DataError
from copybandit.sim.upworthy import AbTests


@dataclass(frozen=True, kw_only=True)
class FittedFiles:
    """Everything that was fitted, and judged.

    Attributes:
        shop: the log.
        interest: the models of it.
        judged: of every interest model under both schemes.
        baskets: the model that is simulated.
        marginals: simulated against real.
        elasticity: of the log; None where its prices are made up.
        ranking: of policies in two halves.
        funnel: rates and delays.
        demand, wording: of what was given beside the log.
        attack: on a guarded wording model; None where it was not asked for.
    """

    shop: ShopLog
    interest: FittedInterest
    judged: tuple[JudgedInterest, ...]
    baskets: BasketModel
    marginals: tuple[MarginalGap, ...]
    elasticity: LogElasticity | None
    ranking: PolicyRanking
    funnel: FittedFunnel
    demand: tuple[FittedDemand, ...]
    wording: FittedWording | None
    attack: FittedAttack | None


def fit_files(request: FitRequest, out: Path, progress: Progress) -> Mapping[str, Any]:
    """Fit, judge, and write the folder `out`, which must not exist.

    Returns:
        What report.json holds.

    Raises:
        DataError: for unusable input, or a folder that exists; then nothing is written.
    """
    from copybandit.evaluation.fit_report import write_fit_report

    if out.exists():
        raise DataError(f"{out} exists; pass --out another")
    progress.stage("read")
    shop, panels, tests = read_log(request), read_panels(request), read_tests(request)
    for reason, count in shop.dropped:
        if count:
            progress.note(f"{request.log}: {count:,} rows left out: {reason}")
    found = _fit(request, shop, panels, tests, progress)
    progress.stage("report")
    report = _report(request, found)
    _save(request, out, found)
    save_json(out / "report.json", report)
    write_fit_report(out, report)
    return report


def _fit(
    request: FitRequest,
    shop: ShopLog,
    panels: tuple[tuple[str, Panel], ...],
    tests: AbTests | None,
    progress: Progress,
) -> FittedFiles:
    rng = np.random.default_rng([request.seed, 12])
    split = split_groups(np.array(shop.events.shopper_ids), request.seed)
    interest, judged = fit_interests(request, shop, split, progress)
    progress.stage("baskets")
    baskets, marginals = _baskets(shop, split, interest, rng)
    progress.stage("policies")
    ranking = rank_policies(shop.events, shop.products, split, rng)
    progress.stage("funnel")
    funnel = fit_funnel(shop, split, interest.text, interest.x)
    progress.stage("demand", total=len(panels))
    demand = _demand(panels, request.seed, progress)
    progress.stage("wording")
    wording = fit_tests(tests, request.seed) if tests is not None else None
    return FittedFiles(
        shop=shop,
        interest=interest,
        judged=judged,
        baskets=baskets,
        marginals=marginals,
        elasticity=log_elasticity(shop.events) if shop.prices_real else None,
        ranking=ranking,
        funnel=funnel,
        demand=demand,
        wording=wording,
        attack=_attack(request, shop, tests, progress),
    )


def _demand(panels: tuple[tuple[str, Panel], ...], seed: int, progress: Progress) -> tuple[FittedDemand, ...]:
    found = []
    for name, panel in panels:
        found.append(fit_panel(name, panel, seed))
        progress.advance()
    return tuple(found)


def _attack(
    request: FitRequest, shop: ShopLog, tests: AbTests | None, progress: Progress
) -> FittedAttack | None:
    if not request.attack or tests is None:
        return None
    progress.stage("attack")
    return attack_tests(tests, request.seed, catalogue=shop.products)


def _baskets(
    shop: ShopLog, split: Split, interest: FittedInterest, rng: np.random.Generator
) -> tuple[BasketModel, tuple[MarginalGap, ...]]:
    price = np.array([product.price for product in shop.products])
    model = BasketModel.fit(shop.events, (split.fit, split.select), price, rng, shop.longest_gap)
    known, _ = known_part(shop.events)
    vectors = interest.text.shopper_vectors(known, interest.x)
    simulated = model.simulate(shop.events, split.judge, (vectors, interest.x), rng)
    real, floor = (real_marginals(shop.events, people) for people in (split.judge, split.fit))
    return model, compare_marginals(real, simulated, floor)


def _report(request: FitRequest, found: FittedFiles) -> Mapping[str, Any]:
    lines = gates(
        judged=found.judged,
        marginals=found.marginals,
        elasticity=found.elasticity,
        grocery=found.shop.grocery,
        ranking=found.ranking,
        demand=found.demand,
        wording=found.wording,
        attack=found.attack,
    )
    failed_first = sorted(lines, key=lambda line: {False: 0, True: 1, None: 2}[line.passed])
    report = {
        "data": _data(request, found.shop),
        "gates_failed": sum(line.passed is False for line in lines),
        "validation": failed_first,
        "interest": found.judged,
        "marginals": found.marginals,
        "elasticity": found.elasticity,
        "policy_ranking": found.ranking,
        "funnel": found.funnel.steps,
        "conversion": found.funnel.conversion,
        "demand": [part.summary for part in found.demand],
        "wording": found.wording.report if found.wording else None,
        "attack": attack_told(found.attack) if found.attack else None,
        "seed": request.seed,
    }
    told: Mapping[str, Any] = plain(report)
    return told


def attack_told(found: FittedAttack) -> Mapping[str, object]:
    """What report.json says of the attacks; those that succeeded first."""
    rows = sorted(found.attacks.rows, key=lambda row: not row.succeeded)
    return {
        "encoder": found.encoder,
        "median": found.attacks.median,
        "deviations": found.attacks.deviations,
        "succeeded": found.attacks.succeeded,
        "rows": [{**plain(row), "flagged": row.flagged, "verdict": attacks.verdict(row)} for row in rows],
        "human_cost": found.cost,
    }


def _data(request: FitRequest, shop: ShopLog) -> Mapping[str, object]:
    return {
        "source": request.log,
        "format": request.format,
        "n_shoppers": len(shop.events.shopper_ids),
        "n_products": len(shop.events.product_ids),
        "n_interactions": len(shop.events),
        "dropped": dict(shop.dropped),
        "prices_real": shop.prices_real,
    }


def _save(request: FitRequest, out: Path, found: FittedFiles) -> None:
    try:
        (out / "models").mkdir(parents=True)
    except OSError as error:
        raise DataError(f"{out} cannot be made ({error.strerror}); pass --out another") from error
    save_json(out / "config.json", _strings(request))
    save_json(out / "versions.json", versions())
    save_record(out / "models" / "interest", found.interest.text)
    save_record(out / "models" / "repeat-interest", found.interest.repeat)
    save_record(out / "models" / "baskets", found.baskets)
    for part in found.demand:
        save_record(out / "models" / f"demand-{Path(part.summary.name).stem}", part.model)
    if found.interest.sequence is not None:
        save_record(out / "models" / "sequence", found.interest.sequence)
    if found.funnel.model is not None:
        save_record(out / "models" / "conversion", found.funnel.model)
    if found.wording is not None:
        save_record(out / "models" / "wording", found.wording.model)
    if found.attack is not None:
        save_record(out / "models" / "guarded-wording", found.attack.model)


def _strings(request: FitRequest) -> dict[str, object]:
    values = {name: getattr(request, name) for name in FitRequest.__dataclass_fields__}
    return {name: str(value) if isinstance(value, Path) else value for name, value in values.items()}
