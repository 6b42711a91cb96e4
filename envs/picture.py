"""A visit as text or as a picture: the product, what the shop believes of each copy, what was shown, and the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

import numpy as np
from numpy.typing import NDArray

_SHOWN, _OTHER = "#d1495b", "#9fb3c8"


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One visit.

    Attributes:
        product: name.
        texts, present, prior: the k copies, whether they exist, and click probabilities that the shop believes in.
        shopper, visit, day, position: who, how often before, when, and which place on the page.
        shown: column that was shown, -1 before any is.
        click: whether it was clicked.
    """

    product: str
    texts: tuple[str, ...]
    present: tuple[bool, ...]
    prior: tuple[float, ...]
    shopper: int
    visit: int
    day: float
    position: int
    shown: int = -1
    click: bool = False

    @property
    def outcome(self) -> str:
        """What became of the visit."""
        if self.shown < 0:
            return "waiting for a choice"
        return "clicked" if self.click else "not clicked"

    @property
    def title(self) -> str:
        """Who visits what, when and where."""
        return (
            f"{self.product} · shopper {self.shopper}, visit {self.visit + 1}, day {self.day:.2f}, "
            f"place {self.position}: {self.outcome}"
        )


def as_text(scene: Scene) -> str:
    """A table of the copies; an arrow marks what was shown."""
    rows = [
        f"{'>' if j == scene.shown else ' '} {100 * scene.prior[j]:5.1f} %  {text}"
        for j, text in enumerate(scene.texts)
        if scene.present[j]
    ]
    return "\n".join([scene.title, *rows]) + "\n"


def as_pixels(scene: Scene) -> NDArray[np.uint8]:
    """A bar for each copy, the shown one in red; shape (400, 800, 3)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), dpi=100, layout="constrained")
    canvas, axes = FigureCanvasAgg(figure), figure.subplots()
    columns = [j for j, here in enumerate(scene.present) if here]
    colours = [_SHOWN if j == scene.shown else _OTHER for j in columns]
    bars = axes.barh(range(len(columns)), [100 * scene.prior[j] for j in columns], color=colours)
    axes.bar_label(bars, fmt="%.1f %%", padding=3, fontsize=8)
    labels = ["\n".join(wrap(scene.texts[j], 40, max_lines=2, placeholder="…")) for j in columns]
    axes.set_yticks(range(len(columns)), [_plain(label) for label in labels], fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set_xlabel("click probability the shop believes in, %; red: shown", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.set_title(_plain(scene.title), fontsize=9, loc="left", wrap=True)
    axes.spines[["top", "right"]].set_visible(False)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()  # type: ignore[no-untyped-call]


def as_bars(title: str, bars: Sequence[tuple[str, float]]) -> NDArray[np.uint8]:
    """Named numbers as bars to the left and right of zero, the last one in red, under some text; shape (400, 800, 3)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), dpi=100, layout="constrained")
    canvas, axes = FigureCanvasAgg(figure), figure.subplots()
    colours = [_OTHER] * (len(bars) - 1) + [_SHOWN]
    drawn = axes.barh(range(len(bars)), [value for _, value in bars], color=colours[: len(bars)])
    axes.bar_label(drawn, fmt="%+.3f", padding=3, fontsize=8)
    axes.set_yticks(range(len(bars)), [_plain(name) for name, _ in bars], fontsize=9)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel("log-odds of a click over the reference copy", fontsize=8)
    axes.tick_params(labelsize=8)
    lines = [line for part in title.splitlines() for line in wrap(part, 100, max_lines=2, placeholder="…")]
    axes.set_title(_plain("\n".join(lines)), fontsize=9, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()  # type: ignore[no-untyped-call]


def _plain(text: str) -> str:
    """Text that matplotlib does not take for mathematics."""
    return text.replace("$", r"\$")


def draw(scene: Scene, render_mode: str) -> NDArray[np.uint8] | str:
    """The scene in a render mode, "rgb_array" or "ansi"."""
    return as_pixels(scene) if render_mode == "rgb_array" else as_text(scene)
