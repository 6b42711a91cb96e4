"""Logs that others wrote: VW's dsjson, Open Bandit, and any table by a map of its columns."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from copybandit.agents.policies import LinUCB
from copybandit.agents.policy_files import save_policy
from copybandit.evaluation.ope_asked import asked_of
from copybandit.evaluation.ope_chunk import Chunk
from copybandit.evaluation.ope_estimate import evaluate
from copybandit.evaluation.ope_estimators import DR, IPS, SNIPS
from copybandit.evaluation.ope_judge import NO_MODEL, judge_log
from copybandit.evaluation.ope_propensity import estimate
from copybandit.evaluation.ope_reward_model import FOLDS, fold_of, learn_rewards
from copybandit.evaluation.ope_rows import Rows
from copybandit.evaluation.ope_source import open_log
from copybandit.evaluation.ope_target import target_of
from copybandit.evaluation.ope_verdict import Line, Verdict
from copybandit.evaluation.open_bandit_learning import requests
from copybandit.evaluation.progress import Silent
from copybandit.sim.open_bandit import load_open_bandit
from copybandit.sim.types import DataError, Floats, Ints
from tests.slices import write_open_bandit

N, K = 6_000, 3


def verdict(
    log: Path, policy: str | None, names: tuple[str, ...] = (), columns: str | None = None
) -> Verdict:
    source = open_log(log, columns, np.random.default_rng(0))
    return judge_log(source, target_of(policy, source), asked_of(names), seed=0, progress=Silent())


def refused(log: Path, policy: str | None = "uniform", columns: str | None = None) -> str:
    with pytest.raises(DataError) as caught:
        verdict(log, policy, ("ips",), columns)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def line(told: Verdict, name: str) -> Line:
    return next(one for one in told.lines if one.estimator == name)


def decisions(seed: int = 0) -> tuple[Floats, Ints, Floats, Floats]:
    """Context in [-1, 1], actions of a logistic policy on it, their distribution, and clicks that both move."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, N)
    score = np.stack([np.zeros(N), 1.2 * x, -0.8 * x], axis=1)
    probs = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    action = (rng.random(N)[:, None] > probs.cumsum(axis=1)[:, :-1]).sum(axis=1)
    click = (rng.random(N) < rate(x)[np.arange(N), action]).astype(np.float64)
    return x, action, probs, click


def rate(x: Floats) -> Floats:
    """Click rate of each action, (n, 3)."""
    return np.stack([0.2 + 0 * x, 0.3 + 0.2 * x, 0.25 - 0.1 * x], axis=1)


def dsjson(path: Path, more: tuple[dict[str, Any], ...] = ()) -> tuple[Ints, Floats, Floats]:
    _, action, probs, click = decisions()
    with path.open("w") as file:
        for a, p, r in zip(action.tolist(), probs.tolist(), click.tolist(), strict=True):
            order = [a, *(i for i in range(K) if i != a)]
            told = {"_label_cost": -r, "_label_probability": p[a], "_label_Action": a + 1, "_labelIndex": a,
                    "a": [i + 1 for i in order], "p": [p[i] for i in order], "c": {"x": 1}, "pdrop": 0.25}  # fmt: skip
            file.write(json.dumps(told) + "\n")
        file.writelines(json.dumps(one) + "\n" for one in more)
    return action, probs, click


def test_dsjson_says_what_the_same_rows_say(tmp_path: Path) -> None:
    path = tmp_path / "log.dsjson"
    skipped = {
        "_label_cost": -1,
        "_label_probability": 1,
        "_label_Action": 1,
        "a": [1],
        "p": [1.0],
        "_skipLearn": True,
    }
    action, probs, click = dsjson(path, (skipped, {"RewardValue": 1.0, "EventId": "7"}))
    told = verdict(path, "uniform")
    rows = np.arange(N)
    same = Rows(reward=click, propensity=probs[rows, action], target_prob=np.full(N, 1 / K))
    for found, name in zip(evaluate(same, [IPS, SNIPS]), ("ips", "snips"), strict=True):
        mine = line(told, name).estimate
        assert mine is not None
        assert (mine.value, mine.std_err, mine.ess) == pytest.approx((found.value, found.std_err, found.ess))
    x, *_ = decisions()
    dr, truth = line(told, "dr").estimate, float(rate(x).mean())
    assert dr is not None and abs(dr.value - truth) < 3 * dr.std_err
    assert [(one.why, one.rows) for one in told.left_out] == [("not activated", 1), ("without a decision", 1)]
    assert "needs what the policy knew" in refused(path, "prior_greedy")


