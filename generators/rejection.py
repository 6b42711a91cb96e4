"""A rejection: why a text may not be shown."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Severity = Literal["hard", "soft"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejection:
    """Why a text may not be shown: which rule, which part of the text, and the reason in words.

    A ``soft`` rule is one whose breach a person may excuse, such as an urgency that is true; the editor refuses both
    kinds unless it is set to let soft ones through.
    """

    rule: str
    span: tuple[int, int]
    reason: str
    severity: Severity = "hard"


def reject(rule: str, match: re.Match[str], reason: str, severity: Severity = "hard") -> Rejection:
    """The rejection of what a pattern matched."""
    return Rejection(rule=rule, span=match.span(), reason=reason, severity=severity)
