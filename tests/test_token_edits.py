"""Edits as tags: exact inverse of the alignment, what no edit may touch, and what the shipped token editor does."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from copybandit.agents.copy_slips import SLIPS, with_slips
from copybandit.agents.slip_page import Page
from copybandit.agents.token_corpus import grammar_texts, slipped, word_list
from copybandit.agents.token_editor import TokenEditorSettings, lesson, pretrain
from copybandit.agents.token_sources import Sources, gather, texts_of
from copybandit.agents.token_thresholds import Offers, chosen, false_edits, offers
from copybandit.agents.word_frequencies import frequent_words
from copybandit.generators.editor import Editor, EditorSettings
from copybandit.generators.repairs import Edit
from copybandit.generators.token_editor import FILES, from_bytes, shipped
from copybandit.generators.token_edits import KEEP, OPS, Tag, apply, joined, tag_named, tags, tokens
from copybandit.generators.token_kinds import EDIT_KINDS
from copybandit.generators.token_labels import Labels, commonest
from copybandit.generators.token_words import FIXED, FUNCTION, WordList, allowed, held, product_words
from copybandit.sim.types import Brief, DataError, Product

MUG = Product(
    product_id="m", name="ceramic mug", title="Stoneware mug, 350 ml", category="kitchen", brand="Nine Elms", price=8.5,
    facts=("blue", "stackable", "holds 350 ml", "dishwasher safe"),
)  # fmt: skip
BRIEF = Brief(product=MUG, content_type="reason")
NEURAL = Editor(settings=EditorSettings(token_edits=True))
WORDS = "a an the The mug mugs Mug MUG orange , . ! 1.5 it's its ' shelf shelves of and s _ ß".split()
copies = st.lists(st.tuples(st.sampled_from([" ", " ", "", "\n"]), st.sampled_from(WORDS)), max_size=10).map(
    lambda parts: "".join(gap + word for gap, word in parts).strip()
)
texts = st.one_of(copies, st.text(max_size=12).map(str.strip))


@given(texts, texts)
@settings(max_examples=400)
def test_applying_the_tags_of_two_texts_makes_the_second_of_the_first(source: str, target: str) -> None:
    made = tags(source, target)
    assert len(made) == len(tokens(source))
    assert apply(tokens(source), made) == target
    assert (set(made) <= {KEEP}) == (source == target) or apply(tokens(source), made) == source


@given(texts)
def test_tokens_hold_every_character(text: str) -> None:
    assert joined(tokens(text)) == text


@pytest.mark.parametrize(
    ("source", "target", "names"),
    [
        ("a orange mug", "an orange mug", ["article"]),
        ("Mugs that is blue", "Mugs that are blue", ["replace:are"]),
        ("A nib and and one", "A nib and one", ["delete"]),
        ("made Germany", "made in Germany", ["append: in"]),
        ("a kitch en mug", "a kitchen mug", ["join"]),
        ("inthe cup", "in the cup", ["split:2"]),
        ("blue , warm", "blue, warm", ["join"]),
        ("blue ,warm", "blue, warm", ["join", "space"]),
        ("two mug", "two mugs", ["plural"]),
        ("one shelves", "one shelf", ["singular"]),
        ("i like", "I like", ["title"]),
        ("mug", "The mug", ["append: The"]),
    ],
)
def test_the_cheapest_tags_are_those_one_would_name(source: str, target: str, names: list[str]) -> None:
    assert [str(tag) for tag in tags(source, target) if tag != KEEP] == names


def test_a_tag_is_named_and_read_back_and_checks_itself() -> None:
    for op in OPS:
        tag = Tag(op=op, word=" the" if op in ("replace", "write", "append", "split") else "")
        assert tag_named(str(tag)) == tag
    with pytest.raises(DataError, match="unknown edit 'swap'; choose from keep"):
        tag_named("swap:2")
    with pytest.raises(DataError, match="need a word and no other op has one, got ''"):
        Tag(op="append")
    with pytest.raises(DataError, match="must have no outer spaces"):
        tags(" mug", "mug")


KNOWN = WordList(("the", "a", "in", "mug", "kitchen", "kettle", "for", "and"))


def test_words_of_the_product_numbers_and_negations_are_held() -> None:
    source = tokens("The blue mug by Nine Elms holds 350 ml and is not the cheapest for $8.50")
    stays = held(BRIEF, source)
    assert {t.word for t, stay in zip(source, stays, strict=True) if stay} == {
        "", "blue", "mug", "Nine", "Elms", "holds", "350", "ml", "not", "$", "8.50",
    }  # fmt: skip


@given(
    copies,
    st.sampled_from([*map(tag_named, ("delete", "article", "plural", "singular", "upper", "replace:of"))]),
)
@settings(max_examples=300)
def test_no_lawful_tag_takes_a_held_word_away(text: str, tag: Tag) -> None:
    brief = replace(BRIEF, product=replace(MUG, name="orange shelf mug"))
    source = tokens(text)
    stays = held(brief, source)
    for place in range(len(source)):
        if allowed(tag, source, place, stays, KNOWN):
            row = [tag if i == place else KEEP for i in range(len(source))]
            after = {token.word.lower() for token in tokens(apply(source, row))}
            assert {t.word.lower() for t, stay in zip(source, stays, strict=True) if stay} <= after | {""}


def test_content_may_not_come_go_or_turn_into_something_else() -> None:
    source = tokens("A warm sturdy cup and no cup like it")
    stays = held(BRIEF, source)

    def lawful(name: str, word: str) -> bool:
        place = next(i for i, token in enumerate(source) if token.word == word)
        return allowed(tag_named(name), source, place, stays, KNOWN)

    assert lawful("append: the", "warm") and lawful("delete", "and") and lawful("replace:the", "A")
    assert not lawful("replace:an", "A")  # warm
    assert lawful("replace:worm", "warm")  # two slips of the keys apart
    for name, word in [("delete", "sturdy"), ("append: cheap", "warm"), ("append: not", "warm"), ("delete", "no"),
                       ("replace:the", "sturdy"), ("replace:weak", "sturdy"), ("replace:any", "no")]:  # fmt: skip
        assert not lawful(name, word), (name, word)
    assert not {"not", "never", "without", "two"} & (FUNCTION - FIXED)


@pytest.mark.parametrize(
    ("text", "name", "word", "right"),
    [
        ("It is a orange mug", "article", "a", True), ("It is a useful mug", "article", "a", False),
        ("It is an useful mug", "article", "an", True), ("It is an hour away", "article", "an", False),
        ("It is an hour away", "replace:and", "an", False), ("Best at 90 degrees", "replace:a", "at", False),
        ("It is inthe box", "split:2", "inthe", True), ("It has gameplay modes", "split:4", "gameplay", False),
    ],
)  # fmt: skip
def test_articles_fit_what_follows_and_compounds_stay(text: str, name: str, word: str, right: bool) -> None:
    source = tokens(text)
    place = [token.word for token in source].index(word)
    assert allowed(tag_named(name), source, place, held(BRIEF, source), KNOWN) == right


def test_spelling_and_parting_look_words_up() -> None:
    assert KNOWN.spell("Ketlte") == "Kettle" and KNOWN.spell("mug") == "" and KNOWN.spell("xylophone") == ""
    assert KNOWN.spell("ceramc", frozenset({"ceramic"})) == "ceramic"
    assert KNOWN.part("inthe") == 2 and KNOWN.part("kitchen") == 0
    labels = commonest(
        [
            (tag, token, frozenset())
            for tag, token in zip(tags("teh mg", "the mug"), tokens("teh mg"), strict=True)
        ],
        KNOWN,
        least=1,
    )
    assert labels.names == ("keep", "spell", "part", "replace:mug")  # `mg` is too short to look up
    with pytest.raises(DataError, match="labels must begin with keep, spell, part"):
        Labels(("keep",), KNOWN)


def test_rare_words_are_known_but_never_put_for_others() -> None:
    some = WordList(("the", "jobs", "hobs"), usual=2)
    assert some.knows("hobs") and some.spell("hobs") == "" and some.spell("yobs") == "jobs"
    labels = Labels(("keep", "spell", "part"), some)
    looked = [
        labels.looked_up(token, frozenset({"zif"})) for token in tokens("The hobs yobs thejobs zif qqq 4")
    ]
    assert looked == [0, 0, 0, 2, 3, 0, 1, 0]


def test_the_list_of_common_words_is_read_where_it_is_installed() -> None:
    words = frequent_words()
    assert len(words) > 80_000 and words[:2] == ("the", "of") and "lambswool" in words
    known = word_list([], words)
    assert known.spell("kettel") == "kettle" and known.knows("lambswool") and "lambswool" not in known.common


def test_words_are_hidden_from_a_lesson_and_how_they_look_is_not() -> None:
    clean = grammar_texts(1, np.random.default_rng(1))[0]
    pair, labels = slipped(clean, np.random.default_rng(3), n=0), Labels(("keep", "spell", "part"), KNOWN)
    whole, bare = (lesson(pair, labels, 64, np.random.default_rng(0), hidden).sheet for hidden in (0.0, 1.0))
    words = [token.word.lower() for token in tokens(pair.source)]
    assert [not row.any() for row in bare.grams[: bare.n]] == [word not in FUNCTION for word in words]
    assert np.array_equal(whole.kinds, bare.kinds)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_slips_can_be_put_right_and_spare_what_is_held(seed: int) -> None:
    rng = np.random.default_rng(seed)
    (clean,) = grammar_texts(1, rng)
    pair = slipped(clean, rng)
    assert slipped(clean, np.random.default_rng(seed)) == slipped(clean, np.random.default_rng(seed))
    assert apply(tokens(pair.source), tags(pair.source, pair.target)) == clean.text
    assert pair.source == pair.target or pair.kinds
    numbers = [
        Counter(t.word for t in tokens(text) if t.word.isdigit()) for text in (pair.source, pair.target)
    ]
    assert not numbers[1] - numbers[0] or "run together" in pair.kinds


@pytest.mark.parametrize("kind", SLIPS)
def test_every_kind_of_slip_happens_somewhere(kind: str) -> None:
    text = (
        "I said it's an orange cup for the children, and it holds what these two teapots can hold. It is better than "
        "their kitchen shelf of feathers, made in the village."
    )
    rng = np.random.default_rng(0)
    row = list(tokens(text))
    done = [SLIPS[kind][1](Page(row, [False] * len(row)), rng) for _ in range(5)]
    assert all(made is not None and joined(made) != text for made in done)
    assert with_slips(text, lambda some: [False] * len(some), rng, n=2).text != text


def test_training_repeats_and_its_files_are_read_back(tmp_path: Path) -> None:
    small = TokenEditorSettings(steps=3, batch_size=4, label_texts=200, least=1, dev_texts=20, seed=4)
    gathered = texts_of({}, Sources(grammar=200, seed=4))
    for name in ("one", "two"):
        pretrain(gathered, small, tmp_path / name)
    for file in FILES:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    weights, card = ((tmp_path / "one" / file).read_bytes() for file in FILES)
    read = from_bytes(weights, card)
    assert read.candidates(BRIEF, "It are blue.").evidence.shape == (5,)
    with pytest.raises(DataError, match=r"must have the hash that token_editor\.json names"):
        from_bytes(weights[:-1] + b"\0" if weights[-1] else weights[:-1] + b"\1", card)


def test_what_is_missing_is_named_and_a_lesson_marks_what_is_wrong() -> None:
    gathered = gather(Sources(grammar=50, drafts=0))
    assert gathered.missing[:2] == (
        "no drafts: SmolLM2 is not installed, or --drafts is 0",
        "thresholds are chosen on the grammar's own copy: --ab-tests is not given",
    )  # fmt: skip
    assert gathered.told["grammar"] == 50
    clean = grammar_texts(1, np.random.default_rng(1))[0]
    pair = slipped(clean, np.random.default_rng(3), n=1)
    made = lesson(pair, Labels(("keep", "spell", "part"), word_list([clean])), 64)
    assert made.wrong.sum() == sum(tag != KEEP for tag in tags(pair.source, pair.target))


def test_thresholds_mend_the_most_that_the_bound_lets() -> None:
    """Kind 0 parts right from false at 2.5; kind 1 cannot part them; kind 2 is wrong more often than right."""
    offered = Offers(
        kind=np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2]),
        evidence=np.array([4.0, 3.0, 2.0, 1.0, 4.0, 3.0, 2.0, 1.0, 5.0, 4.0]),
        worth=np.array([1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, -1.0, 1.0]),
        false=np.array([0.0, 0.0, 0.1, 0.0, 0.1, 0.0, 0.0, 0.1, 0.0, 0.0]),
    )
    never = (float("inf"),) * (len(EDIT_KINDS) - 2)
    assert chosen(offered, 1.0) == (1.0, 2.0, *never)
    assert false_edits(offered, chosen(offered, 0.15)) == pytest.approx(0.1)
    assert chosen(offered, 0.0) == (3.0, float("inf"), *never)


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(-9, 9), st.sampled_from([-1.0, 0.0, 1.0])), max_size=30
    ),
    st.sampled_from([0.0, 0.05, 0.2, 1.0]),
)
def test_chosen_thresholds_keep_within_the_bound(rows: list[tuple[int, int, float]], bound: float) -> None:
    kind, evidence, worth = np.array(rows, float).reshape(-1, 3).T
    offered = Offers(
        kind=kind.astype(int), evidence=evidence, worth=worth, false=np.where(worth == 0, 0.05, 0.0)
    )
    assert false_edits(offered, chosen(offered, bound)) <= bound + 1e-9


def test_offers_tell_right_wrong_and_false_edits_apart() -> None:
    rng = np.random.default_rng(5)
    clean = grammar_texts(60, rng)
    offered = offers(shipped(), [slipped(text, rng, n) for n in (0, 1) for text in clean])
    assert set(offered.worth) == {-1.0, 0.0, 1.0}
    assert np.array_equal(offered.false > 0, offered.worth == 0)
    sure = offered.evidence >= np.array(shipped().least)[offered.kind]
    assert offered.worth[sure].sum() > 15 and false_edits(offered, shipped().least) < 0.1


def test_shipped_weights_are_small_and_say_what_they_are() -> None:
    editor = shipped()
    assert sum(weight.numel() for weight in editor.tagger.parameters()) < 2.2e6
    assert editor.labels.names[0] == "keep" and len(editor.labels.known.words) > 1000
    assert any(np.isfinite(editor.least)) and len(editor.least) == len(EDIT_KINDS)
    with pytest.raises(DataError, match="14 thresholds must be given, one a kind, got 1"):
        replace(editor, least=(0.0,))


def test_editing_is_deterministic_and_leaves_random_state_alone() -> None:
    state = torch.random.get_rng_state()
    done = [NEURAL.edit(BRIEF, "It are a blue mug for you and and your friends.") for _ in range(2)]
    assert done[0] == done[1]
    assert torch.equal(state, torch.random.get_rng_state())


def test_other_languages_and_lists_of_tags_pass_through() -> None:
    plain = Editor()
    for brief, text in [
        (replace(BRIEF, language="zh"), "It are a blue mug."),
        (BRIEF, "蓝色 mug it are."),
        (replace(BRIEF, content_type="tags"), "blue mug, a orange"),
    ]:
        assert NEURAL.edit(brief, text) == plain.edit(brief, text)


def test_off_by_default() -> None:
    assert not EditorSettings().token_edits
    assert Editor().edit(BRIEF, "It are a blue mug.").text == "It are a blue mug."


def test_edits_name_their_rule_and_place() -> None:
    made = Edit(kind="token-edit/delete", before="one and and two", after="one and two")
    start, end = made.span
    assert made.before[:start] + made.after[slice(*made.new_span)] + made.before[end:] == made.after
    assert end - start == 4


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40)
def test_editing_brings_no_violation_and_keeps_the_products_words(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pair = slipped(grammar_texts(1, rng)[0], rng)
    ruled, done = Editor().edit(pair.brief, pair.source), NEURAL.edit(pair.brief, pair.source)
    before = {(found.rule, found.reason) for found in ruled.rejections}
    assert {(found.rule, found.reason) for found in done.rejections} <= before
    words = product_words(pair.brief)
    lost = {t.word.lower() for t in tokens(ruled.text)} - {t.word.lower() for t in tokens(done.text)}
    assert not lost & words
    assert all(edit.kind.startswith("token-edit/") for edit in done.edits[len(ruled.edits) :])
