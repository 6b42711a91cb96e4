"""Speed of the bandit policies, one core: decisions, learned rows and whole cycles per second, memory, error growth, peers.

Run: ``copybandit bench bandit --json FILE [--picture FILE] [--install-peers]``. The usual request has K = 8 candidates of
1,600 variants and d = 16 shared features (intercept, 8 of the variant, 7 products with the context). A cycle at a `Desk`
checks the request, decides, draws, logs it with its whole distribution, and learns; `_calls` is the same by `Batch`,
`action_probs`, `decide` and `update`. Rates are per second of CPU time; ours and the peers' take turns, medians of seven.
Figures with `_numpy` are those without the compiled kernel. Of each peer the fastest of its policies counts, without any
log.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from copybandit.agents import policies
from copybandit.agents.batch import Batch, Learner
from copybandit.agents.decide import decide
from copybandit.agents.desk import Desk
from copybandit.agents.fast import SWITCH, kernel
from copybandit.agents.policy_arrow import REFRESH
from copybandit.evaluation.bench_peers import Runner, measured, package_of, peers_of, why_not
from copybandit.evaluation.cost_chart import CostCurve, cost_chart
from copybandit.sim.types import Floats, Ints

REPEATS = 7
K, PRODUCTS, FEATURES, PAIRS, SIZE = 8, 200, 8, 7, 1024
CLICK = 0.03
CURVES = {"k": (2, 4, 8, 16, 32, 64, 128), "d": (8, 16, 32, 64, 128, 256)}
"""Candidates with 16 features, and features with 8 candidates; batches of 128."""
Rates = dict[str, float]
Run = Callable[[], Rates]


def draw_batch(rng: np.random.Generator, size: int, k: int = K, features: int = FEATURES) -> Batch:
    """Requests of one product each, all its k variants present."""
    m = PRODUCTS * k
    actions = np.random.default_rng(1).normal(size=(m, features))
    actions.flags.writeable = False
    candidates = rng.integers(PRODUCTS, size=size)[:, None] * k + np.arange(k)
    return Batch(
        context=rng.normal(size=(size, PAIRS)),
        actions=actions,
        candidates=candidates.astype(np.int32),
        state=rng.uniform(0.005, 0.03, (size, k, 1)),
        time=np.zeros(size),
    )


def linear(name: str, k: int = K, features: int = FEATURES, pairs: int = PAIRS) -> Learner:
    """LinUCB or LinTS with features + pairs + 1 coefficients."""
    make = policies.LinUCB if name == "linucb" else policies.LinTS
    return make(n_actions=PRODUCTS * k, n_features=features, interactions=tuple((i, i) for i in range(pairs)))


def others() -> dict[str, Callable[[], Learner]]:
    """The policies that are only measured in batches."""
    m, pairs = PRODUCTS * K, tuple((i, i) for i in range(PAIRS))
    shared = {"n_actions": m, "n_features": FEATURES, "interactions": pairs}
    return {
        "uniform": policies.Uniform,
        "prior_greedy": policies.PriorGreedy,
        "explore_then_commit": lambda: policies.ExploreThenCommit(n_actions=m),
        "thompson": lambda: policies.BetaThompson(np.full(m, 0.015)),
        "epsilon_greedy": lambda: policies.EpsilonGreedy(n_actions=m),
        "ucb1": lambda: policies.UCB1(n_actions=m),
        "softmax": lambda: policies.Softmax(**shared),  # type: ignore[arg-type]  # options of several kinds
        "squarecb": lambda: policies.SquareCB(**shared),  # type: ignore[arg-type]
        "logistic_thompson": lambda: policies.LogisticThompson(**shared),  # type: ignore[arg-type]
        "bootstrap_bag": lambda: policies.BootstrapBag(n_actions=m),
    }


def clicks(rng: np.random.Generator, n: int) -> Floats:
    """What is told."""
    return (rng.random(n) < CLICK).astype(float)


def at_a_desk(name: str, rows: int) -> Run:
    """Cycles at a desk."""
    rng = np.random.default_rng(0)
    batch, told = draw_batch(rng, rows), clicks(rng, rows).tolist()
    desk = Desk(linear(name), batch.actions, slots=K, context=PAIRS, rng=rng)
    requests = list(zip(batch.context, batch.candidates, batch.state, told, strict=True))

    def run() -> Rates:
        start = time.process_time()
        for context, candidates, state, reward in requests:
            desk.learn(desk.decide(context, candidates, state).decision, reward)
        return {"cycles_per_s": rows / (time.process_time() - start)}

    return run


def by_calls(name: str, rows: int) -> Run:
    """Cycles of the four calls, one request at a time, its distribution appended to a list."""
    rng, one = np.random.default_rng(0), np.ones(1)
    policy, log = linear(name), list[tuple[Floats, Ints]]()
    batches = [draw_batch(rng, 1) for _ in range(50)] * (rows // 50)
    actions = batches[0].actions

    def run() -> Rates:
        log.clear()
        start = time.process_time()
        for batch in batches:
            asked = replace(batch, actions=actions)
            probs = policy.action_probs(asked, rng)
            column = decide(probs, rng)
            policy.update(asked, column, one * (rng.random() < CLICK), one)
            log.append((probs, column))
        return {"cycles_per_s": len(batches) / (time.process_time() - start)}

    return run


def in_batches(
    policy: Learner, size: int = SIZE, k: int = K, features: int = FEATURES, calls: int = 12
) -> Run:
    """Decisions (checked, scored, drawn) and learned rows."""
    rng = np.random.default_rng(0)
    batches = [draw_batch(rng, size, k, features) for _ in range(2)]
    told, ones = clicks(rng, size), np.ones(size)

    def run() -> Rates:
        deciding = learning = 0.0
        for call in range(calls):
            start = time.process_time()
            batch = replace(batches[call % 2], actions=batches[0].actions)
            column = decide(policy.action_probs(batch, rng), rng)
            middle = time.process_time()
            policy.update(batch, column, told, ones)
            deciding += middle - start
            learning += time.process_time() - middle
        rows = size * calls
        return {"decisions_per_s": rows / deciding, "learned_rows_per_s": rows / max(learning, 1e-9)}

    return run


def our_runs(*, curves: bool, scale: int) -> dict[str, Run]:
    """Everything that is measured of ours, by name; ``scale`` times fewer rows where it is slow."""
    runs: dict[str, Run] = {}
    for name in ("linucb", "lints"):
        runs[f"single_{name}"] = at_a_desk(name, 20_000 // scale)
        runs[f"single_calls_{name}"] = by_calls(name, 5_000 // scale)
        runs[f"batch_{name}"] = in_batches(linear(name))
        runs[f"k200_d64_{name}"] = in_batches(linear(name, 200, 63, 0), 1, 200, 63, calls=400 // scale)
    if not curves:
        return runs
    for name in ("linucb", "lints"):
        for k in CURVES["k"]:
            runs[f"curve_k{k}_{name}"] = in_batches(linear(name, k), 128, k, calls=4)
        for d in CURVES["d"]:
            runs[f"curve_d{d}_{name}"] = in_batches(linear(name, K, d - 1, 0), 128, K, d - 1, calls=4)
    return runs | {f"batch_{name}": in_batches(make(), calls=4) for name, make in others().items()}


def measure(runs: dict[str, Run], runners: list[Runner]) -> tuple[Rates, dict[str, list[Rates]], list[str]]:
    """Medians of ours, answers of peers, and why peers failed; runs take turns, after one of each to warm up."""
    rates: dict[str, list[Rates]] = {name: [] for name in runs}
    answers: dict[str, list[Rates]] = {}
    failed: dict[str, str] = {}
    for turn in range(REPEATS + 1):
        for name, run in runs.items():
            found = run()
            rates[name] += [found] if turn else []
        failed |= measured(runners, turn, answers)
    ours = {
        f"{rate}_{name}": median(one[rate] for one in several)
        for name, several in rates.items()
        for rate in several[0]
    }
    return named(ours), answers, list(failed.values())


def named(found: Rates) -> Rates:
    """The figures under the names by which they are compared."""
    short = {
        "cycles_per_s_single": "cycles_per_s_single_linucb",
        "decisions_per_s_batch": "decisions_per_s_batch_linucb",
        "learned_rows_per_s_batch": "learned_rows_per_s_batch_linucb",
    }
    wide = {
        f"decide_us_k200_d64_{name}": 1e6 / found.pop(f"decisions_per_s_k200_d64_{name}")
        for name in ("linucb", "lints")
    }
    return {**{name: found.pop(long) for name, long in short.items()}, **wide, **found}


def large(m: int = 1_000_000, features: int = 64) -> Rates:
    """Peak memory, in GiB, of a process whose LinTS knows a million variants: five batches decided and learned."""
    rng = np.random.default_rng(0)
    actions = np.empty((m, features))
    for start in range(0, m, 50_000):
        actions[start : start + 50_000] = rng.normal(size=(50_000, features))
    actions.flags.writeable = False
    policy = policies.LinTS(n_actions=m, n_features=features)
    for _ in range(5):
        batch = Batch(
            context=np.zeros((SIZE, 0)),
            actions=actions,
            candidates=(rng.integers(m // K, size=SIZE)[:, None] * K + np.arange(K)).astype(np.int32),
            state=rng.uniform(0.005, 0.03, (SIZE, K, 1)),
            time=np.zeros(SIZE),
        )
        column = decide(policy.action_probs(batch, rng), rng)
        policy.update(batch, column, clicks(rng, SIZE), np.ones(SIZE))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"memory_gib_1m_variants_64_features": peak}


def growth(rows: int = 10_000_000, m: int = 40, block: int = 8_000) -> Rates:
    """Largest error of coefficients and standard deviations against dense normal equations, as rows come in eights."""
    rng = np.random.default_rng(0)
    actions = np.random.default_rng(1).normal(size=(m, 15))
    policy = policies.LinUCB(n_actions=m, n_features=15, ridge=1.0, residual_ridge=1.0)
    design = np.hstack([np.ones((m, 1)), actions, np.eye(m)])
    precision, moment = np.eye(16 + m), np.eye(16 + m)[0]
    marks, found, ones = {8_000, 80_000, 800_000, rows}, Rates(), np.ones(8)
    for done in range(block, rows + 1, block):
        variant, prior = rng.integers(m, size=block), rng.uniform(0.01, 0.05, block)
        reward = clicks(rng, block)
        for at in range(0, block, 8):
            part = slice(at, at + 8)
            batch = Batch.unchecked(
                context=np.zeros((8, 0)),
                actions=actions,
                candidates=variant[part, None].astype(np.int32),
                state=prior[part, None, None],
                time=np.zeros(8),
            )
            policy.update(batch, np.zeros(8, np.int64), reward[part], ones)
        x = design[variant]
        precision += (x * prior[:, None]).T @ x
        moment += reward @ x
        if done in marks:
            found |= _errors(policy, precision, moment, design, done)
    return found


def _errors(policy: policies.LinUCB, precision: Floats, moment: Floats, design: Floats, rows: int) -> Rates:
    """Relative to the largest coefficient, and to each standard deviation."""
    m = len(design)
    solution, covariance = np.linalg.solve(precision, moment), np.linalg.inv(precision)
    both = np.concatenate([policy.theta, policy.residual])
    asked = Batch(
        context=np.zeros((1, 0)),
        actions=design[:, 1:16],
        candidates=np.arange(m, dtype=np.int32)[None],
        state=np.full((1, m, 1), 0.5),
        time=np.zeros(1),
    )
    deviation = 2 * np.sqrt(policy._model.scores(asked).variance()[0])
    exact = np.sqrt(np.einsum("mi,ij,mj->m", design, covariance, design))
    return {
        f"error_coefficients_{rows}_rows": float(np.abs(both - solution).max() / np.abs(solution).max()),
        f"error_deviations_{rows}_rows": float(np.abs(deviation / exact - 1).max()),
    }


PARTS: dict[str, Callable[[], Rates]] = {
    "large": large,
    "growth": growth,
    "numpy": lambda: measure(our_runs(curves=False, scale=10), [])[0],
}


def apart(part: str) -> Rates:
    """A part in a process of its own."""
    environment = os.environ | ({SWITCH: "0"} if part == "numpy" else {})
    command = [sys.executable, __file__, "--part", part]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found: Rates = json.loads(done.stdout)
    return {f"{name}_numpy": value for name, value in found.items()} if part == "numpy" else found


def against_peers(*, curves: bool) -> dict[str, Any]:
    """Ours, the peers that are installed, ratios to the fastest of each, and which were skipped."""
    folder, skipped, runners = Path(__file__).parent, [], []
    for peer in peers_of(folder, "bandit"):
        reason = why_not(peer, "bandit")
        if reason is None:
            runners.append(Runner(peer, "bandit"))
        else:
            skipped.append(f"{peer.name}: {reason}")
    ours, answers, failed = measure(our_runs(curves=curves, scale=1), runners)
    for runner in runners:
        runner.close()
    peers: dict[str, dict[str, Any]] = {}
    ratios: Rates = {}
    for name, several in answers.items():
        rates = {key: median(answer[key] for answer in several) for key in several[0]}
        fastest = max(rates.values())
        peers[name] = {"package": package_of(folder / "peers" / name), "cycles_per_s": fastest, **rates}
        ratios[name] = ours["cycles_per_s_single"] / fastest
        ratios[f"{name}_lints"] = ours["cycles_per_s_single_lints"] / fastest
    return {"ours": ours, "peers": peers, "ratios": ratios, "skipped": skipped + failed}


def cost_curves(ours: Rates) -> list[CostCurve]:
    """What a decision and a learned row cost as candidates or features grow."""
    against = {"k": "candidates (16 features)", "d": "features (8 candidates)"}
    return [
        CostCurve(
            against=against[axis],
            name=name,
            act=act,
            at=np.array(points, dtype=np.float64),
            microseconds=np.array([1e6 / ours[f"{rate}_curve_{axis}{at}_{name}"] for at in points]),
        )
        for axis, points in CURVES.items()
        for name in ("linucb", "lints")
        for act, rate in (("decide", "decisions_per_s"), ("learn", "learned_rows_per_s"))
    ]


def pinned() -> int | None:
    """Keep this process and its children on the last core they may use; None where the system cannot."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    return core


