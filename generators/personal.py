"""Personal data in copy: e-mail, phone, card, bank and identity numbers, and postal addresses.

Numbers that carry a check digit are refused only where it is right, so that an article number is no card.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from copybandit.generators.rejection import Rejection, reject

_EMAIL = re.compile(
    r"[\w.+-]+\s?(?:@|\(at\)|\[at\])\s?[\w-]+\s?(?:\.|\(dot\)|\[dot\]| dot )\s?[a-z]{2,}|[\w.+-]+ at [\w-]+ dot [a-z]{2,}"
)
_PHONE = re.compile(
    r"(?<![\d.])(?:\+\d{1,3}[\s.-]?)?(?:\(\d{2,4}\)\s?|\d{2,4}[\s.-])\d{3,4}[\s.-]\d{3,4}(?![\d.])"
    r"|(?<!\d)(?:\+?86[\s-]?)?1[3-9]\d[\s-]?\d{4}[\s-]?\d{4}(?!\d)|(?<!\d)0\d{2,3}-\d{7,8}(?!\d)|(?<!\d)400-?\d{3}-?\d{4}(?!\d)"
    r"|\+\d{1,3}[\s.-]?\d{6,12}(?!\d)"
    r"|\b(?:call|phone|tel|text|whatsapp|dial)\W{1,3}(?:us |me |now |at |on )*\+?[\d\s().-]{7,}\d"
)
_DIGITS = re.compile(r"(?<![\d.])\d(?:[\s-]?\d){12,18}(?![\d.])")
_CITIZEN = re.compile(r"(?<!\d)[1-9]\d{16}[\dx](?!\d)")
_SOCIAL = re.compile(r"(?<!\d)(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?!\d)")
_IBAN = re.compile(r"\b[a-z]{2}\d{2}(?:\s?[a-z0-9]{4}){2,7}(?:\s?[a-z0-9]{1,4})?\b")
_ADDRESS = re.compile(
    r"\b\d{1,5}[a-z]? (?:[a-z]+ ){1,2}(?:street|st\.|avenue|ave\.|boulevard|blvd\.?)"
    r"|\b\d{1,5}[a-z]? [a-z]{3,} (?:road|rd\.|lane)\b"
    r"|\bp\.? ?o\.? box \d+|[\u4e00-\u9fff]{2,}(?:省|市|区|县)[\u4e00-\u9fff]{1,12}(?:路|街|道|巷|弄|村|小区)\s?\d+\s?号?"
    r"|(?:路|街|巷)\s?\d+\s?号(?:楼|院)?|\d+栋\d*单元|\d+号楼\d+室|\b(?:apt|apartment|flat|suite)\.? ?#?\d+[a-z]?\b"
)
_CONTACT = re.compile(
    r"(?:微信号?|vx|qq号?|wechat(?: id)?)\s?[:是为]?\s?[a-z0-9_-]{5,}"
    r"|加(?:我|客服|下)?(?:的)?(?:微信|v信|vx)|扫码(?:加|领|进)|身份证号|银行卡号|手机号\s?[:是]?\s?\d"
)
_NAMED = re.compile(
    r"^(?:dear|hi|hello|hey),? (?:mr|mrs|ms|miss|dr)\.? [a-z]+|亲爱的[\u4e00-\u9fff]{1,3}(?:先生|女士|小姐)"
)


def personal(text: str) -> Iterator[Rejection]:
    """E-mail, phone, card, bank and identity numbers (checked where they carry a check digit) and postal addresses."""
    for kind, pattern in _PERSONAL:
        yield from (reject("personal-data", match, f"{kind}") for match in pattern.finditer(text))
    for match in _DIGITS.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        if luhn(digits) and len(set(digits)) > 1:
            yield reject("personal-data", match, "a card number")
    for match in _CITIZEN.finditer(text):
        if citizen(match.group()):
            yield reject("personal-data", match, "an identity number")
    for match in _IBAN.finditer(text):
        if iban(match.group()):
            yield reject("personal-data", match, "a bank account number")


_PERSONAL = (
    ("an e-mail address", _EMAIL),
    ("a phone number", _PHONE),
    ("a social security number", _SOCIAL),
    ("a postal address", _ADDRESS),
    ("a way to reach somebody", _CONTACT),
    ("somebody's name", _NAMED),
)


def luhn(digits: str) -> bool:
    """Check digit of payment cards, ISO/IEC 7812-1.

    >>> luhn("4111111111111111"), luhn("4111111111111112")
    (True, False)
    """
    doubled = [int(d) * (2 if place % 2 else 1) for place, d in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0


def citizen(number: str) -> bool:
    """Check digit of a Chinese identity number, GB 11643-1999 (ISO 7064 MOD 11-2).

    >>> citizen("11010519491231002x"), citizen("110105194912310021")
    (True, False)
    """
    total = sum(int(d) * pow(2, 17 - place, 11) for place, d in enumerate(number[:17]))
    return "10x98765432"[total % 11] == number[17].lower()


def iban(text: str) -> bool:
    """Check digits of an IBAN, ISO 13616: the number, rearranged, is 1 modulo 97.

    >>> iban("gb82 west 1234 5698 7654 32"), iban("gb82 west 1234 5698 7654 33")
    (True, False)
    """
    plain = re.sub(r"\s", "", text).lower()
    return 15 <= len(plain) <= 34 and int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1
