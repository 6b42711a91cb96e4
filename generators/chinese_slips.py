"""The commonest slips of Chinese copy, as soft findings: doubled words, 的 for 地 and 得, 在 for 再, wrong characters."""

from __future__ import annotations

import re
from collections.abc import Iterator

from copybandit.generators.rejection import Rejection

_DOUBLED = re.compile(
    r"([在是它有和把被我您这])\1(?![非气声条我您])|能可以|可以能(?!不)|[,。、;]{2,}(?<!。。。)|的了(?=。)|有点[^,。]{1,3}了点"
)
_ADVERB = re.compile(
    r"(?:慢慢|轻轻|静静|悄悄|紧紧|牢牢|稳稳|渐渐|默默|温柔|安静|轻松|认真|用力|仔细|放心)的"
    r"(?=[倒放走喝握抱贴吸躺坐等推按拧吃听画裹托抚洗擦闻尝嚼爬滑]|睡去|睡着|合上|关上|打开|收进|照顾|陪伴|守着)"
)
_COMPLEMENT = re.compile(
    r"[遮烫揭跑跳贴站拎煮烤擦熨晒飞睡切挂卷磨]的(?=严(?!格|重)|平(?=[,。!整]|$)|下(?=[,、。!]|$)|动(?=[,。!]|$)|快(?=[,。!]|$)|稳(?=[,。!]|$)|久|住(?=[,。!]|$)|干净(?=[,。!]|$))"
)
_WRONG = re.compile(
    r"(?:咱们?|我们|明天|下次|回头)在(?:见|来|聊|约)|在来一|在也(?:不|没)|以经|既使|必竟|因该|妨(?:水|晒|滑|尘)|渡假|松驰|按装|粘帖|迫不急待|一如继往|"
    r"穿流不息|再接再励|走头无路|幅射|欢渡|好象|做为一|起码最少|大约[^,。]{1,5}左右"
)


_TWICE = re.compile(
    r"([一-鿿][给在向往进把被和与为对])\1|(?!.{0,3}[叮当啦嘿哗咚轰噜一])(?<![想要爱该])([一-鿿]{4,6})\2|(起来|下去|出来|下来|过来|上去|进去|回来)了?\3"
    r"|(?<!目)的的(?![确士])|在[^,。]{1,6}[里下上中边前后旁]在(?=[,。!?]|$)|[喝吃看听写读走讲坐睡]一[杯口碗眼本页遍][喝吃看听写读走讲坐睡](?=[,。!?]|$)"
    r"|(?![哈呵嘿嘻呜啊嗯嘻啦])([一-鿿])\4{4,}|[了的]就(?=[。!]|$)|(?:非常|十分|极其|格外)(?:很|太)|很(?:非常|十分|极其)"
    r"|不[^,。不]{1,4}了的[哦呢哈呀喔](?=[,。!]|$)|[不没][一-鿿]了住"
)
_FAST = "[大小快慢稳远久响亮高低深牢紧早晚香饱甜好暖]"
_DEGREE = re.compile(
    rf"[开吹跑走飞站睡坐背跳笑拧藏挂卷压推伸扛拎举]的{_FAST}(?=[,。!?]|$)|[开吹跑走煮吃喝睡坐背写]的{_FAST},[开吹跑走煮吃喝睡坐背写]的{_FAST}"
    r"|[吹唱写做画读拍切煮炒烤包织缝洗跑跳]的([一-鿿])不\1|很[一-鿿]{1,3}(?<![觉值懂记获取难])得(?![到了意益体])[一-鿿]{2}"
)


def chinese_slips(text: str) -> Iterator[Rejection]:
    """Slips in folded Chinese text, each a soft finding.

    >>> [slip.span for slip in chinese_slips("慢慢的倒,咱们在见")]
    [(0, 3), (5, 9)]
    """
    for pattern in (_DOUBLED, _TWICE, _ADVERB, _COMPLEMENT, _DEGREE, _WRONG):
        for match in pattern.finditer(text):
            reason = f"{match.group()!r} is a slip"
            yield Rejection(rule="slip", span=match.span(), reason=reason, severity="soft")
