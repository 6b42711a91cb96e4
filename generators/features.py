"""Properties that can be checked, as a closed world: copy may state one only where the product states it or what implies it.

`features.yaml` names each property with its synonyms in English and Chinese. A property that the product denies
(``vegan: no``, ``no earth pin``) it does not hold; one that copy denies is no claim. Places are properties, too:
where a thing is made or comes from must be said by the product.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache

from copybandit.generators.chinese_readings import denied_in_chinese
from copybandit.generators.denials import denied
from copybandit.generators.normalising import folded
from copybandit.generators.phrases import Phrases, found, phrases, stems
from copybandit.generators.rejection import Rejection, reject
from copybandit.generators.tables import table

_NOT_BEFORE = re.compile(
    r"(?:\b(?:no|not|non|without|never|isn't|aren't|doesn't|don't|nor|neither|cannot|can't|rather than|instead of)"
    r"[ -](?:\w+ )?"
    r"|[不没无非未](?:是|有|能|可|带|含|支持|具备|会|要|用)?)$"
)
_NOT_AFTER = re.compile(
    r"\s?[:：]\s?(?:no|none|not|false|否|无|不)(?![a-z])|\s(?:not included|sold separately)"
)
_AROUND = 16
"""Characters before a property in which a denial stands."""


@cache
def _lexicon() -> tuple[Phrases, dict[str, frozenset[str]]]:
    rows = table("features.yaml")["features"]
    named = {row["id"]: tuple(map(str, (*row.get("en", ()), *row.get("zh", ())))) for row in rows}
    for name, words in table("features_zh.yaml")["features"].items():
        named[name] = (*named[name], *words.split())
    implied = {row["id"]: frozenset((row["id"], *row.get("implies", ()))) for row in rows}
    return phrases(named), implied


@cache
def _words() -> frozenset[str]:
    return frozenset(form for _, forms in _lexicon()[0].chinese.items() for form, _ in forms)


def is_feature(word: str) -> bool:
    """Whether a word in Chinese, or its beginning, is one that `foreign_features` decides on."""
    return any(word[:length] in _words() for length in range(2, len(word) + 1))


def _denied(text: str, span: tuple[int, int]) -> bool:
    before = text[max(0, span[0] - _AROUND) : span[0]]
    if _NOT_BEFORE.search(before) is not None or _NOT_AFTER.match(text, span[1]) is not None:
        return True
    return denied(text, span[0]) or (not text.isascii() and denied_in_chinese(text, span[0]))


@lru_cache(maxsize=8192)
def _held(said: str) -> tuple[frozenset[str], frozenset[str]]:
    """Ids of the properties that a product states or implies, and the stems of its words that it does not deny."""
    lexicon, implied = _lexicon()
    stated = (implied[f.name] for f in found(lexicon, said) if not _denied(said, f.span))
    return frozenset().union(*stated), stems(_DENIED.sub(" ", said))


_DENIED = re.compile(r"\b(?:no|not|non|without|never)[ -][a-z]+")


def foreign_features(said: str, text: str) -> Iterator[Rejection]:
    """Properties stated in a text and not by the product.

    Args:
        said: folded text of all that the product says and the reader cares for.
        text: the copy, normalised.
    """
    low = folded(text)
    held, own = _held(said)
    for feature in found(_lexicon()[0], low):
        start, end = feature.span
        if feature.name in held or feature.name == "" or _denied(low, feature.span):
            continue
        words, stated = stems(low[start:end]), low[start:end] in said
        if (stated and not _denies(said, low[start:end])) or (not stated and words and words <= own):
            continue
        yield Rejection(
            rule="attribute",
            span=feature.span,
            reason=f"{text[start:end]!r} is a property that the product does not state",
        )
    yield from (
        reject("attribute", match, f"{match['place']!r} is no place that the product names")
        for match in _PLACES.finditer(text)
        if match["place"].lower() not in said and match["place"] not in _NO_PLACES
    )


def _denies(said: str, words: str) -> bool:
    place = said.find(words)
    return place >= 0 and _denied(said, (place, place + len(words)))


_MAKING = (
    r"made|handmade|crafted|handcrafted|woven|designed|roasted|sewn|stitched|brewed|grown|imported|sourced|blown|forged|built|"
    r"produced|manufactured|assembled|printed|bottled|knitted|thrown|harvested|picked|distilled|engineered|baked|milled|tanned|"
    r"spun|carved|poured|blended|straight|shipped|hails?|comes?|milk|born|cast|fired|cut|finished|packed|smoked|aged|raised|caught|"
    r"quarried|mined|dug|pressed|dried|fermented|cured|farmed|foraged|gathered|hammered|hewn|turned|felled|"
    r"fished|landed|dyed|cultivated"
)
# A making may be told at more length where the verb tells of nothing else: `quarried on the slopes of Mount X`.
_MAKING_ONLY = (
    r"handmade|handcrafted|crafted|quarried|mined|woven|roasted|sewn|stitched|brewed|grown|sourced|forged|manufactured|harvested|"
    r"distilled|milled|tanned|carved|bottled|knitted|farmed|foraged|cultivated|fermented|hewn|produced|imported"
)
_PLACES = re.compile(
    rf"\b(?:(?i:{_MAKING})(?i: by hand| by artisans| right)? (?:in|from|over from|direct from)"
    rf"|(?i:{_MAKING_ONLY})(?: [a-z'-]+){{0,5}}? (?:in|from|on|at|near|off|of|above|outside|around)) (?:the )?"
    r"(?:(?:[Nn]orthern|[Ss]outhern|[Ee]astern|[Ww]estern|[Cc]entral|[Rr]ural|[Uu]pper) )?"
    r"(?:Mount |Lake |Isle of )?(?P<place>[A-Z][\w-]+)"
)
_NO_PLACES = frozenset(
    "January February March April May June July August September October November December "
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday "
    "I The A An Our Your This That One Two Three XS XXL".split()
)
