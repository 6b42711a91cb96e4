"""Kinds of token edits: how sure one must be differs by kind, for slips of the keys show, and a needless "of" does not."""

from __future__ import annotations

from collections.abc import Sequence

from copybandit.generators.token_edits import Tag, Token
from copybandit.generators.token_words import repeated

EDIT_KINDS = (
    "spelling", "parting", "joining", "spacing", "article", "number", "capitals", "repetition", "deletion", "mark",
    "insertion", "replacement",
)  # fmt: skip
_BY_OP = {
    "write": "spelling", "split": "parting", "space": "spacing", "article": "article", "plural": "number",
    "singular": "number", "lower": "capitals", "title": "capitals", "upper": "capitals", "append": "insertion",
    "replace": "replacement", "delete": "deletion",
}  # fmt: skip


def kind_of(tag: Tag, source: Sequence[Token], place: int) -> int:
    """Which of `EDIT_KINDS` a tag other than KEEP is at a place.

    >>> from copybandit.generators.token_edits import tokens
    >>> row = tokens("the the mug of tea")
    >>> [EDIT_KINDS[kind_of(Tag(op="delete"), row, place)] for place in (2, 4)]
    ['repetition', 'deletion']
    """
    mark = (
        not source[place].word.isalnum()
        if tag.op in ("delete", "join")
        else not any(map(str.isalpha, tag.word))
    )
    if tag.op == "join":
        return EDIT_KINDS.index("spacing" if mark else "joining")
    if tag.op == "delete" and repeated(source, place):
        return EDIT_KINDS.index("repetition")
    if tag.op in ("delete", "append") and mark:
        return EDIT_KINDS.index("mark")
    return EDIT_KINDS.index(_BY_OP[tag.op])
