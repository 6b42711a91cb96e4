"""Grammar and spelling, with Harper where it is installed (extra `quality`); words of the product are always right.

Harper runs in process and offline. The commonest slips are found without it (`copybandit.generators.slips`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from typing import Any

from copybandit.generators.rejection import Rejection

MISSING = "grammar is checked for the commonest slips only: pip install 'copybandit[quality]' for Harper"
_IGNORED = frozenset(
    {"Style", "Enhancement", "Readability", "WordChoice", "Capitalization", "Formatting", "Miscellaneous"}
)


def installed() -> bool:
    """Whether Harper is there."""
    return find_spec("harper") is not None


@cache
def _linter() -> Any:
    """One linter for the process; it takes about half a second to make and is used by one thread at a time."""
    from harper import Linter

    return Linter()


def misspelt(text: str, vocabulary: frozenset[str]) -> Iterator[Rejection]:
    """Slips of grammar and spelling in English copy.

    Args:
        text: the copy; spans are places in it.
        vocabulary: lower-case words that are right whatever a dictionary says, such as the product's.
    """
    if not installed():
        return
    for lint in lints(text, vocabulary):
        span = (int(lint.span.start), int(lint.span.end))
        yield Rejection(
            rule="grammar", span=span, reason=f"{lint.problem_text!r}: {lint.message}", severity="soft"
        )


def lints(text: str, vocabulary: frozenset[str]) -> list[Any]:
    """What Harper finds, matters of style and known words left out; each with its suggestions."""
    return [
        lint
        for lint in _linter().lint(text, language="plaintext")
        if lint.lint_kind not in _IGNORED and not _known(lint.problem_text, vocabulary)
    ]


def _known(problem: str, vocabulary: frozenset[str]) -> bool:
    words = re.findall(r"[^\W_][\w'-]*", problem.lower())
    return bool(words) and vocabulary.issuperset(words)
