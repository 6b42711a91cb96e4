"""Forms of English words that edits need: with and without s, and capitals like another word's."""

from __future__ import annotations

_IRREGULAR = {
    "child": "children", "foot": "feet", "goose": "geese", "half": "halves", "knife": "knives",
    "leaf": "leaves", "life": "lives", "loaf": "loaves", "man": "men", "mouse": "mice", "person": "people",
    "scarf": "scarves", "self": "selves", "shelf": "shelves", "thief": "thieves", "tooth": "teeth", "wife": "wives",
    "wolf": "wolves", "woman": "women",
}  # fmt: skip
_REGULAR = {several: one for one, several in _IRREGULAR.items()}
REGULARISED = {
    "childs": "children", "foots": "feet", "shelfs": "shelves", "knifes": "knives", "leafs": "leaves", "mans": "men",
    "womans": "women", "lifes": "lives", "tooths": "teeth", "scarfs": "scarves", "loafs": "loaves", "halfs": "halves",
    "mouses": "mice", "wifes": "wives", "peoples": "people", "sayed": "said", "maked": "made", "keeped": "kept",
}  # fmt: skip
"""Regular forms, and the right ones."""
_HISSING = ("s", "x", "z", "ch", "sh")


def titled(word: str) -> str:
    """With a capital first letter; the others stay."""
    return word[:1].upper() + word[1:]


def recased(word: str, like: str) -> str:
    """A lower-case word with the capitals of another; a word that has capitals of its own keeps them.

    >>> recased("an", "A"), recased("the", "THIS"), recased("iPad", "Mug"), recased("an", "a")
    ('An', 'THE', 'iPad', 'an')
    """
    if word != word.lower():
        return word
    if len(like) > 1 and like.isupper():
        return word.upper()
    return titled(word) if like[:1].isupper() else word


def plural(word: str) -> str:
    """With s: a plural noun, or the verb of he, she and it.

    >>> [plural(word) for word in ("mug", "box", "cherry", "boy", "knife", "Child")]
    ['mugs', 'boxes', 'cherries', 'boys', 'knives', 'Children']
    """
    low = word.lower()
    if low in _IRREGULAR:
        return recased(_IRREGULAR[low], word)
    if low.endswith("y") and low[-2:-1] not in "aeiou":
        return word[:-1] + ("IES" if word.isupper() else "ies")
    return (
        word
        + ("ES" if word.isupper() else "es") * low.endswith(_HISSING)
        + "s" * (not low.endswith(_HISSING))
    )


def singular(word: str) -> str:
    """Without its s, as `plural` puts it on; a word that has none is returned as it is.

    >>> [singular(word) for word in ("mugs", "boxes", "cherries", "knives", "glass", "sizes", "holds")]
    ['mug', 'box', 'cherry', 'knife', 'glass', 'size', 'hold']
    """
    low = word.lower()
    if low in _REGULAR:
        return recased(_REGULAR[low], word)
    if low.endswith("ies") and len(low) > 4:
        return word[:-3] + ("Y" if word.isupper() else "y")
    if low.endswith(("xes", "ches", "shes", "sses")):
        return word[:-2]
    return word[:-1] if low.endswith("s") and not low.endswith("ss") and len(low) > 2 else word
