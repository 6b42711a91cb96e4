"""Copy for one product: candidates, what the editor makes of them, and a reason for everything that is not shown.

What reads as an order to the writer is dropped from the input first. Each brief gives up to n candidates; the editor
repairs how a text is written, refuses what breaks a rule, and a text that came before is dropped. If nothing is left the
template writes, marked so; if that is refused too, or the brief cannot be written at all, the refusals say why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import version

from copybandit.evaluation.copy_rows import CopyRow, RefusedRow
from copybandit.evaluation.editing_settings import editor_of
from copybandit.evaluation.generate_request import TEMPLATE, GenerateRequest, brief_of
from copybandit.evaluation.scribes import Candidate, Scribe, brief_rng, load_scribe, template_candidate
from copybandit.generators.editor import Edited, Editor
from copybandit.generators.injection import CleanedBrief, cleaned_brief
from copybandit.sim.product_stream import CatalogueRow
from copybandit.sim.types import Brief, ContentType, DataError, Segment, Variant


@dataclass(frozen=True, kw_only=True)
class Written:
    """What became of one brief, or of many."""

    copy: tuple[CopyRow, ...]
    refused: tuple[RefusedRow, ...]

    def __add__(self, other: Written) -> Written:
        """Both, in order."""
        return Written(copy=self.copy + other.copy, refused=self.refused + other.refused)


NOTHING = Written(copy=(), refused=())


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A request with its writer, its segments and its editor: all that it takes to write for a row."""

    request: GenerateRequest
    scribe: Scribe
    segments: tuple[Segment | None, ...]
    editor: Editor

    @classmethod
    def open(cls, request: GenerateRequest) -> Desk:
        """Load the writer and read the segments.

        Raises:
            DataError: there is no such writer, or the file of segments cannot be used.
        """
        segments = request.read_segments()
        scribe = load_scribe(request.writer, request.temperature, bf16=request.bf16)
        return cls(request=request, scribe=scribe, segments=segments, editor=editor_of(request.editor))

    def write(self, row: CatalogueRow) -> Written:
        """All copy for one product."""
        done = NOTHING
        for segment in self.segments:
            for kind in self.request.content_types:
                done += self._one(row, segment, kind)
        return done

    def _one(self, row: CatalogueRow, segment: Segment | None, kind: ContentType) -> Written:
        try:
            clean = cleaned_brief(brief_of(self.request, row, segment, kind))
            rng = brief_rng(self.request.seed, clean.brief)
            candidates = self.scribe.candidates(clean.brief, self.request.n, rng)
            done = _screened(clean) + self._judge(clean, candidates)
            return done if done.copy else done + self._fall_back(clean, len(candidates))
        except DataError as error:
            segment_id = segment.segment_id if segment else -1
            return Written(
                copy=(),
                refused=(_unwritten(row.product.product_id, segment_id, kind, "unwritable", str(error)),),
            )

    def _judge(self, clean: CleanedBrief, candidates: list[Candidate]) -> Written:
        """Candidates that may be shown, and the reasons why the others may not."""
        brief = clean.brief
        shown: dict[str, CopyRow] = {}
        refused: list[RefusedRow] = []
        for candidate in candidates:
            edited = self.editor.edit(clean.asked, candidate.text)
            reasons = [(found.rule, found.span, found.reason) for found in edited.rejections]
            if not reasons and edited.text in shown:
                reasons = [("duplicate", (0, len(edited.text)), "the same text came before")]
            if not reasons:
                shown[edited.text] = self._row(brief, candidate, edited)
            refused += [
                _refused(brief, self.scribe.generator_id, candidate, edited.text, *reason)
                for reason in reasons
            ]
        return Written(copy=tuple(shown.values()), refused=tuple(refused))

    def _fall_back(self, clean: CleanedBrief, n: int) -> Written:
        """The template's text, marked so, where everything else was refused."""
        brief = clean.brief
        candidate = template_candidate(brief)
        template = replace(self, scribe=load_scribe(TEMPLATE, None))
        done = template._judge(clean, [candidate])
        told = f"all {n} candidates of {self.scribe.generator_id} were refused; "
        told += (
            "the template wrote instead"
            if done.copy
            else "the template's own text was refused too, so there is no copy"
        )
        why = _unwritten(
            brief.product.product_id,
            _segment_id(brief),
            brief.content_type,
            "all-refused" if done.copy else "no-copy",
            told,
        )
        marked = tuple(replace(row, fallback=True) for row in done.copy)
        return Written(copy=marked, refused=(*done.refused, why))

    def _row(self, brief: Brief, candidate: Candidate, edited: Edited) -> CopyRow:
        product_id, scribe, text = brief.product.product_id, self.scribe, edited.text
        variant = Variant(text=text, product_id=product_id, generator_id=scribe.generator_id)
        return CopyRow(
            product_id=product_id,
            text=text,
            generator_id=scribe.generator_id,
            content_hash=variant.content_hash,
            segment_id=_segment_id(brief),
            content_type=brief.content_type,
            language=brief.language,
            voice=brief.voice,
            fallback=False,
            log_prob=candidate.log_prob,
            lineage=candidate.lineage,
            prompt=scribe.prompt(brief),
            model_hash=scribe.model_hash,
            seed=self.request.seed,
            edits="; ".join(dict.fromkeys(made.kind for made in edited.edits)),
            rules=rules_version(),
        )


def rules_version() -> str:
    """Which rules let copy through: the package's version."""
    return f"copybandit {version('copybandit')}"


def _segment_id(brief: Brief) -> int:
    return brief.segment.segment_id if brief.segment else -1


def _screened(clean: CleanedBrief) -> Written:
    """What was dropped from the input because it reads as an order to whoever writes."""
    brief = clean.brief
    rows = (
        _unwritten(
            brief.product.product_id,
            _segment_id(brief),
            brief.content_type,
            f"screened-{found.rule}",
            f"{found.field}: {found.reason}; {found.text!r} was left out",
        )
        for found in clean.findings
    )
    return Written(copy=(), refused=tuple(rows))


def _refused(
    brief: Brief,
    generator_id: str,
    candidate: Candidate,
    text: str,
    rule: str,
    span: tuple[int, int],
    reason: str,
) -> RefusedRow:
    return RefusedRow(
        product_id=brief.product.product_id,
        segment_id=_segment_id(brief),
        content_type=brief.content_type,
        generator_id=generator_id,
        text=text,
        log_prob=candidate.log_prob,
        rule=rule,
        start=span[0],
        end=span[1],
        reason=reason,
    )


def _unwritten(product_id: str, segment_id: int, kind: ContentType, rule: str, reason: str) -> RefusedRow:
    return RefusedRow(
        product_id=product_id, segment_id=segment_id, content_type=kind, generator_id="", text="", log_prob=None,
        rule=rule, start=0, end=0, reason=reason,
    )  # fmt: skip
