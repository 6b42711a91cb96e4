"""Grammar and spelling, with Harper and quire-grammar where they are installed (extra `quality`).

Both run in process and offline; words of the product are always right to them. Harper spells and knows grammar; quire's
narrow rules know words that are taken for each other (`loose weight`), agreement and doubled words. The commonest slips
are found without them (`copybandit.generators.slips`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from typing import Any

from copybandit.generators.garbled import misspelt_throughout
from copybandit.generators.rejection import Rejection

MISSING = "grammar is checked for the commonest slips only: pip install 'copybandit[quality]' for Harper and quire-grammar"
_CHECKERS = ("harper", "quire_grammar")
_KINDS = ["mechanics", "confusable", "agreement"]
_SPELT = frozenset({"a-vs-an"})
"""By spelling and not by sound: `an Xbox` is right. Articles are mended by `copybandit.generators.repairs`."""
_IGNORED = frozenset(
    {
        "Style", "Enhancement", "Readability", "WordChoice", "Capitalization", "Formatting", "Miscellaneous", "Redundancy",
        "Regionalism", "Typo", "Usage",
    }
)  # fmt: skip
_DIALECTS = ("AMERICAN", "BRITISH")
_SHORT = re.compile(r"[A-Z]{2,6}|[a-z]{1,2}\.?")
"""Initials and symbols of units, which no dictionary holds."""


def installed() -> bool:
    """Whether all checkers are there."""
    return all(find_spec(name) for name in _CHECKERS)


@cache
def _linter(dialect: str) -> Any:
    """One linter of a dialect for the process; it takes half a second to make and is used by one thread at a time."""
    from harper import Dialect, Linter

    return Linter(dialect=Dialect[dialect])


def misspelt(text: str, vocabulary: frozenset[str]) -> Iterator[Rejection]:
    """Slips of grammar and spelling in English copy.

    Args:
        text: the copy; spans are places in it.
        vocabulary: lower-case words that are right whatever a dictionary says, such as the product's.
    """
    if find_spec("harper"):
        found = lints(text, vocabulary)
        yield from (_slip(_place(lint), lint.problem_text, lint.message) for lint in found)
        yield from misspelt_throughout([_place(lint) for lint in found if _spells(lint)], text)
    if find_spec("quire_grammar"):
        yield from _quire(text, vocabulary)


def _quire(text: str, vocabulary: frozenset[str]) -> Iterator[Rejection]:
    from quire_grammar import check

    for found in check(text, enable=_KINDS):
        if found.rule_id not in _SPELT and not _known(found.original, vocabulary):
            yield _slip((found.start, found.end), found.original, found.message)


def _slip(span: tuple[int, int], problem: str, reason: str) -> Rejection:
    return Rejection(rule="grammar", span=span, reason=f"{problem!r}: {reason}", severity="soft")


def lints(text: str, vocabulary: frozenset[str]) -> list[Any]:
    """What Harper finds, matters of style and known words left out; each with its suggestions.

    A word is misspelt if neither Americans nor the British spell it so.
    """
    found = [
        lint
        for lint in _linted(text, _DIALECTS[0])
        if lint.lint_kind not in _IGNORED
        and "mass noun" not in lint.message
        and not _known(lint.problem_text, vocabulary)
    ]
    if not any(map(_spells, found)):
        return found
    elsewhere = {_place(lint) for lint in _linted(text, _DIALECTS[1]) if _spells(lint)}
    return [
        lint
        for lint in found
        if not _spells(lint) or (_place(lint) in elsewhere and not _SHORT.fullmatch(lint.problem_text))
    ]


def _linted(text: str, dialect: str) -> list[Any]:
    return list(_linter(dialect).lint(text, language="plaintext"))


def _spells(lint: Any) -> bool:
    return bool(lint.lint_kind == "Spelling")


def _place(lint: Any) -> tuple[int, int]:
    return int(lint.span.start), int(lint.span.end)


def _known(problem: str, vocabulary: frozenset[str]) -> bool:
    words = re.findall(r"[^\W_][\w'-]*", problem.lower())
    return bool(words) and vocabulary.issuperset(words)
