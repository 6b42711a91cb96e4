"""One spelling for every text: what a reader sees, without what only a machine sees.

`normalise` gives text that may be shown: NFKC (Unicode UAX #15), no invisible or direction characters, single spaces, and
Latin letters where a word mixes Latin with letters of another script that look like them (Unicode TR39, mixed-script
confusables). Chinese text keeps its punctuation and emoji their joiners. `folded` goes further and gives text to compare,
never to show; it has one character for each of its argument, so a place in one is a place in the other.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Letters of confusables.txt (TR39) that NFKC leaves alone and that have a Latin letter as prototype, by that letter.
_LOOKALIKES = {
    "A": "ΑАᎪ", "B": "ꞴΒВᏴ", "C": "СᏟ", "D": "Ꭰ", "E": "ΕЕᎬ", "F": "ꞘϜ", "G": "ԌᏀᏳ", "H": "ΗНᎻ", "I": "ΙІӀ", "J": "ꞲͿЈᎫ",
    "K": "ΚКᏦ", "L": "Ꮮ", "M": "ΜϺМᎷ", "N": "Ν", "O": "ΟОՕ", "P": "ΡРᏢ", "R": "ƦᎡᏒ", "S": "ЅՏᏕᏚ", "T": "ΤТᎢ", "U": "Ս",
    "V": "ѴᏙ", "W": "ԜᎳᏔ", "X": "ꞳΧХ", "Y": "ΥУҮᎩᎽ", "Z": "ΖᏃ", "a": "ɑαа", "b": "ƄЬᏏ", "c": "ᴄсꮯ", "d": "ԁᏧ", "e": "ꬲеҽ",
    "f": "ꬵք", "g": "ɡᶃƍց", "h": "һհᏂ", "i": "ıɪɩιіꙇӏꭵᎥ", "j": "ϳј", "l": "ǀ", "n": "ոռ", "o": "ᴏᴑꬽοσоօ", "p": "ρр",
    "q": "ԛգզ", "r": "ꭇꭈᴦгꮁ", "s": "ꜱƽѕꮪ", "u": "ꞟᴜꭎꭒʋυս", "v": "ᴠνѵꮩ", "w": "ɯᴡѡԝաꮃ", "x": "х", "y": "ɣᶌʏγуү", "z": "ᴢꮓ",
}  # fmt: skip
_LATIN = {ord(like): latin for latin, alike in _LOOKALIKES.items() for like in alike}
_WORD = re.compile(r"[^\W\d_]+")
_ASCII_LETTER = re.compile(r"[A-Za-z]")
_CHINESE = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
# Full-width punctuation that is right in Chinese text; NFKC would make it ASCII.
_CHINESE_MARK = re.compile(r"([，！？；：（）])")
_SEEN = 64
"""Texts that are kept: a check folds its text and the product's words several times."""
_JOINER = "\u200d"
_EMOJI_AROUND = re.compile(
    r"(?<=[\U0001f000-\U0001faff\u2600-\u27bf\ufe0f])\u200d(?=[\U0001f000-\U0001faff\u2600-\u27bf])"
)
_LEET = str.maketrans("013457@$!|", "oieastasii")
_TRADITIONAL = str.maketrans(
    "國級極療癒效醫藥產證書專業認權質絕對無與倫標準實際獨創發頂尖領導擊購買評價們這個來說時間億萬餘長產開關預總後還動類獎勵"
    "輸複續優惠費贈單網銷量佔據馬統檢測術學華東車門風飛龍號碼電話聯繫點連鏈義務應該請將從現讓寫廣劃線記錄戶記憶體驗顯著減壓"
    "風險穩賺賠報酬證銀行貸環綠潔淨氣補償減碳雙倉庫貨僅當馬滅過經親測試場極致獲選賣爆歷史盡搶規則設內語詞擔聲禮錢給滿寶兒藍紅漢陽",
    "国级极疗愈效医药产证书专业认权质绝对无与伦标准实际独创发顶尖领导击购买评价们这个来说时间亿万余长产开关预总后还动类奖励"
    "输复续优惠费赠单网销量占据马统检测术学华东车门风飞龙号码电话联系点连链义务应该请将从现让写广划线记录户记忆体验显著减压"
    "风险稳赚赔报酬证银行贷环绿洁净气补偿减碳双仓库货仅当马灭过经亲测试场极致获选卖爆历史尽抢规则设内语词担声礼钱给满宝儿蓝红汉阳",
)


