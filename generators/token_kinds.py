"""Kinds of token edits: how sure one must be differs by kind, for slips of the keys show, and a needless "of" does not."""

from __future__ import annotations

from collections.abc import Sequence

from copybandit.generators.token_edits import Tag, Token
from copybandit.generators.token_words import repeated

EDIT_KINDS = (
    "spelling", "spelling of a capital", "parting", "joining", "spacing", "article", "number", "capitals", "doubled",
    "repetition", "deletion", "mark", "insertion", "replacement",
)  # fmt: skip
_BY_OP = {
    "write": "spelling", "split": "parting", "space": "spacing", "article": "article", "plural": "number",
    "singular": "number", "lower": "capitals", "title": "capitals", "upper": "capitals", "append": "insertion",
    "replace": "replacement", "delete": "deletion",
}  # fmt: skip


def kind_of(tag: Tag, source: Sequence[Token], place: int) -> int:
    """Which of `EDIT_KINDS` a tag other than KEEP is at a place.

    >>> from copybandit.generators.token_edits import tokens
    >>> row = tokens("the the mug on the shelf")
    >>> [EDIT_KINDS[kind_of(Tag(op="delete"), row, place)] for place in (2, 4, 5)]
    ['doubled', 'deletion', 'repetition']
    """
    mark = (
        not source[place].word.isalnum()
        if tag.op in ("delete", "join")
        else not any(map(str.isalpha, tag.word))
    )
    if tag.op == "write" and not source[place].word.islower():  # a name may be like any word
        return EDIT_KINDS.index("spelling of a capital")
    if tag.op == "join":
        return EDIT_KINDS.index("spacing" if mark else "joining")
    if tag.op == "delete" and repeated(source, place):
        same = source[place - 1].word.lower() == source[place].word.lower()
        return EDIT_KINDS.index("doubled" if same else "repetition")
    if tag.op in ("delete", "append") and mark:
        return EDIT_KINDS.index("mark")
    return EDIT_KINDS.index(_BY_OP[tag.op])
