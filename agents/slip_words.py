"""Words that writers take for each other, and the places where a form must agree: what `copy_slips` makes its slips of.

The kinds are those of learners' and native writers' corpora (Nicholls 2003, error codes of the Cambridge Learner
Corpus; Bryant et al., BEA-2019 shared task): determiners, prepositions, agreement, noun number, verb form, spelling,
confusables, marks.
"""

from __future__ import annotations

from copybandit.generators.word_forms import REGULARISED

_GROUPS = """
its it's; your you're; their there they're; then than; to too; whose who's; were where we're; affect effect;
here hear; lose loose; by buy; weather whether; quite quiet; an and; from form; in is it; if of; of off; on
one; as has; are our; that what; that which; who which; this these; that those; your you; his he's; through
though; every very; most must; know now; the they; them then; have of; accept except; breath breathe; advice
advise; piece peace; its is; was has; where wear; choose chose; much many; me my; into onto; like likes; make
makes; so as; or our; at a; when then
"""
_TURNED = "is are; was were; has have; does do; isn't aren't; wasn't weren't; doesn't don't; hasn't haven't"


def _table(groups: str) -> dict[str, tuple[str, ...]]:
    table: dict[str, list[str]] = {}
    for group in groups.split(";"):
        words = group.split()
        for word in words:
            table.setdefault(word, []).extend(other for other in words if other != word)
    return {word: tuple(others) for word, others in table.items()}


CONFUSED = _table(_GROUPS)
"""Each word, and what it is taken for."""
TURNED = _table(_TURNED)
"""Forms of the other number."""
ARTICLES = frozenset({"a", "an", "the"})
DETERMINERS = ARTICLES | frozenset(
    "this that these those my your his her its our their every each some any no".split()
)
PREPOSITIONS = ("of", "in", "on", "at", "for", "to", "with", "from", "by", "about", "into", "than", "as")
AFTER_NOUN = frozenset(
    {*PREPOSITIONS, *TURNED, "and", "or", "but", "that", "which", "who", "will", "can", "you"}
)
"""Before these a noun group ends."""
ONE = frozenset("a an this every each another one".split())
"""After these a noun has no s."""
SEVERAL = frozenset(
    "these those many several few both two three four five six seven eight nine ten twelve dozen hundred all".split()
)
"""After these a noun has an s."""
BARE = frozenset(
    "to can could will would should must may might don't doesn't didn't do does did can't won't let they we you i "
    "these those who".split()
)
"""After these a verb has no s."""
TURNING = frozenset("it he she this that who which everyone everything nobody someone what".split())
"""After these a verb has an s."""
VERBS = frozenset(
    "add allow apply arrive bake become begin belong bend blend bloom boost break breathe bring brush build burn buy "
    "call care carry catch change charge choose clean clip close come connect cook cool cost cover create cut deserve "
    "dry eat end enjoy feel fill find fit fold follow get give glow go grow guide hang happen hate help hide hold "
    "keep know last lay lead leave let lift light like live lock look lose love make match mean meet miss move need "
    "offer open order pack pair pay pick play pour protect pull push put read reach remember rest roll run save say "
    "see sell send serve set shine show sit sleep smell soften sound speak spin stack stand start stay stick stop "
    "store suit support take talk taste teach tell think tie top touch travel try turn understand use wait wake walk "
    "want warm wash watch wear weigh wipe wish work write".split()
)
IRREGULAR = {right: regular for regular, right in REGULARISED.items()}
"""Right forms, and the regular ones that are put for them."""
KEYS = {
    "a": "sqz", "b": "vgn", "c": "xdv", "d": "sfe", "e": "wrd", "f": "dgr", "g": "fht", "h": "gjy", "i": "uok", "j": "hku",
    "k": "jli", "l": "kop", "m": "nj", "n": "bmh", "o": "ipl", "p": "ol", "q": "wa", "r": "etf", "s": "adw", "t": "ryg",
    "u": "yij", "v": "cbf", "w": "qes", "x": "zcs", "y": "tuh", "z": "xas",
}  # fmt: skip
"""Keys beside each key."""


def capitals_kept(word: str, like: str) -> str:
    """A word with a capital first letter where another has one."""
    return word[:1].upper() + word[1:] if like[:1].isupper() else word
