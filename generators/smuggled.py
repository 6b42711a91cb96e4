"""What was dropped from a brief may not come back in its copy.

The editor judges copy by the clean brief, so that a dropped sentence supports no fact. Beyond that, copy may hold none of
its words that stood nowhere else: what it had in quotes, in capitals, with a digit or with a capital inside a sentence; and
no run of `RUN` of its words (of `RUN_CHINESE` characters) that the clean product does not say itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from copybandit.generators.normalising import folded, normalise
from copybandit.generators.rejection import Rejection

RUN = 3
"""Words in a row that are no accident."""
RUN_CHINESE = 4
"""Chinese characters in a row that are no accident."""
_QUOTED = re.compile(r"[\"“”«「『《](.+?)[\"“”»」』》]")
_STRIKING = re.compile(
    r"(?<=[\w,;:(\"“'] )[A-Z][a-z]{3,}\b|\b[A-Z]{3,}\b|\b(?=\w*\d)(?=\w*[A-Za-z])\w{4,}\b"
    r"|\b\d[\d -]{5,}\d\b|[\w.+-]+[@.][\w-]+\.\w{2,}"
)
_WORD = re.compile(r"[^\W_\u4e00-\u9fff]+(?:'[a-z]+)?")
_CHINESE = re.compile(r"[\u4e00-\u9fff]+")


@lru_cache(maxsize=4096)
def _marks(dropped: tuple[str, ...], clean: str) -> tuple[frozenset[str], frozenset[str]]:
    """Striking words, and runs, of the dropped sentences that the clean text (folded) does not hold."""
    words: set[str] = set()
    runs: set[str] = set()
    for sentence in dropped:
        seen = normalise(sentence)
        words |= {folded(m.group()) for m in _STRIKING.finditer(seen)}
        for quoted in _QUOTED.findall(seen):
            words |= {folded(quoted)}
        low = folded(seen)
        said = _WORD.findall(low)
        runs |= {" ".join(said[i : i + RUN]) for i in range(len(said) - RUN + 1)}
        for run in _CHINESE.findall(low):
            runs |= {run[i : i + RUN_CHINESE] for i in range(len(run) - RUN_CHINESE + 1)}
    known = " ".join(_WORD.findall(clean))
    return (
        frozenset(word for word in words if word not in clean and len(word) > 1),
        frozenset(run for run in runs if run not in known and run not in clean),
    )


def smuggled(low: str, dropped: tuple[str, ...], clean: str) -> Iterator[Rejection]:
    """The first place where copy holds what was dropped, if any.

    Args:
        low: the copy, normalised and folded.
        dropped: sentences that the screen took out of the brief, as they stood there.
        clean: all that the clean product says, folded.
    """
    if not dropped:
        return
    words, runs = _marks(dropped, clean)
    for start, end in (*_places(low, words), *_runs(low, runs)):
        reason = f"{low[start:end]!r} stood only in a sentence that was dropped"
        yield Rejection(rule="smuggled", span=(start, end), reason=reason)
        return


def _places(low: str, words: frozenset[str]) -> Iterator[tuple[int, int]]:
    for word in sorted(words):
        edges = rf"(?<!\w){re.escape(word)}(?!\w)" if word.isascii() else re.escape(word)
        yield from (match.span() for match in re.finditer(edges, low))


def _runs(low: str, runs: frozenset[str]) -> Iterator[tuple[int, int]]:
    said = list(_WORD.finditer(low))
    for i in range(len(said) - RUN + 1):
        if " ".join(word.group() for word in said[i : i + RUN]) in runs:
            yield said[i].start(), said[i + RUN - 1].end()
    for match in _CHINESE.finditer(low):
        for i in range(match.start(), match.end() - RUN_CHINESE + 1):
            if low[i : i + RUN_CHINESE] in runs:
                yield i, i + RUN_CHINESE
