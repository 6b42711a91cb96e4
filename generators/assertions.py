"""Forms that assert a property: ``with a lid``, ``notes of jasmine``, ``lint-free``, 浅蓝色, 带托盘, 云南产.

The word that fills the form must be one of the product's own, or the reader's interest; common fillers that assert nothing
(``with a smile``, 夜色) are no parts, flavours or colours and so never looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from copybandit.generators.chinese_readings import denied_in_chinese
from copybandit.generators.denials import denied
from copybandit.generators.features import is_feature
from copybandit.generators.phrases import stems
from copybandit.generators.rejection import Rejection, reject

_PART = (
    "lid|handle|spout|strap|pocket|hook|stand|cover|zip|zipper|belt|hood|collar|lining|drawer|shelf|wheel|brake|basket|filter|timer|"
    "display|screen|lamp|mirror|clip|magnet|lock|charger|cable|adapter|adaptor|remote|microphone|sensor|nozzle|tray|rack|straw|"
    "saucer|pouch|sleeve|dial|knob|plug|cord|hose|pump|grinder|buckle|clasp|toggle|drawstring|insole|laces|heel|bookmark|sticker|"
    "manual|ladder|canopy|armrest|headrest|footrest|cushion|pump|gauge|thermometer|strainer|infuser|scoop|whisk|stopper|dropper|"
    "counter|compass|ruler|whistle|bell|buzzer|speaker|valve|port|socket|vent|button|switch|compartment|"
    "bottle opener|led|light|camera|"
    "applicator|holster|kickstand|tripod|mount|bracket|hinge|fan|flash|subwoofer|trackpad|keypad|alarm|grip|nib|barrel|liner"
)
_WITH = re.compile(
    r"\b(?:with|has|features?|includes?|including|plus) (?:an?|its|built-in|integrated)? ?(?:[\w-]+ ){0,2}?"
    rf"(?P<what>{_PART})s?\b"
)
# `a counter in the handle`: what stands in a part of the product is a part, too.
_INSIDE = re.compile(
    rf"\ban? (?:[\w-]+ )?(?P<what>{_PART})s? "
    r"(?:in|on|inside|under|underneath|behind|along|beneath) (?:the|its|each) (?P<where>[a-z]+)"
)
_FLAVOUR = re.compile(
    r"\b(?:notes?|hints?|aromas?|scents?|flavou?rs?|infused|scented|flavou?red) (?:of|with) "
    r"(?P<what>[a-z]+(?:(?:, [a-z]+)*,? and [a-z]+)?)"
    r"|\b(?P<who>[a-z]+)[- ](?:scented|flavou?red|infused|lined|coated|plated|filled|powered"
    r"|certified|compatible|resistant|proof|grade|approved|free)\b"
)
_IDLE = stems(
    "the a an and your our its all any some most more very so too of in on care worry stress hassle trouble guilt fuss fool "
    "hands drama scot mess debt pain cash light heavy fully half well self self-made morning mornings evening summer winter "
    "spring autumn home adventure joy calm comfort sun moon living fun action fully un ill is are be feel set for break "
    "nostalgia mischief surprise humour humor sky day night every deliciously"
)
_CHINESE = re.compile(
    r"(?P<colour>(?:[浅深淡暗亮天海宝藏墨酒玫草军奶雾湖]?[红橙黄绿青蓝紫黑灰粉棕咖褐]|[米奶象月]?白|[银金]|豆沙|奶茶|焦糖|香槟|卡其|驼|杏|米)色(?!调|彩|情))"
    r"|(?P<flavour>草莓|巧克力|香草|抹茶|牛奶|鸡肉|牛肉|三文鱼|金枪鱼|绿茶|薄荷|柠檬|香橙|葡萄|苹果|蜜桃|白桃|荔枝|芒果|椰子|海盐|焦糖|麻辣|香辣|五香"
    r"|烧烤|番茄|孜然|玫瑰|茉莉|薰衣草|桂花|檀香|雪松|栀子|樱花|蓝莓|榴莲|蜂蜜|酸奶)(?=味|香型|口味|香味|风味)"
    r"|(?:自带|内置|配有|附带|附|带|配)(?:有|一个|一条|一只|两个|两只|个)?(?P<part>盖|托盘|支架|手柄|夜灯|锁|轮|口袋|拉链|勺|杯套|遥控|屏幕|插座|密码锁|收纳袋|镜子|刻度"
    r"|提手|帽子|腰带|刹车|滤网|漏斗|吸管|挂钩|抽屉|电池|充电线|充电器|说明书|脚垫|靠枕|蓬|雨罩|香薰)"
    r"|(?<![预国严以])(?P<proof>[防抗耐](?!守|线|备|范|议|战|拒|心|人寻味|看|不住|着)[\u4e00-\u9fff]{1,2})"
    r"|(?P<kind>[茶青红黑银]轴|修身|宽松版|中长款|短款|加大码|均码|有线|浓香型|清香型|酱香型|特级|一级|粗粮|现货)"
    r"|(?P<place>中国|日本|韩国|德国|法国|意大利|英国|美国|瑞士|瑞典|丹麦|荷兰|比利时|西班牙|葡萄牙|俄罗斯|澳洲|澳大利亚|新西兰|加拿大|泰国|越南|印度|印尼|马来西亚"
    r"|巴西|智利|阿根廷|埃及|土耳其|希腊|北京|上海|天津|重庆|河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|广西|海南|四川|贵州|云南"
    r"|西藏|陕西|甘肃|青海|宁夏|新疆|内蒙古|台湾|香港|景德镇|宜兴|龙泉|武夷山|安溪|杭州|苏州|阳澄湖|五常|烟台|赣南|东北|长白山)"
    r"(?=[\u4e00-\u9fff]{0,4}?(?:产|制造|工艺|进口|出品|来的|直采|直邮|空运|匠|师傅|手工|老字号|特产|货|技术|品质|设计|种植|采摘))"
    r"|(?<=来自)(?!于|心|生活|大自然|自然|你|我|她|他|一|每|妈|远方|清晨|星)(?P<source>[\u4e00-\u9fff]{2})"
)
_WHAT = {"colour": "a colour", "flavour": "a flavour", "part": "a part", "proof": "a property", "kind": "a kind",
         "place": "a place", "source": "a place"}  # fmt: skip


_OTHERS = re.compile(r"\b(?:your|my|our|every|any|another)\b")


def _formed(what: str, said: str) -> bool:
    """Whether the product names a part in another form: a magnet where there is a magnetic closure, a zipper for a zip."""
    if what == "zipper" and re.search(r"\bzips?\b", said):
        return True
    return re.search(rf"\b{what}(?:ic|{what[-1]}?(?:ed|er|ing))\b", said) is not None


def _no_part(low: str, match: re.Match[str]) -> bool:
    """Whether the part is denied (``has no lid``), or the reader's (``with your lamp``)."""
    return denied(low, match.start("what")) or _OTHERS.search(match.group()) is not None