GOOD = {"_label_cost": 0, "_label_probability": 0.5, "_label_Action": 2, "a": [2, 1], "p": [0.5, 0.5]}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"p": [0.5]}, "fit together"),
        ({"a": [1, 2]}, "label 2 at 0.5"),
        ({"_label_probability": 0.4}, "label 2 at 0.4"),
        ({"a": [2, 2]}, "fit together"),
        ({"a": "21"}, "fit together"),
        ({"p": [0.0, 1.0], "_label_probability": 0}, "probability 0.0"),
        ({"_label_cost": "x"}, "fit together"),
        ({"_outcomes": []}, "must choose one action a line, got slots"),
        ({"p": [0.5, 0.2]}, "action_probs must sum to 1, got 0.7"),
        ({"pdrop": 0.5}, "pdrop must be the same everywhere, got [0.0, 0.5]"),
    ],
)
def test_a_dsjson_line_that_cannot_be_used_is_named(
    tmp_path: Path, wrong: dict[str, Any], words: str
) -> None:
    path = tmp_path / "log.dsjson"
    path.write_text(json.dumps(GOOD) + "\n" + json.dumps({**GOOD, **wrong}) + "\n")
    message = refused(path)
    assert words in message and message.startswith(str(path))


def test_a_dsjson_file_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.dsjson"
    for content, words in (
        ("{", "must be one JSON object a line"),
        ("", "must hold a decision"),
        ("[]\n", "must hold a"),
    ):
        path.write_text(content)
        assert words in refused(path)


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_a_table_says_what_its_rows_say(tmp_path: Path, suffix: str) -> None:
    x, action, probs, click = decisions()
    rows = np.arange(N)
    q, v = rate(x)[rows, action], rate(x).mean(axis=1)
    frame = pd.DataFrame(
        {
            "note": ["a,b"] * N,
            "clicked": click,
            "p": probs[rows, action],
            "t": 1 / K,
            "q": q,
            "v": v,
            "who": rows // 2,
        }
    )
    path = tmp_path / f"log{suffix}"
    if suffix == ".parquet":
        frame.to_parquet(path)
    else:
        text = frame.to_csv(index=False).encode("utf-8-sig")
        path.write_bytes(gzip.compress(text) if suffix == ".csv.gz" else text)
    columns = "reward=clicked, propensity=p, target=t, component=who"
    same = Rows(reward=click, propensity=probs[rows, action], target_prob=np.full(N, 1 / K), q=q, v=v)
    told = verdict(path, None, columns=columns + ",q=q,v=v")
    for found, name in zip(evaluate(same, [IPS, SNIPS, DR]), ("ips", "snips", "dr"), strict=True):
        mine = line(told, name).estimate
        assert mine is not None and (mine.value, mine.std_err) == pytest.approx((found.value, found.std_err))
    bare = verdict(path, None, columns=columns)
    assert line(bare, "dr").refused == NO_MODEL and line(bare, "ips").estimate is not None
    assert "--policy must not be given" in refused(path, "uniform", columns)
    assert "must have a column nope, got note, clicked" in refused(
        path, None, "reward=nope,propensity=p,target=t"
    )
    words = refused(path, None, "reward=note,propensity=p,target=t")
    assert ("note must be a number" if suffix == ".parquet" else "invalid value 'a,b'") in words
    if suffix == ".csv":
        assert "name the columns of a table by --columns" in refused(path)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ("reward=a", "must name a column for target"),
        ("target=a,propensity=p", "must name a column for reward"),
        ("reward=a,target=b", "must name propensity, or action to estimate it from"),
        ("reward=a,reward=b,target=c", "each of reward, target"),
        ("reward", "got 'reward'"),
        ("prize=a", "got 'prize=a'"),
    ],
)
def test_a_map_of_columns_that_says_too_little_is_refused(tmp_path: Path, columns: str, words: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text("a,b\n1,2\n")
    assert words in refused(path, None, columns)


def test_values_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    path, columns = tmp_path / "log.csv", "reward=r,propensity=p,target=t"
    for row, words in (
        ("1,0,0.5", "propensity must be in (0, 1], got 0.0"),
        ("1,0.5,1.5", "target_prob must be in [0, 1], got 0.5 to 1.5"),
        ("1,,0.5", "p must be a finite number in every row"),
        ("1,0.5", "must be a csv or Parquet table"),
    ):
        path.write_text(f"r,p,t\n1,0.5,0.5\n{row}\n")
        assert words in refused(path, None, columns)


def logged_without(path: Path, x: Floats, action: Ints, click: Floats) -> None:
    target = np.where(action == 1, 0.6, 0.2)
    pd.DataFrame({"r": click, "a": action, "x": x, "t": target}).to_csv(path, index=False)


def test_estimated_propensities_find_the_truth_and_say_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    x, action, _, click = decisions()
    logged_without(path, x, action, click)
    told = verdict(path, None, ("ips", "snips"), "reward=r,target=t,action=a,context=x")
    truth = float((rate(x) * [0.2, 0.6, 0.2]).sum(axis=1).mean())
    for one in told.lines:
        assert one.estimate is not None and abs(one.estimate.value - truth) < 3 * one.estimate.std_err
        assert [finding.gate for finding in one.estimate.findings] == ["estimated"]
    assert "propensities are estimated, since the table has none" in told.notes


@pytest.mark.parametrize("shape", ["up and down", "both ends"])
def test_estimated_propensities_that_do_not_balance_are_refused(tmp_path: Path, shape: str) -> None:
    """Chances that rise and fall with x, which no logistic model of x has."""
    path, rng = tmp_path / "log.csv", np.random.default_rng(0)
    x = rng.exponential(1, N) if shape == "up and down" else rng.uniform(-1, 1, N)
    often = np.where(x < 1, 0.05, np.where(x < 3, 0.9, 0.1)) if shape == "up and down" else 0.1 + 0.7 * x**2
    action = (rng.random(N) < often).astype(np.int64)
    logged_without(path, x, action, np.ones(N))
    (one,) = verdict(path, None, ("ips",), "reward=r,target=t,action=a,context=x").lines
    assert "estimated propensities must balance what was known" in one.refused


def test_rare_actions_have_no_propensity() -> None:
    action = np.zeros(200, dtype=np.int64)
    with pytest.raises(DataError, match="must each have 20 rows in each half"):
        estimate(np.empty((200, 0)), action, np.arange(200) % 2)
    action[:30] = 1
    with pytest.raises(DataError, match="got 2 actions and 15 rows"):
        estimate(np.empty((200, 0)), action, np.arange(200) % 2)
    action[:50] = 1
    made = estimate(np.empty((200, 0)), action, np.arange(200) % 2)
    p = made.of(np.empty((200, 0)), action, np.arange(200) % 2)
    np.testing.assert_allclose(p, np.where(action == 1, 0.25, 0.75), atol=0.01)
    with pytest.raises(DataError, match="must be among those learned, got 7"):
        made.of(np.empty((1, 0)), np.array([7]), np.array([0]))


def test_open_bandit_is_read_from_its_folder_and_csv(tmp_path: Path) -> None:
    root = write_open_bandit(tmp_path, n_rounds=4_000, seed=0)
    campaign = root / "bts" / "men"
    told = verdict(campaign, "uniform", ("ips", "snips", "dr"))
    raw = pd.read_csv(campaign / "men.csv")
    weight = 1 / 12 / raw["propensity_score"].to_numpy()
    shape = line(told, "ips").estimate
    assert shape is not None and told.rows == 4_000
    assert shape.ess == pytest.approx(weight.sum() ** 2 / np.square(weight).sum())
    csv = verdict(campaign / "men.csv", "uniform", ("ips", "snips", "dr"))
    assert csv.figures() == told.figures()
    source = open_log(campaign, None, np.random.default_rng(0))
    target = replace(target_of("uniform", source), featureless=False)
    whole = judge_log(source, target, asked_of(("ips", "snips", "dr")), seed=0, progress=Silent())
    assert whole.figures() == told.figures()
    assert "needs what the policy knew" in refused(campaign, "prior_greedy")


def test_a_policy_of_the_same_coding_is_asked_about_a_campaign(tmp_path: Path) -> None:
    root = write_open_bandit(tmp_path, n_rounds=2_000, seed=1)
    log = load_open_bandit(root / "random" / "men")
    asked = requests(log, 0.03)
    p, q = asked.context.shape[1], asked.actions.shape[1]
    policy = LinUCB(n_actions=12, n_features=q, n_context=p, ridge=10.0, epsilon=0.5)
    policy.update(asked, log.item_id, log.click, np.ones(len(log)))
    save_policy(policy, tmp_path / "kept", rows=2_000, created=datetime(2026, 1, 1, tzinfo=UTC))
    source = open_log(root / "bts" / "men", None, np.random.default_rng(0))
    target = target_of(str(tmp_path / "kept"), source)
    (chunk,) = source.chunks()
    weight = (
        target.probs(chunk, np.random.default_rng(0), "here")[np.arange(2_000), chunk.item] / chunk.propensity
    )
    (one,) = judge_log(source, target, asked_of(("ips",)), seed=0, progress=Silent()).lines
    assert one.estimate is not None
    assert one.estimate.ess == pytest.approx(weight.sum() ** 2 / np.square(weight).sum())
    assert one.estimate.max_weight == weight.max()
    assert (np.abs(weight * chunk.propensity - 1 / 12) > 0.01).any(), "it chooses"


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("click", 2, "row 4: click must be 0 or 1, got 2.0"),
        ("item_id", 12, "row 4: item_id must be 0 to 11, got 12"),
        ("propensity_score", 0, "row 4: propensity_score must be in (0, 1], got 0.0"),
        ("propensity_score", "", "propensity_score must be there in every row"),
        ("item_id", "x", "must be a campaign's csv"),
    ],
)
def test_a_campaign_with_a_wrong_value_is_refused(
    tmp_path: Path, column: str, value: int | str, words: str
) -> None:
    csv = write_open_bandit(tmp_path, n_rounds=50, seed=0) / "random" / "men" / "men.csv"
    raw = pd.read_csv(csv, index_col=0).astype({column: object})
    raw.loc[2, column] = value
    raw.to_csv(csv)
    assert words in refused(csv.parent)


