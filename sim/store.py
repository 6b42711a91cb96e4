"""Save and load nested frozen records of arrays, numbers and texts: JSON for the tree, safetensors for the arrays.

Only classes named here can be made by loading, so a file can bring data but never code.
"""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any, TypeVar

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
    interest_repeat,
    logit,
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
        interest.ProductFeatures,
        interest_repeat.RepeatInterest,
        logit.Tastes,
        retail_gold.CollaborativeText,
        sequence.SequenceModel,
        visits_fit.VisitModel,
        sentence.Sentence,
        guarded.Guarded,
        support.Support,
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


def save_record(path: Path, record: object) -> None:
    """Write PATH.json and PATH.safetensors; a file appears whole or not at all.

    Raises:
        DataError: the record holds something that `load_record` could not make again.
    """
    arrays: dict[str, NDArray[Any]] = {}
    tree = _flatten(record, "r", arrays)
    _replace(path.with_suffix(".safetensors"), save({k: np.ascontiguousarray(v) for k, v in arrays.items()}))
    _replace(path.with_suffix(".json"), (json.dumps(tree, sort_keys=True) + "\n").encode())


def load_record(path: Path, cls: type[Record]) -> Record:
    """Read what `save_record` wrote.

    Raises:
        DataError: a file is missing or broken, or holds another kind of record.
    """
    try:
        arrays = load(path.with_suffix(".safetensors").read_bytes())
        record = _build(json.loads(path.with_suffix(".json").read_text("utf-8")), arrays)
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


def _flatten(value: Any, name: str, arrays: dict[str, NDArray[Any]]) -> Any:
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        if type(value).__name__ not in _CLASSES:
            raise DataError(f"a {type(value).__name__} cannot be saved; add the class to sim.store")
        return {
            "class": type(value).__name__,
            "fields": {f.name: _flatten(getattr(value, f.name), f"{name}.{f.name}", arrays) for f in fields},
        }
    if isinstance(value, np.ndarray) and value.dtype.kind == "U":
        return {"texts": value.tolist()}
    if isinstance(value, np.ndarray):
        arrays[name] = value
        return {"array": name}
    if isinstance(value, tuple):
        return {"tuple": [_flatten(item, f"{name}.{index}", arrays) for index, item in enumerate(value)]}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise DataError(
        f"{name}: a {type(value).__name__} cannot be saved; make it a tuple, an array or a number"
    )


def _build(node: Any, arrays: dict[str, NDArray[Any]]) -> Any:
    if not isinstance(node, dict):
        return node
    if "array" in node:
        return arrays[node["array"]]
    if "texts" in node:
        return np.array(node["texts"], np.str_)
    if "tuple" in node:
        return tuple(_build(item, arrays) for item in node["tuple"])
    return _CLASSES[node["class"]](**{name: _build(item, arrays) for name, item in node["fields"].items()})


def _replace(path: Path, data: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(data)
    os.replace(partial, path)
