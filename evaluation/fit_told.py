"""What `copybandit fit` says of what it found: report.json, the rows of metrics.jsonl, the folder of models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from copybandit.evaluation import attacks
from copybandit.evaluation.fit_attack import FittedAttack
from copybandit.evaluation.fit_baskets import FittedBaskets
from copybandit.evaluation.fit_gates import gates
from copybandit.evaluation.fit_inputs import FitRequest, ShopLog
from copybandit.evaluation.fit_interest import FittedInterest, FittedSequence
from copybandit.evaluation.fit_parts import FittedDemand, FittedFunnel
from copybandit.evaluation.fit_saved import Judged, asked, found, kept
from copybandit.evaluation.fit_wording import FittedWording
from copybandit.evaluation.policy_ranking import PolicyRanking
from copybandit.evaluation.run_folder import RunFolder
from copybandit.evaluation.storage import plain
from copybandit.sim.interest_judge import JudgedInterest
from copybandit.sim.store import save_record


@dataclass(frozen=True, kw_only=True)
class FittedFiles:
    """Everything that was fitted, and judged.

    Attributes:
        shop: the log.
        interest: the factorised model, with own purchases beside it.
        sequence: None where it was not asked for.
        judged: of every interest model under both schemes.
        baskets: the model that is simulated, against real shoppers.
        ranking: of policies in two halves.
        funnel: rates and delays.
        demand, wording: of what was given beside the log.
        attack: on a guarded wording model; None where it was not asked for.
    """

    shop: ShopLog
    interest: FittedInterest
    sequence: FittedSequence | None
    judged: tuple[JudgedInterest, ...]
    baskets: FittedBaskets
    ranking: PolicyRanking
    funnel: FittedFunnel
    demand: tuple[FittedDemand, ...]
    wording: FittedWording | None
    attack: FittedAttack | None


def gather(folder: RunFolder[FitRequest], shop: ShopLog) -> FittedFiles:
    """What the stages of a folder found.

    Raises:
        DataError: a stage's file is missing or broken.
    """
    panels = (folder.output("demand") / f"demand-{index}" for index in range(len(folder.settings.panels)))
    return FittedFiles(
        shop=shop,
        interest=found(folder, "interest", FittedInterest),
        sequence=asked(folder, "sequence", FittedSequence),
        judged=found(folder, "judge", Judged).rows,
        baskets=found(folder, "baskets", FittedBaskets),
        ranking=found(folder, "policies", PolicyRanking),
        funnel=found(folder, "funnel", FittedFunnel),
        demand=tuple(kept(path, FittedDemand) for path in panels),
        wording=asked(folder, "wording", FittedWording),
        attack=asked(folder, "attack", FittedAttack),
    )


def told(request: FitRequest, files: FittedFiles) -> Mapping[str, Any]:
    """What report.json holds; failed gates first."""
    lines = gates(
        judged=files.judged,
        marginals=files.baskets.marginals,
        elasticity=files.baskets.elasticity,
        grocery=files.shop.grocery,
        ranking=files.ranking,
        demand=files.demand,
        wording=files.wording,
        attack=files.attack,
    )
    failed_first = sorted(lines, key=lambda line: {False: 0, True: 1, None: 2}[line.passed])
    report = {
        "data": _data(request, files.shop),
        "gates_failed": sum(line.passed is False for line in lines),
        "validation": failed_first,
        "interest": files.judged,
        "marginals": files.baskets.marginals,
        "elasticity": files.baskets.elasticity,
        "policy_ranking": files.ranking,
        "funnel": files.funnel.steps,
        "conversion": files.funnel.conversion,
        "demand": [part.summary for part in files.demand],
        "wording": files.wording.report if files.wording else None,
        "attack": attack_told(files.attack) if files.attack else None,
        "seed": request.seed,
    }
    whole: Mapping[str, Any] = plain(report)
    return whole


def attack_told(found: FittedAttack) -> Mapping[str, object]:
    """What report.json says of the attacks; those that succeeded first."""
    rows = sorted(found.attacks.rows, key=lambda row: not row.succeeded)
    return {
        "readers": found.readers,
        "median": found.attacks.median,
        "deviations": found.attacks.deviations,
        "assumed_unit": found.model.unit,
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


def metrics(records: Iterable[object]) -> list[Mapping[str, object]]:
    """The numbers and names of each record, those of the records in it too, as rows of metrics.jsonl; no lists."""
    return [dict(_scalars(plain(record), "")) for record in records]


def _scalars(tree: Mapping[str, object], prefix: str) -> Iterable[tuple[str, object]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from _scalars(value, f"{prefix}{key}.")
        elif not isinstance(value, list):
            yield prefix + key, value


def save_models(folder: Path, files: FittedFiles) -> None:
    """Write every model, each a pair of files."""
    folder.mkdir(exist_ok=True)
    models = {
        "interest": files.interest.text,
        "repeat-interest": files.interest.repeat,
        "baskets": files.baskets.model,
        "sequence": files.sequence.late if files.sequence else None,
        "conversion": files.funnel.model,
        "wording": files.wording.model if files.wording else None,
        "guarded-wording": files.attack.model if files.attack else None,
        **{f"demand-{Path(part.summary.name).stem}": part.model for part in files.demand},
    }
    for name, model in models.items():
        if model is not None:
            save_record(folder / name, model)