def _own_participle(match: re.Match[str], said: str) -> bool:
    """Whether the participle is the product's (``a boring lined notebook``), and the word before it only stands there."""
    before, _, participle = match.group().partition(" ")
    return before == match["who"] and re.search(rf"\b{re.escape(participle)}\b", said) is not None


def foreign_assertions(said: str, low: str) -> Iterator[Rejection]:
    """Properties that folded text asserts with words that are not the product's.

    Args:
        said: folded text of all that the product says and the reader cares for.
        low: the copy, normalised and folded.
    """
    for match in _INSIDE.finditer(low):
        own = stems(said)
        if stems(match["where"]) <= own and not stems(match["what"]) & own and not _no_part(low, match):
            yield reject("attribute", match, f"{match.group()!r}: a part that the product does not have")
    if "with" in low or "has " in low or "nclud" in low or "feature" in low or "plus" in low:
        own = stems(said)
        for match in _WITH.finditer(low):
            if match.group() in said or stems(match["what"]) & own or _formed(match["what"], said):
                continue
            if not _no_part(low, match):
                yield reject("attribute", match, f"{match.group()!r}: a part that the product does not have")
    for match in _FLAVOUR.finditer(low):
        new = stems(match["what"] or match["who"]) - _IDLE - stems(said)
        if new and not _own_participle(match, said):
            yield reject("attribute", match, f"{match.group()!r} is not what the product says")
    if not low.isascii():
        yield from _chinese(said, low)


def _chinese(said: str, low: str) -> Iterator[Rejection]:
    for match in _CHINESE.finditer(low):
        kind = match.lastgroup or ""
        word = match[kind].removesuffix("色")
        if kind == "proof" and (word[:2] in said or is_feature(word)):  # the closed world of features decides
            continue
        if word not in said and match.group() not in said and not denied_in_chinese(low, match.start(kind)):
            yield reject(
                "attribute", match, f"{match.group()!r} is {_WHAT[kind]} that the product does not name"
            )
