"""What `copybandit fit` is given, read and checked: a log with its products, panels, A/B tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from copybandit.sim.events import PURCHASE, EventTable
from copybandit.sim.instacart import LONGEST_GAP, load_instacart
from copybandit.sim.logs import read_events, read_products
from copybandit.sim.panels import ECDAT, Panel, load_ecdat, load_panel
from copybandit.sim.retail import RetailData, load_retail
from copybandit.sim.ta_feng import load_ta_feng
from copybandit.sim.types import DataError, Ints, Product
from copybandit.sim.upworthy import AbTests, load_ab_tests

Format = Literal["events", "retail", "ta-feng", "instacart"]
FORMATS: tuple[Format, ...] = get_args(Format)
INSTALLED = ("ta-feng", "instacart")
"""Logs that come with an installed package: their name may stand for a path."""
STAGES = tuple("read interest sequence judge baskets policies funnel demand wording attack".split())
LEAST_SHOPPERS = 50
LEAST_PRODUCTS = 10
LEAST_HOUSEHOLDS = 20
LEAST_TESTS = 20
"""Groups of tests that share no headline and no image, in each of which two headlines were compared."""


@dataclass(frozen=True, kw_only=True)
class FitRequest:
    """What to fit.

    Attributes:
        log: a path, or a name of `INSTALLED`.
        format: how the log is written.
        products: catalogue of a log of format ``events``.
        panels: paths, or names of `ECDAT`.
        ab_tests: path of Upworthy's archive or of a file in its columns.
        encoder: reads texts beside style and words: `auto` (MiniLM where installed), `none`, `minilm` or the folder of a
            sentence-transformers model.
        length: whether the length of a text may move its clicks.
        attack: try to fool the wording model of the A/B tests.
        grocery: the log sells groceries, whose price elasticity is known to lie in a range.
        sequence: train the sequence model too; it needs torch.
        seed: of everything random.
    """

    log: str
    format: Format = "events"
    products: Path | None = None
    panels: tuple[str, ...] = ()
    ab_tests: Path | None = None
    encoder: str = "auto"
    length: bool = True
    attack: bool = False
    grocery: bool = False
    sequence: bool = True
    seed: int = 0

    def stages(self) -> tuple[str, ...]:
        """Names of the stages that this asks for, in order."""
        asked = {
            "sequence": self.sequence,
            "demand": bool(self.panels),
            "wording": self.ab_tests is not None,
            "attack": self.attack,
        }
        return tuple(name for name in STAGES if asked.get(name, True))

    def __post_init__(self) -> None:
        if self.attack and self.ab_tests is None:
            raise DataError(
                "--attack needs headline tests to fit the model that is attacked, got none; pass --ab-tests FILE"
            )
        names = [Path(name).stem for name in self.panels]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise DataError(
                f"--panel must give each panel once, under a name of its own, got {twice[0]!r} twice; rename a file"
            )


@dataclass(frozen=True, kw_only=True)
class ShopLog:
    """A log that can be fitted.

    Attributes:
        products: the catalogue, in the order of ``events.product_ids``.
        events: by time.
        dropped: rows of the file left out, by reason.
        prices_real: whether prices were paid; those of the Instacart sample are made up.
        grocery: whether the elasticity of groceries applies.
        longest_gap: days between orders that stand for more; None where the log tells every gap.
    """

    products: tuple[Product, ...]
    events: EventTable
    dropped: tuple[tuple[str, int], ...]
    prices_real: bool = True
    grocery: bool = False
    longest_gap: int | None = None


def read_log(request: FitRequest) -> ShopLog:
    """Read and check the log.

    Raises:
        DataError: for an unusable file or value, or a log too small to be split and fitted.
    """
    name = request.log if request.log in INSTALLED and not Path(request.log).exists() else request.format
    installed = name in INSTALLED and request.log == name
    path = None if installed else Path(request.log)
    if name == "events":
        shop = _own(Path(request.log), request.products)
    else:
        readers: dict[str, Callable[[], RetailData]] = {
            "retail": lambda: load_retail(Path(request.log)),
            "ta-feng": lambda: load_ta_feng(path),
            "instacart": lambda: load_instacart(path),
        }
        data = readers[name]()
        shop = ShopLog(products=data.products, events=data.events, dropped=data.dropped)
    shop = replace(
        shop,
        prices_real=name != "instacart",
        grocery=request.grocery or name == "ta-feng",
        longest_gap=LONGEST_GAP if name == "instacart" else None,
    )
    _check(shop.events, request.log)
    return shop


def _own(path: Path, catalogue: Path | None) -> ShopLog:
    """A log of the shop's own, each product as the catalogue tells it; repeated rows count once."""
    if catalogue is None:
        raise DataError(
            f"{path}: a log of events needs a catalogue, whose words say what shoppers care for; pass --products FILE"
        )
    events = read_events(path).sorted_by_time()
    kept = _distinct(events)
    dropped = (("the same event again", len(events) - len(kept)),)
    known = {product.product_id: product for product in read_products(catalogue)}
    lacking = [i for i in events.product_ids if i not in known]
    if lacking:
        raise DataError(
            f"{catalogue}: must name every product of {path}, lacks {len(lacking)}, e.g. {lacking[0]!r}; add them"
        )
    products = tuple(known[i] for i in events.product_ids)
    return ShopLog(products=products, events=events.take(kept), dropped=dropped)