def invisible(letter: str) -> bool:
    """Whether a character shows nothing: controls, format, direction, private and lone surrogates."""
    return unicodedata.category(letter) in {"Cf", "Cc", "Co", "Cs"}


def hidden(text: str) -> list[int]:
    """Places of invisible characters, line breaks and the joiners inside emoji left out."""
    if text.isascii() and text.isprintable():
        return []
    joiners = {match.start() for match in _EMOJI_AROUND.finditer(text)}
    return [i for i, letter in enumerate(text) if letter > "\x1f" and i not in joiners and invisible(letter)]


# A word with Latin letters and others of a script that looks like it; the ohm, micro and pi of units are no disguise.
_MIXED = re.compile(
    r"(?=\w*[A-Za-z])(?=\w*[\u0370-\u03a8\u03aa-\u03bb\u03bd-\u03bf\u03c1-\u058f\u13a0-\u13ff\u0250-\u02af])[^\W\d_]+"
    r"|[\u2e80-\u2fdf]+"
)


def disguised(text: str) -> re.Match[str] | None:
    """The first word that mixes scripts that look alike, or a run of radicals that stand for characters.

    >>> disguised("a Вosch drill 3 kΩ"), disguised("Матрёшка, café") is None
    (<re.Match object; span=(2, 7), match='Вosch'>, True)
    """
    return None if text.isascii() else _MIXED.search(text)


def has_chinese(text: str) -> bool:
    """Whether any Chinese character stands in the text."""
    return not text.isascii() and _CHINESE.search(text) is not None


@lru_cache(maxsize=_SEEN)
def normalise(text: str) -> str:
    """Return the text as it may be shown; doing it twice changes nothing more.

    >>> normalise("Ｂlue   mug, pаid")  # a full-width B, a Cyrillic a
    'Blue mug, paid'
    """
    if text.isascii() and text.isprintable():  # nothing to fold, nothing to hide
        return " ".join(text.split())
    for _ in range(3):  # taking a hidden character out may let its neighbours combine
        before, text = text, _latin_words(_compatible(" ".join(_visible(" ".join(text.split())).split())))
        if text == before:
            break
    return " ".join(_visible(text).split())


def _visible(text: str) -> str:
    places = set(hidden(text)) | {i for i, letter in enumerate(text) if letter <= "\x1f"}
    return "".join(letter for i, letter in enumerate(text) if i not in places) if places else text


def _compatible(text: str) -> str:
    if not has_chinese(text):
        return unicodedata.normalize("NFKC", text)
    pieces = _CHINESE_MARK.split(text)
    return "".join(p if _CHINESE_MARK.fullmatch(p) else unicodedata.normalize("NFKC", p) for p in pieces)


def _latin_words(text: str) -> str:
    """Fold lookalikes in words that also hold Latin letters; a word all of one script is left as it is."""
    return _WORD.sub(
        lambda m: m.group().translate(_LATIN) if _ASCII_LETTER.search(m.group()) else m.group(), text
    )


@lru_cache(maxsize=_SEEN)
def folded(text: str) -> str:
    """Lower case, lookalikes as Latin, Chinese marks as ASCII, common traditional characters as simplified.

    Same length as `text`, which should be normalised.
    """
    if text.isascii():
        return text.lower()
    text = text.translate(_LATIN).translate(_TRADITIONAL).translate(_MARKS)
    return "".join(low if len(low := letter.lower()) == 1 else letter for letter in text)


_MARKS = str.maketrans("，！？；：（）’‘“”", ",!?;:()''\"\"")


def unleet(text: str) -> str:
    """Letters for the digits and signs that stand for them inside words, same length.

    >>> unleet("1gn0re 30 rul3s")
    'ignore 30 rules'
    """
    return re.sub(r"[\w@$!|]*[A-Za-z][\w@$!|]*", lambda m: _unleet_word(m.group()), text)


def _unleet_word(word: str) -> str:
    body = word.rstrip("!|$@")
    return body.translate(_LEET) + word[len(body) :]


def compact(text: str) -> tuple[str, list[int]]:
    """Letters and digits alone with the place of each: for words written ``l i k e . t h i s``."""
    places = [i for i, letter in enumerate(text) if letter.isalnum()]
    return "".join(text[i] for i in places), places
