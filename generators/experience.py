"""A drafted review tells its buyer's experience, so what it tells must stand in his notes or in the product's own text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from copybandit.generators.rejection import Rejection, reject

_SENTENCE = re.compile(r"[^.!?\n]+")
_WORD = re.compile(r"[a-z][a-z']{3,}")
_TELLS = re.compile(
    r"\b(?:i|we|my|our|me|us|was|were|had|came|broke|took|kept|held|went|got|fell|made|gave|\w{3,}ed)\b"
)
_OPINION = frozenset(
    "good great nice love loved loves like liked really very well would again recommend happy pleased quality price product "
    "work works worked look looks looked feel feels felt easy easily little just enough overall exactly described expected "
    "fine okay decent solid though however with this that these those have from about than them they "
    "will still also more much most some only even what when which while does done been being into onto over after before "
    "star stars draft item thing bought stayed right think thought wish because every there here their your mine "
    "mixed feelings".split()
)
_STEM = 4
"""Letters that two forms of one word share (``refund``, ``refunded``)."""
_ENOUGH = 2
"""Words without ground that make a sentence an invention; one may be a synonym."""


def ungrounded(text: str, said: str) -> Iterator[Rejection]:
    """English sentences that tell of an event and hold two or more words that neither notes nor product hold.

    Args:
        text: the draft, normalised and folded.
        said: all that is true of it, folded: the product's text, the notes and the stars.
    """
    ground = {word[:_STEM] for word in _WORD.findall(said)}
    for sentence in _SENTENCE.finditer(text):
        if not _TELLS.search(sentence.group()):
            continue
        words = {w.removesuffix("'s") for w in _WORD.findall(sentence.group())} - _OPINION
        new = sorted(word for word in words if word[:_STEM] not in ground)
        if len(new) >= _ENOUGH:
            yield reject(
                "invented", sentence, f"{', '.join(new)}: not in the buyer's notes; keep to what he wrote"
            )