def _distinct(events: EventTable) -> Ints:
    """Rows that do not repeat an earlier one in every column, in order."""
    _, query = np.unique(events.query, return_inverse=True)
    price = np.nan_to_num(events.price, nan=-1.0).view(np.int64)
    time = events.time.astype("datetime64[us]").astype(np.int64)
    columns = np.stack([time, events.shopper, events.product, events.kind, events.quantity, price, query])
    order = np.lexsort(columns)
    fresh = np.r_[True, (np.diff(columns[:, order], axis=1) != 0).any(axis=0)]
    return np.sort(order[fresh])


def _check(events: EventTable, log: str) -> None:
    """Refuse a log from which nothing could be learned, in the order in which a reader would notice."""
    bought = events.kind == PURCHASE
    shoppers, products = len(np.unique(events.shopper[bought])), len(np.unique(events.product[bought]))
    days = len(np.unique(events.time.astype("datetime64[D]")))
    rules = (
        (bool(bought.any()), "purchases", f"0 among {len(events)} events", "export purchases too"),
        (
            shoppers >= LEAST_SHOPPERS,
            f"purchases of at least {LEAST_SHOPPERS} shoppers",
            f"{shoppers}",
            "export more shoppers",
        ),
        (
            products >= LEAST_PRODUCTS,
            f"purchases of at least {LEAST_PRODUCTS} products",
            f"{products}",
            "export more products",
        ),
        (days >= 10, "events on at least 10 days", f"{days}", "export a longer time"),
    )
    for right, what, got, remedy in rules:
        if not right:
            raise DataError(f"{log}: the log must hold {what}, got {got}; {remedy}")


def read_panels(request: FitRequest) -> tuple[tuple[str, Panel], ...]:
    """Panels by name; a name of `ECDAT` is read from the installed package.

    Raises:
        DataError: for an unusable file or value, or a panel too small to be split and fitted.
    """
    panels = tuple((name, load_ecdat(name) if name in ECDAT else load_panel(name)) for name in request.panels)
    for name, panel in panels:
        _check_panel(name, panel)
    return panels


def _check_panel(name: str, panel: Panel) -> None:
    """Refuse a panel from which nothing could be learned."""
    households, bought = len(panel.household_ids), len(np.unique(panel.choice[panel.choice >= 0]))
    varied = (np.nanmax(panel.price, axis=0) > np.nanmin(panel.price, axis=0)).any()
    rules = (
        (
            households >= LEAST_HOUSEHOLDS,
            f"at least {LEAST_HOUSEHOLDS} households",
            f"{households}",
            "households",
        ),
        (bought >= 2, "purchases of at least two alternatives", f"{bought}", "trips"),
        (bool(varied), "a price that changes from trip to trip", "none", "trips"),
    )
    for right, what, got, more in rules:
        if not right:
            raise DataError(f"{name}: the panel must hold {what}, got {got}; export more {more}")


def read_tests(request: FitRequest) -> AbTests | None:
    """The A/B tests, where a file is given.

    Raises:
        DataError: for an unusable file or value, or tests too few to be split and fitted.
    """
    if request.ab_tests is None:
        return None
    tests = load_ab_tests(request.ab_tests)
    compared = np.unique(tests.components()[tests.pairs().left])
    if len(compared) < LEAST_TESTS:
        raise DataError(
            f"{request.ab_tests}: must hold at least {LEAST_TESTS} groups of tests that share no headline and no "
            f"image, each with two headlines on one image, got {len(compared)}; export more tests"
        )
    if not tests.clicks.any():
        raise DataError(
            f"{request.ab_tests}: must hold clicks, got 0 in {len(tests)} rows; export the clicks"
        )
    return tests
