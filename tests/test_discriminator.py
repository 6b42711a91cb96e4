"""The discriminator: even before it learns, then right about copy that is out of order or of another product."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from copybandit.agents.discriminator import Discriminator, accuracy, discriminator_loss
from copybandit.agents.token_rows import TokenRows
from copybandit.agents.trl_guard import isolated_randomness
from copybandit.generators.prompts import field_prompt
from tests.tiny_lm import WORDS, brief, tiny_writer

WRITER = tiny_writer(spread=1.0)
BRIEFS = [brief(i) for i in range(len(WORDS))]
REAL = [f"see the {one.product.name} now" for one in BRIEFS]


def rows(texts: list[str]) -> TokenRows:
    heads = WRITER.prompt_ids([field_prompt(one) for one in BRIEFS])
    return TokenRows.of(heads, WRITER.response_ids(texts), WRITER.pad_id, WRITER.device)


def out_of_order(texts: list[str], rng: np.random.Generator) -> list[str]:
    return [" ".join(str(word) for word in rng.permutation(text.split())) for text in texts]


def of_another(texts: list[str]) -> list[str]:
    return [*texts[3:], *texts[:3]]


def fresh() -> Discriminator:
    with isolated_randomness(0):
        return Discriminator(WRITER.model.get_input_embeddings().weight, hidden=32)


def test_untaught_it_calls_everything_even() -> None:
    net = fresh()
    assert not net.judge(rows(REAL)).any()
    assert accuracy(net, rows(REAL), rows(of_another(REAL))) == 0.5
    assert discriminator_loss(net, rows(REAL), rows(REAL), 0.1).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("shuffled", ["words", "products"])
def test_it_learns_to_tell_real_from_shuffled_copy(shuffled: str) -> None:
    rng = np.random.default_rng(0)
    net, real = fresh(), rows(REAL)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=1e-2)
    with isolated_randomness(0):
        for _ in range(60):
            fake = rows(out_of_order(REAL, rng) if shuffled == "words" else of_another(REAL))
            loss = discriminator_loss(net, real, fake, smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch's own
            optimizer.step()
    unseen = rows(out_of_order(REAL, rng) if shuffled == "words" else of_another(REAL))
    assert accuracy(net, real, unseen) > 0.9
    assert net.training


def test_a_token_is_judged_by_what_stands_before_it_and_not_by_padding() -> None:
    net = fresh()
    with isolated_randomness(1):
        torch.nn.init.normal_(net.score.weight)
    texts = list(REAL)
    whole = net.judge(rows(texts))
    texts[0] += " for your garden kitchen lamp and more, and more"
    longer = net.judge(rows(texts))
    length = len(WRITER.response_ids([REAL[0]])[0]) - 1
    torch.testing.assert_close(longer[0, :length], whole[0, :length])
    length = len(WRITER.response_ids([REAL[1]])[0])
    torch.testing.assert_close(longer[1, :length], whole[1, :length])
