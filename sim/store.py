"""Save and load nested frozen records of arrays, numbers and texts: JSON for the tree, safetensors for the arrays.

Only classes named here, or by the caller, can be made by loading, so a file can bring data but never code.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from copybandit.sim import (
    _latent,
    baskets,
    blocks,
    calibration,
    conversion,
    demand,
    encoders,
    guarded,
    interest,
    interest_features,
    interest_repeat,
    logit,
    reader,
    retail_gold,
    sentence,
    sequence,
    support,
    surprisal,
    visits_fit,
    wording,
    world,
)
from copybandit.sim.types import DataError

_CLASSES: dict[str, type[Any]] = {
    cls.__name__: cls
    for cls in (
        _latent.LatentText,
        baskets.BasketModel,
        calibration.Platt,
        conversion.ConversionModel,
        demand.DemandModel,
        blocks.Block,
        encoders.CharGrams,
        encoders.Joined,
        encoders.Lsa,
        encoders.RandomFourier,
        encoders.Skeleton,
        encoders.Style,
        interest.InterestModel,
        interest_features.ProductFeatures,
        interest_repeat.RepeatInterest,
        logit.Tastes,
        retail_gold.CollaborativeText,
        sequence.SequenceModel,
        visits_fit.VisitModel,
        sentence.Sentence,
        guarded.Guarded,
        reader.Reader,
        support.Support,
        support.View,
        surprisal.Surprisal,
        wording.Idiosyncratic,
        wording.LinearWording,
        wording.Saturated,
        world.Coefficients,
        world.Taste,
        world.World,
    )
}
Record = TypeVar("Record")


def record_classes(cls: Any) -> frozenset[type[Any]]:
    """A record's class and every record class that its fields' annotations name, for `save_record` and `load_record`."""
    found: set[type[Any]] = set()
    rest = [cls]
    while rest:
        kind = rest.pop()
        rest += get_args(kind)
        if isinstance(kind, type) and dataclasses.is_dataclass(kind) and kind not in found:
            found.add(kind)
            rest += get_type_hints(kind).values()
    return frozenset(found)


def save_record(path: Path, record: object, also: Iterable[type[Any]] = ()) -> None:
    """Write PATH.json and PATH.safetensors; a file appears whole or not at all.

    Args:
        path: without suffix.
        record: of a class of this module's list or of `also`, its fields too.
        also: more classes that may be saved.

    Raises:
        DataError: the record holds something that `load_record` could not make again.
    """
    arrays: dict[str, NDArray[Any]] = {}
    tree = _flatten(record, "r", arrays, _named(also))
    _replace(path.with_suffix(".safetensors"), save({k: np.ascontiguousarray(v) for k, v in arrays.items()}))
    _replace(path.with_suffix(".json"), (json.dumps(tree, sort_keys=True) + "\n").encode())


def load_record(path: Path, cls: type[Record], also: Iterable[type[Any]] = ()) -> Record:
    """Read what `save_record` wrote, given the same `also`.

    Raises:
        DataError: a file is missing or broken, or holds another kind of record.
    """
    try:
        arrays = load(path.with_suffix(".safetensors").read_bytes())
        record = _build(json.loads(path.with_suffix(".json").read_text("utf-8")), arrays, _named(also))
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"{path}: cannot read the saved {cls.__name__} ({reason}); run the stage again"
        ) from error
    if not isinstance(record, cls):
        raise DataError(
            f"{path}: must hold a {cls.__name__}, got {type(record).__name__}; give the right file"
        )
    return record


def _named(also: Iterable[type[Any]]) -> dict[str, type[Any]]:
    return {cls.__name__: cls for cls in also} | _CLASSES


def _flatten(value: Any, name: str, arrays: dict[str, NDArray[Any]], classes: dict[str, type[Any]]) -> Any:
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        if type(value).__name__ not in classes:
            raise DataError(f"a {type(value).__name__} cannot be saved; add the class to sim.store")
        return {
            "class": type(value).__name__,
            "fields": {
                f.name: _flatten(getattr(value, f.name), f"{name}.{f.name}", arrays, classes) for f in fields
            },
        }
    if isinstance(value, np.ndarray) and value.dtype.kind == "U":
        return {"texts": value.tolist()}
    if isinstance(value, np.ndarray):
        arrays[name] = value
        return {"array": name}
    if isinstance(value, tuple):
        items = enumerate(value)
        return {"tuple": [_flatten(item, f"{name}.{index}", arrays, classes) for index, item in items]}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise DataError(
        f"{name}: a {type(value).__name__} cannot be saved; make it a tuple, an array or a number"
    )


def _build(node: Any, arrays: dict[str, NDArray[Any]], classes: dict[str, type[Any]]) -> Any:
    if not isinstance(node, dict):
        return node
    if "array" in node:
        return arrays[node["array"]]
    if "texts" in node:
        return np.array(node["texts"], np.str_)
    if "tuple" in node:
        return tuple(_build(item, arrays, classes) for item in node["tuple"])
    fields = {name: _build(item, arrays, classes) for name, item in node["fields"].items()}
    return classes[node["class"]](**fields)


def _replace(path: Path, data: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(data)
    os.replace(partial, path)
