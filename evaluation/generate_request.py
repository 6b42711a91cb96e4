"""What `copybandit generate` is asked for, checked before anything is read or written."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar, get_args

from copybandit.evaluation.editing_settings import EditingSettings, editor_of
from copybandit.generators.kinds import VOICES
from copybandit.sim.product_stream import CatalogueRow
from copybandit.sim.segment_file import read_segments
from copybandit.sim.types import Brief, ContentType, DataError, Language, Segment

Format = Literal["csv", "jsonl", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)
Choice = TypeVar("Choice", bound=str)
TEMPLATE = "template"
"""The writer that needs no model."""


@dataclass(frozen=True, kw_only=True)
class GenerateRequest:
    """Copy for every product of a catalogue, and every segment where there are any.

    Attributes:
        catalogue: CSV, JSON lines or Parquet.
        segments: file of segments.
        interests: words of one segment, instead of a file.
        writer: ``template``, ``tiny``, ``smollm2``, ``hf:NAME`` or a folder.
        content_types: kinds of copy, each written for every product.
        language: of the copy.
        voice: one of `VOICES`, or empty.
        placement: where the copy will stand, for its length; empty when it does not matter.
        question: what every product is asked, for answers; the column ``question`` of a product goes first.
        n: candidates for each product, segment and kind.
        temperature: of a model; 0 takes the likeliest word, None what the model was saved with.
        seed: of everything random.
        format: of the files.
        bf16: whether the model's products are rounded to bfloat16: faster, and almost the same distribution.
        editor: steps and rules of the editor.

    Raises:
        DataError: a value is not one of those allowed, or two exclude each other.
    """

    catalogue: Path
    segments: Path | None = None
    interests: tuple[str, ...] = ()
    writer: str = "tiny"
    content_types: tuple[ContentType, ...] = ("headline",)
    language: Language = "en"
    voice: str = ""
    placement: str = ""
    question: str = ""
    n: int = 4
    temperature: float | None = 1.0
    seed: int = 0
    format: Format = "csv"
    bf16: bool = False
    editor: EditingSettings = field(default_factory=EditingSettings)

    def __post_init__(self) -> None:
        one_of("voice", self.voice, ("", *VOICES))
        editor_of(self.editor)
        if len(set(self.content_types)) < len(self.content_types) or not self.content_types:
            raise DataError(f"--type must name each kind once, got {', '.join(self.content_types)}; drop one")
        if self.n < 1 or self.seed < 0:
            raise DataError(
                f"--n must be at least 1 and --seed at least 0, got {self.n} and {self.seed}; correct it"
            )
        if self.bf16 and self.writer == TEMPLATE:
            raise DataError(
                "--bf16 needs a writer that is a model, got template; drop it, or name a --writer"
            )
        if self.segments is not None and self.interests:
            raise DataError("--segments and --interests exclude each other, got both; drop one")

    def read_segments(self) -> tuple[Segment | None, ...]:
        """The segments to write for; None alone for copy that is for everybody.

        Raises:
            DataError: the file cannot be used.
        """
        if self.segments is not None:
            return read_segments(self.segments)
        return (Segment(segment_id=0, interests=self.interests, size=0),) if self.interests else (None,)


def one_of(option: str, value: str, allowed: tuple[Choice, ...]) -> Choice:
    """The allowed value that an option gives.

    Raises:
        DataError: it is none of them.
    """
    for known in allowed:
        if known == value:
            return known
    listed = ", ".join(name for name in allowed if name)
    raise DataError(f"--{option} must be one of {listed}, got {value!r}; choose one of them")


def brief_of(
    request: GenerateRequest, row: CatalogueRow, segment: Segment | None, kind: ContentType
) -> Brief:
    """What is asked for one row.

    Raises:
        DataError: a review draft without a verified buyer's rating, or an answer without a question.
    """
    product = row.product
    if kind == "review" and not row.verified:
        raise DataError(
            f"product {product.product_id}: a review draft needs a verified buyer, got none; "
            "set the column verified to true where the shop knows of the purchase"
        )
    question = row.question or request.question
    if kind == "answer" and not question:
        raise DataError(
            f"product {product.product_id}: an answer needs a question, got none; "
            "fill the column question or pass --question"
        )
    return Brief(
        product=product,
        segment=segment,
        content_type=kind,
        language=request.language,
        placement=request.placement,
        voice=request.voice,
        question=question if kind == "answer" else "",
        notes=row.notes if kind == "review" else "",
        rating=row.rating if kind == "review" else None,
    )