def machine(core: int | None) -> dict[str, Any]:
    """What was measured on."""
    return {
        "processor": platform.machine(),
        "cores": os.cpu_count(),
        "pinned_to_core": core,
        "load_1_minute": os.getloadavg()[0],
        "python": platform.python_version(),
        "numpy": np.__version__,
        "compiled_kernel": kernel() is not None,
        "rows_between_refreshes": REFRESH,
    }


def main() -> None:
    """Measures and writes the record."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="file to write")
    parser.add_argument("--picture", type=Path, help="png of the cost against candidates and features")
    parser.add_argument("--quick", action="store_true", help="no curves, no other policies, no error growth")
    parser.add_argument("--part", choices=PARTS, help="only this part, to standard output")
    arguments = parser.parse_args()
    if arguments.part:
        print(json.dumps(PARTS[arguments.part]()))
        return
    if arguments.json is None:
        parser.error("--json FILE is needed")
    if arguments.picture is not None and arguments.quick:
        parser.error("--picture needs the curves, which --quick leaves out; drop one")
    record = {"name": "bandit", "machine": machine(pinned()), **against_peers(curves=not arguments.quick)}
    for part in ("large", "numpy") if arguments.quick else PARTS:
        record["ours"] |= apart(part)
    arguments.json.write_text(json.dumps(record, indent=2) + "\n")
    if arguments.picture is not None:
        arguments.picture.write_bytes(cost_chart(cost_curves(record["ours"])))
    print(json.dumps({name: record[name] for name in ("ours", "peers", "ratios", "skipped")}, indent=2))


if __name__ == "__main__":
    main()
