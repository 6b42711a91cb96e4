"""In which language a product speaks: facts are copied into copy, never translated.

A text is in Chinese when its letters are Chinese or Latin and no plain English word stands in it, so that names and codes
(``Kindle``, ``USB-C``, ``350 ml``) may. It is in English when most of its letters are Latin and none is Chinese. Copy leaves
out facts of the other language; a product whose very name is in another language is refused.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from functools import lru_cache
from typing import get_args

from copybandit.sim.types import Brief, DataError, Language, Product

HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_ENGLISH_WORD = re.compile(r"(?<![\w-])[a-z]{3,}(?![\w-])")
LANGUAGES: tuple[Language, ...] = get_args(Language)
_NAMES = {"en": "English", "zh": "Chinese"}


@lru_cache(maxsize=8192)
def in_language(text: str, language: Language) -> bool:
    """Whether copy of that language may hold the text.

    >>> [in_language(text, "zh") for text in ("保温杯", "USB-C", "ceramic mug", "чашка")]
    [True, True, False, False]
    >>> [in_language(text, "en") for text in ("ceramic mug", "Crème brûlée", "保温杯", "чашка")]
    [True, True, False, False]
    """
    if text.isascii():
        return language == "en" or not _ENGLISH_WORD.search(text)
    if language == "en" and HAN.search(text):
        return False
    letters = [letter for letter in text if letter.isalpha() and not HAN.match(letter)]
    latin = sum(unicodedata.name(letter, "").startswith("LATIN") for letter in letters)
    if language == "en":
        return 2 * latin >= len(letters)
    return latin == len(letters) and (HAN.search(text) is not None or not _ENGLISH_WORD.search(text))


def spoken(brief: Brief) -> Product:
    """The brief's product with the facts of the brief's language alone.

    Raises:
        DataError: the language is unknown, or the product's name is not in it.
    """
    product, language = brief.product, brief.language
    if language not in LANGUAGES:
        raise DataError(
            f"language must be one of {', '.join(LANGUAGES)}, got {language!r}; choose one of them"
        )
    if not in_language(product.name, language):
        raise DataError(
            f"product {product.product_id}: copy in {_NAMES[language]} needs a name in {_NAMES[language]}, got "
            f"{product.name!r}; facts are not translated: give name and facts in {_NAMES[language]}, or another language"
        )
    return replace(product, facts=tuple(fact for fact in product.facts if in_language(fact, language)))


def language_of(question: str, otherwise: Language) -> Language:
    """The language a shopper asks in: Chinese characters or two English words tell.

    >>> language_of("多大？", "en"), language_of("how big is it?", "zh"), language_of("USB-C?", "zh")
    ('zh', 'en', 'zh')
    """
    if HAN.search(question):
        return "zh"
    return "en" if len(re.findall(r"[A-Za-z]{2,}", question)) >= 3 else otherwise
