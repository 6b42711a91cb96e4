"""HTML that cannot be broken by what it shows: text is escaped unless it is already `Html`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

VOID = frozenset({"br", "col", "meta"})


class Html(str):
    """Markup that is safe to place in a page as it stands."""


def el(tag: str, *children: object, **attributes: str) -> Html:
    """One element; a child that is not `Html` is escaped, and ``class_`` stands for class.

    >>> el("p", "a < b ", el("b", "c"), class_="x")
    '<p class="x">a &lt; b <b>c</b></p>'
    """
    names = ((name.rstrip("_").replace("_", "-"), escape(value)) for name, value in attributes.items())
    start = "".join([f"<{tag}", *(f' {name}="{value}"' for name, value in names), ">"])
    if tag in VOID:
        return Html(start)
    return Html(start + join(children) + f"</{tag}>")


def join(children: Iterable[object]) -> Html:
    """Children one after the other, escaped where they need it; None is left out."""
    return Html(
        "".join(
            child if isinstance(child, Html) else escape(str(child))
            for child in children
            if child is not None
        )
    )


def section(title: str, *children: object, anchor: str) -> Html:
    """A titled part of the page."""
    return el("section", el("h2", title), *children, id=anchor)


def table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[object]], *, numeric: Iterable[int] = ()
) -> Html:
    """A table whose first column names its rows; columns listed in ``numeric`` are set flush right."""
    right = frozenset(numeric)

    def cell(column: int, value: object) -> Html:
        css = "n" if column in right else "t"
        if column == 0:
            return el("th", value, scope="row", class_=css)
        return el("td", value, class_=css)

    header = el(
        "tr", *(el("th", name, scope="col", class_="n" if i in right else "t") for i, name in enumerate(head))
    )
    body = [el("tr", *(cell(i, value) for i, value in enumerate(row))) for row in rows]
    inner = el("table", el("caption", caption), el("thead", header), el("tbody", *body))
    return el("div", inner, class_="scroll", tabindex="0", role="region", aria_label=caption)


def figure(svg: Html, caption: str) -> Html:
    """A chart and what it shows."""
    return el("figure", svg, el("figcaption", caption))