def test_the_real_random_log_of_open_bandit(data_dir: Path) -> None:
    told = verdict(data_dir / "open_bandit" / "random" / "men", "uniform", ("ips",))
    raw = pd.read_csv(data_dir / "open_bandit" / "random" / "men" / "men.csv")
    assert told.rows == len(raw) and told.logged.value == pytest.approx(raw["click"].mean())
    (one,) = told.lines
    assert one.estimate is not None and one.estimate.ess == pytest.approx(len(raw))
    assert "effective rewards must be at least 100, got 46.0" in one.refused


def test_no_row_is_in_its_own_model(tmp_path: Path) -> None:
    path = tmp_path / "log.dsjson"
    dsjson(path)
    chunks = list(open_log(path, None, np.random.default_rng(0)).chunks())
    model = learn_rewards(chunks, warm=False)
    assert model is not None
    (chunk,) = chunks
    fold = fold_of(chunk.component)
    assert set(fold.tolist()) == set(range(FOLDS))
    mine = fold == 2
    other = Chunk(**{**vars(chunk), "reward": np.where(mine, 1 - chunk.reward, chunk.reward)})
    again = learn_rewards([other], warm=False)
    assert again is not None
    np.testing.assert_array_equal(model.q(chunk)[mine], again.q(chunk)[mine])
    assert (model.q(chunk)[~mine] != again.q(chunk)[~mine]).all()
