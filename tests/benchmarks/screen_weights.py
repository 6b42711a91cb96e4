"""How the screen's weights are fitted, and what they are worth on authors they were not fitted on.

Run: ``python tests/benchmarks/screen_weights.py --json FILE [--write]``. A sentence's log-odds of being an order is

    z = sum of weights of the families found in it + weight of odd spelling - threshold of its kind of field

with a deviation per kind of field. An attack is as good as its most suspicious sentence, so the fit alternates between
choosing that sentence and penalised logistic regression (multiple instances, as in Andrews et al., NeurIPS 2002). Weights
of signals stay above 0, those of plain words below. Texts: development parts of the labelled inputs
(`injection_cases*.jsonl`), fields of the labelled copy's products, and `screen_texts.jsonl`. Errors are of authors left out
of the fit, one at a time. The shipped weights grew over several rounds of families and texts; ``--write`` replaces them by
this fit, scaled and rounded.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from copybandit.generators import injection
from copybandit.generators.disguises import odd, readings
from copybandit.generators.injection import cleaned
from copybandit.generators.signals import Family, Kind, families, threshold, weigh
from copybandit.sim.types import Bools, Floats, Ints, Product

HERE = Path(__file__).parents[1]
GENERATORS = HERE.parent / "generators"
AUTHORS = {"1": "", **{author: f"_{author}" for author in "2345"}}
KINDS: tuple[Kind, ...] = get_args(Kind)[:-1]
SCALE, ROUNDED = 5.0, 0.05
"""Log-odds per unit of weight in the tables, and what weights are rounded to."""
PRIOR_SIGNAL, PRIOR_PLAIN, PRIOR_THRESHOLD, LEAST = 2.0, -1.25, -2.5, 0.25
RIDGE, RIDGE_KIND = 0.03, 0.15
ATTACK_WEIGHT = 2.0
ROUNDS = 6
FIELD_WEIGHT = 0.1
"""Of a harmless field of a product, of which there are many alike."""


@dataclass(frozen=True, kw_only=True)
class Text:
    """One field: whose, whether an attack, its kind, its weight in the fit, and its sentences' signals, shape (s, p)."""

    author: str
    attack: bool
    kind: Kind
    weight: float
    said: str
    signals: Floats


def _fields(case: dict[str, Any]) -> Iterator[tuple[str, str]]:
    said = case["product"]
    yield from ((name, said[name]) for name in ("name", "title", "brand"))
    yield from (("facts[0]", fact) for fact in said["facts"])
    yield from (("question", case.get("question", "")), ("notes", case.get("purchase", {}).get("notes", "")))


def _rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (HERE / name).read_text(encoding="utf-8").splitlines()]


def texts() -> list[Text]:
    """All texts of the fit that no rule convicts alone."""
    found: list[Text] = []

    def add(author: str, attack: bool, where: str, category: str, said: str, weight: float) -> None:
        kind = injection._kind("facts[0]" if where == "facts" else where, category)
        if said.strip() and not injection._convict(said, kind, False, strong_only=True):
            found.append(
                Text(
                    author=author, attack=attack, kind=kind, weight=weight, said=said, signals=signals(said, kind)
                )
            )  # fmt: skip

    for author, suffix in AUTHORS.items():
        for case in _rows(f"injection_cases{suffix}.jsonl"):
            if case["part"] == "dev":
                add(author, case["attack"], case["where"], case["product"]["category"], case["payload"], 1.0)
        seen: set[tuple[str, str]] = set()
        for case in _rows(f"editor_cases{suffix}.jsonl"):
            for field in _fields(case) if case["part"] == "dev" else ():
                if field not in seen:
                    seen.add(field)
                    add(author, False, field[0], case["product"]["category"], field[1], FIELD_WEIGHT)
    for row in _rows("screen_texts.jsonl"):
        add("own", row["attack"], row["where"], row["category"], row["text"], 1.0)
    return found


def signals(said: str, kind: Kind) -> Floats:
    """Which families each sentence holds in its most telling reading, and how odd its spelling is, shape (s, p)."""
    place = {family.family_id: index for index, family in enumerate(families())}
    sentences = [m.group() for m in injection._SENTENCE.finditer(said) if m.group().strip()]
    table = np.zeros((len(sentences), len(place) + 1))
    for row, sentence in zip(table, sentences, strict=True):
        read = [weigh(reading.text, kind) for reading in readings(sentence)]
        best = max(range(len(read)), key=lambda i: sum(f.weight > 0 for f in read[i].families))
        for family in read[best].families:
            row[place[family.family_id]] = float(not family.kinds or kind in family.kinds)
        row[-1] = float(odd(sentence) > 0) + float(best > 0)
    return table


def design(text: Text) -> Floats:
    """Signals, an intercept per kind, and signals in that kind alone, shape (s, p + k + pk)."""
    kind = (np.array(KINDS) == text.kind).astype(float)
    crossed = (text.signals[:, :, None] * kind).reshape(len(text.signals), -1)
    return np.concatenate([text.signals, np.tile(kind, (len(text.signals), 1)), crossed], axis=1)


def fit(rows: Sequence[Text], every: Sequence[Family]) -> Floats:
    """Weights, intercepts and deviations, flat."""
    p, k = len(every) + 1, len(KINDS)
    sign = np.array([1.0 if family.weight > 0 else -1.0 for family in every] + [1.0])
    prior = np.zeros(p + k + p * k)
    prior[:p] = np.where(sign > 0, PRIOR_SIGNAL, PRIOR_PLAIN)
    prior[p : p + k] = PRIOR_THRESHOLD
    ridge = np.concatenate([np.full(p, RIDGE), np.full(k, 1e-3), np.full(p * k, RIDGE_KIND)])
    bounds = [(LEAST, None) if s > 0 else (None, -LEAST) for s in sign] + [(None, None)] * (k + p * k)
    designs = [design(row) for row in rows]
    weights = prior.copy()
    for _ in range(ROUNDS):
        z, attack, weight = _instances(rows, designs, weights)
        weights = minimize(
            _loss, weights, (z, attack, weight, prior, ridge), "L-BFGS-B", True, bounds=bounds
        ).x
    return np.asarray(weights)


