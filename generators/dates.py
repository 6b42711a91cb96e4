"""Dates in copy: days, months with a day, years. A date agrees with another when what both say is the same."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise

from copybandit.generators.numerals import read_han

_MONTHS = {
    name: number
    for number, names in enumerate(
        "january jan,february feb,march mar,april apr,may,june jun,july jul,august aug,september sept sep,october oct,"
        "november nov,december dec".split(","),
        start=1,
    )
    for name in names.split()
}
_NAME = "|".join(sorted(_MONTHS, key=len, reverse=True))
_HAN = "[〇零一二三四五六七八九十]"
_FORMS = (
    re.compile(r"(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})(?![\d.])"),
    re.compile(r"(?P<a>\d{1,2})/(?P<b>\d{1,2})/(?P<y>\d{4}|\d{2})(?!\d)"),
    re.compile(
        rf"\b(?P<name>{_NAME})\.?\s(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?:,?\s(?P<y>\d{{4}}))?(?![\d%])",
        re.IGNORECASE,
    ),
    re.compile(
        rf"(?<!\d)(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?:\sof)?\s(?P<name>{_NAME})\b\.?(?:,?\s(?P<y>\d{{4}}))?",
        re.IGNORECASE,
    ),
    re.compile(rf"\b(?P<name>{_NAME})\.?,?\s(?P<y>(?:19|20)\d{{2}})\b", re.IGNORECASE),
    re.compile(
        rf"(?:(?P<y>\d{{4}}|{_HAN}{{4}})年)?(?P<m>\d{{1,2}}|{_HAN}{{1,2}})月(?:(?P<d>\d{{1,2}}|{_HAN}{{1,3}})[日号])?(?!份)"
    ),
    re.compile(rf"(?<!\d)(?P<y>(?:19|20)\d{{2}}|[一二]{_HAN}{{3}})年"),
    re.compile(
        r"\b(?:since|in|est\.?|established|from|founded)\s(?:in\s)?(?P<y>(?:1[5-9]|20)\d{2})\b", re.IGNORECASE
    ),
)
_LINKED = r"(?:to|and|until|till|through|or|-|–)"
# `March` and `May` are verbs, too: they are months after a preposition or beside another month.
_ALONE = re.compile(
    r"\b(?:January|February|April|June|July|August|September|October|November|December"
    rf"|(?:March|May)(?=\s?{_LINKED}\s?[A-Z])|(?<=\b(?i:in|to|of|by) )(?:March|May)"
    r"|(?<=[a-z] to )(?:March|May)|(?<=[a-z] and )(?:March|May)|(?<=[a-z]-)(?:March|May))\b"
)
_LIKELY = re.compile(r"\d|月|年|" + _ALONE.pattern)


@dataclass(frozen=True, kw_only=True, slots=True)
class DateSaid:
    """A date as far as it was said; 0 stands for what was not.

    `swapped` is the other reading of 3/4/2024; `loose` is a month by its name alone, which may be mood (``June in a jar``).
    """

    year: int = 0
    month: int = 0
    day: int = 0
    swapped: bool = False
    loose: bool = False
    span: tuple[int, int] = (0, 0)

    def agrees(self, held: DateSaid) -> bool:
        """Whether every part that this date says, the held one says, too."""
        if self.year and self.year % 100 != held.year % 100:
            return False
        mine, theirs = (self.month, self.day), (held.month, held.day)
        if (self.swapped or held.swapped) and mine == theirs[::-1]:
            return True
        return all(part in (0, other) for part, other in zip(mine, theirs, strict=True))


def dates(text: str) -> tuple[DateSaid, ...]:
    """Every date of a normalised text; the verb in ``you may 2`` is no month."""
    if not _LIKELY.search(text):
        return ()
    found: list[DateSaid] = []
    for form in _FORMS:
        for match in form.finditer(text):
            clear = not any(d.span[0] < match.end() and match.start() < d.span[1] for d in found)
            if clear and (date := _date(match)) is not None:
                found.append(date)
    for match in _ALONE.finditer(text):
        if not any(d.span[0] < match.end() and match.start() < d.span[1] for d in found):
            found.append(DateSaid(month=_MONTHS[match.group().lower()], loose=True, span=match.span()))
    return _shared(text, sorted(found, key=lambda date: date.span))


_BETWEEN = re.compile(rf"\s?{_LINKED}\s?")


def _shared(text: str, found: list[DateSaid]) -> tuple[DateSaid, ...]:
    """Give the first month of ``January-December 2026`` the year of the last."""
    for place, (first, last) in enumerate(pairwise(found)):
        gap = text[first.span[1] : last.span[0]]
        if first.loose and last.year and first.month <= last.month and _BETWEEN.fullmatch(gap):
            found[place] = replace(first, year=last.year, loose=False)
    return tuple(found)


def follows(date: DateSaid, held: tuple[DateSaid, ...]) -> bool:
    """Whether a date agrees with a held one; a month alone is mood where none is held, and may lie between two."""
    if any(date.agrees(one) for one in held):
        return True
    months = [one.month for one in held if one.month]
    within = date.month and not date.day and {one.year for one in held} == {date.year}
    if not (date.loose or within):
        return False
    spans = pairwise(months)
    return (not months and date.loose) or any(
        (date.month - first) % 12 <= (last - first) % 12 for first, last in spans
    )


def _number(said: str | None) -> int:
    """A part of a date in digits or Chinese numerals; 0 for none."""
    return 0 if not said else int(said) if said.isdigit() else int(read_han(said) or 0)


def _date(match: re.Match[str]) -> DateSaid | None:
    part = match.groupdict()
    if part.get("name") in ("may", "march", "sept", "mar"):  # verbs, unless written as a name
        return None
    year = _number(part.get("y"))
    if part.get("a"):
        month, day, swapped = int(part["a"]), int(part["b"]), True
        month, day = (day, month) if month > 12 else (month, day)
    else:
        month = _MONTHS[part["name"].lower()] if part.get("name") else _number(part.get("m"))
        day, swapped = _number(part.get("d")), False
    loose = not (year or day) and bool(part.get("m")) and not part["m"].isdigit()
    if month > 12 or day > 31:
        return None
    return DateSaid(year=year, month=month, day=day, swapped=swapped, loose=loose, span=match.span())
