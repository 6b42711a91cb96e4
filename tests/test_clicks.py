"""The real-click test: ledes, the desk, the reward, the judge by known truths, and the whole way on a small writer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from copybandit.agents.ppo import PPOSettings
from copybandit.agents.sft import SFTSettings
from copybandit.evaluation.clicks_data import LEDE_TOKENS, News, lede_prompt, news_of, split_news
from copybandit.evaluation.clicks_gold import GoldHeadlines
from copybandit.evaluation.clicks_judge import agreement, click_test
from copybandit.evaluation.clicks_page import page
from copybandit.evaluation.clicks_report import judge
from copybandit.evaluation.clicks_reward import REFUSED, HeadlineModel, HeadlineReward, fit_headlines
from copybandit.evaluation.clicks_rules import NewsDesk
from copybandit.evaluation.clicks_tune import teach, tune
from copybandit.evaluation.fit_wording import NONE
from copybandit.generators.lm import CausalLM
from copybandit.generators.lm_card import WriterCard
from copybandit.sim.split import check_disjoint
from copybandit.sim.types import DataError, Floats
from copybandit.sim.upworthy import AbTests, load_ab_tests
from tests.slices import style_score, write_upworthy
from tests.tiny_lm import tiny_model, tiny_tokenizer


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> AbTests:
    return load_ab_tests(write_upworthy(tmp_path_factory.mktemp("ab") / "ab.csv", n_tests=300))


@pytest.fixture(scope="module")
def news(archive: AbTests) -> dict[str, News]:
    return split_news(archive, tiny_tokenizer(), 0)


@pytest.fixture(scope="module")
def model(news: dict[str, News]) -> HeadlineModel:
    return fit_headlines(news["fit"], 0, NONE, rounds=1)


def few(rate: dict[str, tuple[int, ...]]) -> News:
    """Groups of headlines with so many clicks of 1000 impressions each."""
    clicks = np.array([count for row in rate.values() for count in row])
    size = [len(row) for row in rate.values()]
    test = np.repeat(np.arange(len(size)), size)
    tests = AbTests(
        text=tuple(f"headline {i}" for i in range(len(clicks))),
        test=test,
        image=test,
        impressions=np.full(len(clicks), 1000),
        clicks=clicks,
        week=np.zeros(len(clicks), np.int64),
    )
    return news_of(tests, [f"{name} >" for name in np.repeat(list(rate), size)], test)


def test_parts_share_no_headline_and_ask_one_lede_per_test(archive: AbTests, news: dict[str, News]) -> None:
    check_disjoint(news["fit"].tests.text, news["judge"].tests.text, what="headline")
    assert sum(len(part.tests) for part in news.values()) == len(archive)
    for part in news.values():
        for test in np.unique(part.tests.test).tolist():
            assert len(set(part.cell[part.tests.test == test].tolist())) == 1
        assert all(prompt.endswith(" >") and "<p>" not in prompt for prompt in part.prompts)


def test_a_lede_is_cut_at_whole_words() -> None:
    tokenizer = tiny_tokenizer()
    long = " ".join(f"word{i}" for i in range(99))
    cut = lede_prompt(long, tokenizer).removesuffix(" >")
    assert len(tokenizer(cut, add_special_tokens=False)["input_ids"]) <= LEDE_TOKENS
    assert long.startswith(cut + " ")
    assert lede_prompt("short | and > odd", tokenizer) == "short / and odd >"
    assert lede_prompt("", tokenizer) == "- >"


def test_an_archive_without_ledes_is_refused(archive: AbTests) -> None:
    with pytest.raises(DataError, match="must have the column lede"):
        split_news(replace(archive, lede=()), tiny_tokenizer(), 0)


def test_the_desk_refuses_and_flags() -> None:
    learned = [f"Watch {who} change the way we think about clean water." for who in ("a nurse", "a poet")]
    desk = NewsDesk.of(learned)
    assert desk.refusals(learned[0]) == ()
    assert "too-short" in desk.refusals("Watch.")
    assert "too-long" in desk.refusals(learned[0] * 3)
    assert "repeats" in desk.refusals("Watch watch watch a nurse change the way we think about it.")
    assert "abusive" in desk.refusals("Watch a fucking nurse change the way we think about water.")
    wide = NewsDesk(shortest=10, longest=99, learned=tuple(learned))
    assert wide.refusals("A nurse who was raped speaks of a suicide.") == ()
    texts = [learned[1].lower(), "Something else entirely happened in a small town."]
    assert desk.copied(texts).tolist() == [1.0, 0.0]
    assert desk.likeness(learned).min() == pytest.approx(1.0)


def test_picks_and_pairs_are_counted_by_hand() -> None:
    part = few({"a": (10, 30), "b": (20, 20, 40)})
    right = click_test(np.array([[0.0, 1.0, 0.0, 0.1, 1.0]]), part, 50, np.random.default_rng(0))
    assert right.n_pairs == 4 and right.n_groups == 2
    assert right.accuracy.value == pytest.approx((1 + 1 + 1 + 0.5) / 4)
    assert right.pick_lift.value == pytest.approx((30 * 2 + 40 * 3) / (20 * 2 + 80 / 3 * 3) - 1)
    wrong = click_test(np.array([[1.0, 0.0, 1.0, 0.0, 0.0]]), part, 50, np.random.default_rng(0))
    assert wrong.accuracy.value == pytest.approx((0.5 + 0.5) / 4) and not wrong.passed  # two ties


def test_a_score_that_knows_nothing_picks_like_chance_whatever_the_order() -> None:
    """Two headlines that tie count half each; a component without a pair that can be compared counts all the same."""
    part = few({"a": (10, 30), "b": (40, 20)})
    tied = click_test(np.zeros((2, 4)), part, 50, np.random.default_rng(0))
    assert tied.pick_lift.value == tied.pick_lift.ci_low == tied.pick_lift.ci_high == 0
    assert tied.accuracy.value == 0.5 and tied.by_seed == ((0.5, 0.5, 0.0),) * 2
    same = replace(part.tests, text=("one", "two", "same", "same"))
    alone = news_of(same, part.asked(), part.component)
    assert len(alone.pairs) == 1
    first = click_test(np.array([[0.0, 1.0, 1.0, 0.0]]), alone, 50, np.random.default_rng(0))
    assert first.n_groups == 2 and first.pick_lift.value == pytest.approx(
        (30 * 2 + 40 * 2) / (20 * 2 + 30 * 2) - 1
    )
    assert first.by_seed[0][2] == pytest.approx(first.pick_lift.value)


def test_the_truth_passes_and_chance_does_not(archive: AbTests, news: dict[str, News]) -> None:
    part, rng = news["judge"], np.random.default_rng(1)
    truth: Floats = style_score(list(part.tests.text))
    told = click_test(np.tile(truth, (3, 1)), part, 500, rng)
    assert told.passed and told.accuracy_clear.value > told.accuracy.value > 0.6
    noise = click_test(rng.standard_normal((5, len(part.tests))), part, 500, rng)
    assert noise.accuracy.ci_low < 0.5 < noise.accuracy.ci_high and not noise.passed
    assert agreement(truth, part) > 0.3 > abs(agreement(rng.standard_normal(len(truth)), part))


def test_the_second_model_scores_a_lede_by_clicks_of_others(news: dict[str, News]) -> None:
    part = news["judge"]
    gold = GoldHeadlines.fit(part, np.random.default_rng(0))
    score = gold.score(part.tests.text, part.component)
    assert click_test(score[None], part, 200, np.random.default_rng(0)).accuracy.ci_low > 0.5
    even = part.component % 2 == 0
    changed = replace(part, tests=replace(part.tests, clicks=np.where(even, 0, part.tests.clicks)))
    other = GoldHeadlines.fit(changed, np.random.default_rng(0)).score(part.tests.text, part.component)
    np.testing.assert_array_equal(score[even], other[even])
    assert (score[~even] != other[~even]).any()


def test_the_reward_is_relative_and_vetoes(news: dict[str, News], model: HeadlineModel) -> None:
    part = news["select"]
    reward = HeadlineReward(model, part, NewsDesk.of(news["fit"].tests.text))
    index, texts = part.cell, list(part.tests.text)
    found = reward(index, texts)
    parts = dict(found.components)
    mean = np.bincount(index, parts["wording"]) / np.bincount(index)
    np.testing.assert_allclose(mean, 0, atol=1e-9)
    assert parts["refused"].mean() < 0.05
    assert (found.total <= parts["wording"] - REFUSED * parts["refused"] + 1e-12).all()
    assert click_test(parts["wording"][None], part, 200, np.random.default_rng(0)).accuracy.value > 0.55
    spam = dict(reward(index[:1], ["spam spam spam spam"]).components)
    assert spam["refused"].tolist() == [1.0]


def test_a_kept_model_is_the_same_model(model: HeadlineModel, news: dict[str, News], tmp_path: Path) -> None:
    model.save(tmp_path / "reward")
    again = HeadlineModel.load(tmp_path / "reward")
    assert again.fitted_to == news["fit"].digest
    texts = list(news["judge"].tests.text[:9])
    np.testing.assert_array_equal(again.wording.members(texts), model.wording.members(texts))


def small_writer(archive: AbTests) -> CausalLM:
    """A small model that knows no word yet, and a tokenizer made for the archive."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<pad>", "<eos>"], show_progress=False, min_frequency=1
    )
    bpe.train_from_iterator(
        [f"{lede} > {text}" for lede, text in zip(archive.lede, archive.text, strict=True)], trainer
    )
    tokenizer = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # not annotated by transformers
        tokenizer_object=bpe, pad_token="<pad>", eos_token="<eos>"
    )
    model = tiny_model(len(tokenizer), hidden=96, layers=2)
    return CausalLM(
        model=model,
        tokenizer=tokenizer,
        card=WriterCard(generator_id="small", max_new_tokens=28),
        batch_size=128,
    )


