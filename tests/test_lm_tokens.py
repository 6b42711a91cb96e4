"""How many tokens a text may have: what its kind, its limit and the product's name need."""

from __future__ import annotations

from copybandit.generators.lm_tokens import most_tokens
from copybandit.sim.types import Brief, Product


def test_longer_kinds_may_have_more_tokens() -> None:
    product = Product(product_id="p", name="mug", title="Mug", category="k", brand="", price=2.0)
    assert most_tokens(Brief(product=product), 24) == 24
    assert most_tokens(Brief(product=product, content_type="description"), 24) == 300
    assert most_tokens(Brief(product=product, content_type="description", placement="card"), 24) == 120
    assert most_tokens(Brief(product=product, content_type="subject", language="zh"), 24) == 60
    long = Product(product_id="p", name="KX-TG994 " * 8, title="Phone", category="k", brand="", price=2.0)
    assert most_tokens(Brief(product=long), 24) == 24 + (72 - 24) // 2