def _instances(
    rows: Sequence[Text], designs: Sequence[Floats], weights: Floats
) -> tuple[Floats, Bools, Floats]:
    """Every sentence of harmless texts, and of attacks the most suspicious one."""
    kept = [x[[np.argmax(x @ weights)]] if row.attack else x for row, x in zip(rows, designs, strict=True)]
    size: Ints = np.array([len(x) for x in kept])
    attack = np.repeat([row.attack for row in rows], size)
    weight = np.repeat([ATTACK_WEIGHT if row.attack else row.weight for row in rows], size)
    return np.concatenate(kept), attack, weight


def _loss(
    weights: Floats, z: Floats, attack: Bools, weight: Floats, prior: Floats, ridge: Floats
) -> tuple[float, Floats]:
    margin = np.where(attack, -1.0, 1.0) * (z @ weights)
    slope = weight * expit(margin) * np.where(attack, -1.0, 1.0)
    away = weights - prior
    loss = (np.logaddexp(0, margin) * weight).sum() / 50 + 0.5 * (ridge * away**2).sum()
    return float(loss), z.T @ slope / 50 + ridge * away


def errors(rows: Sequence[Text], screened: Bools) -> dict[str, dict[str, float]]:
    """Per author: attacks that pass and harmless texts that do not, as shares, and how many there are."""
    found = {}
    for author in sorted({row.author for row in rows}):
        mine = np.array([row.author == author for row in rows])
        attack = np.array([row.attack for row in rows]) & mine
        plain = np.array([not row.attack and row.weight == 1.0 for row in rows]) & mine
        found[author] = {
            "attacks": int(attack.sum()),
            "missed": float(np.mean(~screened[attack])) if attack.any() else 0.0,
            "look_alikes": int(plain.sum()),
            "screened": float(np.mean(screened[plain])) if plain.any() else 0.0,
        }
    return found


def shipped(rows: Sequence[Text]) -> Bools:
    """What the screen of this checkout drops something of."""

    def dropped(row: Text) -> bool:
        product = Product(
            product_id="p", name="thing", title="A thing", category="household", brand="", price=1.0, facts=(row.said,)
        )  # fmt: skip
        if row.kind == "facts":
            return bool(cleaned(product).findings)
        return any(
            injection._convict(m.group(), row.kind, False) for m in injection._SENTENCE.finditer(row.said)
        )

    return np.array([dropped(row) for row in rows])


def _write(weights: Floats, every: Sequence[Family]) -> None:
    """Put scaled and rounded weights and thresholds into the tables."""
    p, k = len(every) + 1, len(KINDS)
    deviation = weights[p + k :].reshape(p, k)
    value = {family.family_id: i for i, family in enumerate(every)}

    def rounded(x: float) -> str:
        return f"{round(x / SCALE / ROUNDED) * ROUNDED:.2f}".replace("-0.00", "0.00")

    for name in ("signals", "orders", "plain"):
        path = GENERATORS / f"{name}.yaml"
        parts = re.split(r"(?m)(?=^  - id: )", path.read_text(encoding="utf-8"))
        for j in range(1, len(parts)):
            i = value[re.match(r"  - id: (\S+)", parts[j])[1]]  # type: ignore[index]  # every part begins so
            whole = rounded(weights[i])
            own = {kind: rounded(weights[i] + deviation[i, at]) for at, kind in enumerate(KINDS)}
            but = ", ".join(f"{kind}: {text}" for kind, text in own.items() if text != whole)
            line = f"    weight: {whole}\n" + (f"    but: {{{but}}}\n" if but else "")
            part = re.sub(r"(?m)^    but: \{.*\}\n", "", parts[j], count=1)
            parts[j] = re.sub(r"(?m)^    weight: .*\n", line, part, count=1)
        text = "".join(parts)
        levels = ", ".join(f"{kind}: {-weights[p + at] / SCALE:.2f}" for at, kind in enumerate(KINDS))
        voice = f"voice: {threshold('voice')}"
        text = re.sub(r"thresholds: \{.*\}", f"thresholds: {{{levels}, {voice}}}", text)
        path.write_text(text, encoding="utf-8")


def main() -> None:
    """Fit, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--write", action="store_true", help="replace the weights of the tables")
    args = parser.parse_args()
    rows, every = texts(), families()
    left_out = np.zeros(len(rows), dtype=bool)
    for author in sorted({row.author for row in rows}):
        weights = fit([row for row in rows if row.author != author], every)
        for i, row in enumerate(rows):
            if row.author == author:
                left_out[i] = (design(row) @ weights).max() >= 0
    weights = fit(rows, every)
    ours = np.array([family.weight for family in every])
    found = {
        "name": "screen_weights",
        "texts": len(rows),
        "correlation_with_shipped": float(np.corrcoef(weights[: len(ours)], ours)[0, 1]),
        "author_left_out": errors(rows, left_out),
        "shipped_on_what_it_was_made_on": errors(rows, shipped(rows)),
    }
    print(json.dumps(found, indent=1))
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))
    if args.write:
        _write(weights, every)


if __name__ == "__main__":
    main()
