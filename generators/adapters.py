"""Adapters of a writer: the few weights trained beside its own, saved alone, loaded onto the same base, folded in.

    kind     what is learned                                        at first   folds into the weights
    lora     W + (alpha / r) B A for every linear layer              B = 0      yes
    adalora  W + (alpha / r) B diag(e) A, r differs by layer         e = 0      yes
    prefix   keys and values that every head looks at beside words   gate = 0   no

LoRA: arXiv 2106.09685; AdaLoRA: arXiv 2303.10512; prefix: `copybandit.generators.prefix`. The first two are peft's, and
their folders are peft's too. What trains them is in `copybandit.agents.adapters`.
"""

from __future__ import annotations

import copy
import hashlib
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from safetensors.torch import load_file, save_file

from copybandit.generators.prefix import attach_prefix, prefixes
from copybandit.sim.types import DataError

if TYPE_CHECKING:
    from copybandit.generators.lm import CausalLM

Kind = Literal["lora", "adalora", "prefix"]
NAME = "default"
"""Name that peft gives the only adapter of a model."""
CARD = "adapter.json"
"""File that makes a folder an adapter's."""
WEIGHTS = "adapter_model.safetensors"


@dataclass(frozen=True, kw_only=True)
class AdapterCard:
    """What a saved adapter is besides its weights.

    Attributes:
        kind: how it changes the base.
        base: spec that loads the base.
        base_hash: of the base's weights, see `weights_hash`.
        tokens: pairs of keys and values of a prefix.
    """

    kind: Kind
    base: str
    base_hash: str
    tokens: int = 0


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """An adapter on a writer's model. `peft` holds the PeftModel around that model; a prefix has none."""

    card: AdapterCard
    peft: Any | None = None


def weights_hash(model: Any) -> str:
    """First 16 hex digits of the SHA-256 of all weights, by name; the same for equal weights loaded anywhere."""
    digest = hashlib.sha256()
    for name, weight in sorted(model.state_dict().items()):
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}\n".encode())
        digest.update(weight.detach().cpu().contiguous().view(torch.uint8).numpy().data)
    return digest.hexdigest()[:16]


@contextmanager
def quiet_peft() -> Iterator[None]:
    """Silence peft where it asks transformers 5.23 by an old name, and where AdaLoRA's own ranks puzzle it.

    It takes a layer of rank 0 for a mishap, and looks for AdaLoRA's pattern among the names of layers before it applies it.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated")
        warnings.filterwarnings("ignore", message=r"Adapter .* LoRA tensor\(s\) have invalid shape")
        warnings.filterwarnings(
            "ignore", message="The following rank_pattern keys did not match any targeted"
        )
        yield


def merge_adapter(writer: CausalLM) -> CausalLM:
    """Return a plain writer with weights of its own that finds every text as likely as the adapted one does.

    Raises:
        DataError: the writer has no adapter, or one that no weights can stand for.
    """
    adapter = writer.adapter
    if adapter is None:
        raise DataError(f"writer {writer.generator_id}: carries no adapter to merge; use it as it is")
    if adapter.peft is None:
        raise DataError(
            f"writer {writer.generator_id}: a prefix cannot be merged, for it adds attention that no weight of the "
            "base expresses; use the writer as it is, or train lora"
        )
    merged = copy.copy(writer)
    with quiet_peft():
        merged.model = copy.deepcopy(adapter.peft).merge_and_unload().requires_grad_(True)
    merged.adapter, merged.source = None, None
    return merged


def save_adapter(adapter: Adapter, model: Any, folder: Path) -> None:
    """Write weights (safetensors), settings and the base's hash; never the base itself."""
    if adapter.peft is None:
        state = {f"{name}.{key}": w for name, part in prefixes(model) for key, w in part.state_dict().items()}
    else:
        from peft import get_peft_model_state_dict

        # The configuration is written with the pattern of ranks that the weights have.
        config = replace(adapter.peft.peft_config[NAME], inference_mode=True)
        with quiet_peft():
            state = get_peft_model_state_dict(adapter.peft, save_embedding_layers=False)
        config.save_pretrained(str(folder))
    save_file({name: w.detach().contiguous() for name, w in state.items()}, folder / WEIGHTS)
    (folder / CARD).write_text(json.dumps(asdict(adapter.card), indent=1), encoding="utf-8")


def read_adapter_card(folder: Path) -> AdapterCard | None:
    """What a folder says of the adapter in it; None where it holds none."""
    path = folder / CARD
    if not path.is_file():
        return None
    try:
        return AdapterCard(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}: not an adapter's card ({error}); save the adapter again") from None


def load_adapter(folder: Path, card: AdapterCard, model: Any) -> Adapter:
    """Put the adapter of a folder on its base, in place.

    Raises:
        DataError: `model` is not the base it was trained on, or the weights are missing.
    """
    if (found := weights_hash(model)) != card.base_hash:
        raise DataError(
            f"{folder}: base must have hash {card.base_hash}, got {found} from {card.base!r}; name the base it was "
            f"trained on in {CARD}"
        )
    if not (folder / WEIGHTS).is_file():
        raise DataError(f"{folder}: {WEIGHTS} is missing; save the adapter again")
    state = load_file(folder / WEIGHTS)
    with torch.random.fork_rng(devices=[]):  # throw-away initial weights must not move global random state
        if card.kind == "prefix":
            attach_prefix(model, card.tokens)
            for name, part in prefixes(model):
                part.load_state_dict({key: state[f"{name}.{key}"] for key in part.state_dict()})
            return Adapter(card=card)
        return Adapter(card=card, peft=_load_peft(folder, model, state))


def _load_peft(folder: Path, model: Any, state: dict[str, Any]) -> Any:
    from peft import PeftConfig, get_peft_model, set_peft_model_state_dict

    with quiet_peft():
        adapted = get_peft_model(model, PeftConfig.from_pretrained(str(folder)))
        set_peft_model_state_dict(adapted, state)
    return adapted.eval()