def test_tuning_makes_a_writer_prefer_what_people_clicked(archive: AbTests, tmp_path: Path) -> None:
    """The whole way where style decides clicks: SFT prefers nothing of the kind, the tuned writer passes the gate."""
    writer = small_writer(archive)
    news = split_news(archive, writer.tokenizer, 0)
    desk, model = NewsDesk.of(news["fit"].tests.text), fit_headlines(news["fit"], 0, NONE, rounds=0)
    reward, judged = (HeadlineReward(model, news[name], desk) for name in ("fit", "judge"))
    settings = SFTSettings(epochs=6, learning_rate=3e-3)
    sft = teach(writer, news["fit"], settings, 0, tmp_path / "sft").writer
    ppo = PPOSettings(
        episodes=640,
        batch_size=64,
        learning_rate=1e-3,
        reference_samples=128,
        checkpoint_every=4,
        ppo_epochs=1,
    )
    tuned = [
        tune(sft, news["fit"], news["select"], reward, ppo, seed, tmp_path / str(seed), lambda _: True)
        for seed in (0, 1)
    ]
    assert [step.update for step in tuned[0].steps] == [4, 8, 10]
    assert tuned[0].chosen in tuned[0].steps and not (tmp_path / "0").exists()
    report, pairs = judge(sft, tuned, news["judge"], judged, 300, 0)
    assert report.headline.passed and not report.sft.passed
    assert report.reward_mean.accuracy.value > report.headline.accuracy.value
    assert report.after.wording > report.before.wording and report.gold_lift.ci_low > 0
    assert len(report.headline.by_seed) == len(report.kl) == 2 and len(pairs) == 30
    text = page(report, pairs, writer="small", seeds=(0, 1), part="judge")
    assert text.count("### ") == 30 and "Upworthy Research Archive" in text and "**passed**" in text
