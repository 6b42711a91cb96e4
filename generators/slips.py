"""The commonest slips of English grammar and spelling in copy, by a table of patterns; each is a soft finding.

Beside the patterns of `slips.yaml`: fewer things than their number says (``nine herb``), and a word that is the product's
but for a doubled letter (``sillicone``). It asks no grammar library; `copybandit.generators.proofreading` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from copybandit.generators.rejection import Rejection, reject
from copybandit.generators.tables import table
from copybandit.generators.word_forms import plural

# A subject before: `because of it are sold` and `that it have` are right or rare; questions turn the order round.
_TURNED = re.compile(
    r"\b(?:if|as though|wish|that|were|does|did|do|make|let|and|or|of|for|with|to"
    r"|can|could|will|would|should|may|might|has|have|is|are) $",
    re.IGNORECASE,
)
_SEVERAL = re.compile(
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|[2-9]|[1-9]\d+) (?P<one>[a-z]{3,})"
    r"(?=[.,;:!?]|$| (?:of|for|in|and|with|that|who|to|from|on|at|fits?|is|are|waiting|ready|inside)\b)",
    re.IGNORECASE,
)
_WORD = re.compile(r"\b[a-z]{6,}\b")
_DOUBLE = re.compile(r"([a-z])\1")


_SHORT = 3
"""Letters of a word of the product's that may stand anywhere (a letter, a name)."""
_NO_COUNT = frozenset({"pack", "inch", "foot", "stone"})


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Those of agreement, which questions and wishes excuse, and all others."""
    raw = table("slips.yaml")
    every = {row["id"]: [p.replace("{start}", raw["start"]) for p in row["patterns"]] for row in raw["slips"]}
    agreement = every.pop("agreement")
    others = [
        pattern for patterns in every.values() for pattern in patterns
    ]  # at most one of them has a group
    return re.compile("|".join(agreement), re.IGNORECASE), re.compile("|".join(others), re.IGNORECASE)


def slips(text: str, own: frozenset[str], said: str = "") -> Iterator[Rejection]:
    """Slips in normalised English copy.

    Args:
        text: the copy; spans are places in it.
        own: lower-case words of the product.
        said: its whole text, folded; what it says itself is no slip.
    """
    agreement, others = _patterns()
    subjects = (m for m in agreement.finditer(text) if not _TURNED.search(text[: m.start()]))
    for match in (*subjects, *others.finditer(text)):
        words = match.group().lower().split()
        if " ".join(words) not in said and not (words[-1] in own and len(words[-1]) < _SHORT):
            yield reject("grammar", match, f"{match.group().strip()!r} is a slip", "soft")
    for match in _SEVERAL.finditer(text):
        one = match["one"].lower()
        if plural(one) in own and one not in _NO_COUNT:
            yield reject("grammar", match, f"{match.group()!r}: more than one", "soft")
    yield from _near_own(text, own)


def _near_own(text: str, own: frozenset[str]) -> Iterator[Rejection]:
    """Words that differ from the product's own in one doubled letter alone."""
    single = {_DOUBLE.sub(r"\1", word): word for word in own if len(word) > 5}
    for match in _WORD.finditer(text.lower()):
        word = match.group()
        meant = single.get(_DOUBLE.sub(r"\1", word)) if word not in own else None
        if meant is not None and len(meant) != len(word):
            yield reject("grammar", match, f"{word!r} is spelt {meant!r}", "soft")
