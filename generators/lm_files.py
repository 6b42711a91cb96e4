"""Where weights of language models come from: the package's own files, a folder, or the Hugging Face hub."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging as transformers_logging

from copybandit.generators.int8 import MARK, load_int8
from copybandit.sim.types import DataError

PAD_TOKEN = "<pad>"
EOS_TOKEN = "<eos>"
TINY_FILES = ("tiny.safetensors", "tiny_config.json", "tiny_tokenizer.json")


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep transformers' progress bars and notices off the terminal; errors still show."""
    # transformers leaves these functions without annotations.
    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def load_tiny() -> tuple[Any, Any]:
    """Return model (fp32) and tokenizer that ship inside the package.

    Raises:
        DataError: this installation lacks the weight files.
    """
    folder = resources.files("copybandit.generators")
    for name in TINY_FILES:
        if not folder.joinpath(name).is_file():
            raise DataError(
                f"generator tiny: {name} is missing; reinstall copybandit or run copybandit pretrain"
            )
    weights, config, tokenizer = (folder.joinpath(name).read_bytes() for name in TINY_FILES)
    return tiny_from_bytes(weights, config, tokenizer)


def tiny_from_bytes(weights: bytes, config: bytes, tokenizer: bytes) -> tuple[Any, Any]:
    """Return the fp32 Llama and the tokenizer that three files' contents describe."""
    from tokenizers import Tokenizer

    with torch.random.fork_rng(devices=[]):  # throw-away initial weights must not move global random state
        model = LlamaForCausalLM(LlamaConfig(**json.loads(config)))
    state = {name: tensor.float() for name, tensor in load_safetensors(weights).items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    model.tie_weights()
    if unexpected or set(missing) - {"lm_head.weight"}:
        raise DataError(
            f"generator tiny: weights do not fit tiny_config.json (missing {missing[:3]}, unexpected "
            f"{unexpected[:3]}); run copybandit pretrain again"
        )
    fast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # not annotated by transformers
        tokenizer_object=Tokenizer.from_buffer(tokenizer), pad_token=PAD_TOKEN, eos_token=EOS_TOKEN
    )
    return model, fast


def load_pretrained(name: str) -> tuple[Any, Any]:
    """Return model (fp32, safetensors only) and tokenizer of a folder or a hub name.

    Raises:
        DataError: nothing loadable there.
    """
    try:
        with quiet_transformers():
            if _has_mark(Path(name)):
                model = load_int8(Path(name))
            else:
                model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32, use_safetensors=True)
            tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise DataError(
            f"generator {name!r}: cannot load a causal language model ({first_line}); give a folder with "
            "config.json, model.safetensors and a tokenizer"
        ) from error
    return model, tokenizer


def _has_mark(folder: Path) -> bool:
    config = folder / "config.json"
    return config.is_file() and MARK in json.loads(config.read_text(encoding="utf-8"))


def load_spec(spec: str) -> tuple[Any, Any, Path | None]:
    """Return model, tokenizer and, where there is one, the folder that a spec names."""
    if spec == "tiny":
        return (*load_tiny(), None)
    if spec == "smollm2":
        from copybandit.generators.smollm2 import converted_folder

        folder = converted_folder()
        return (*load_pretrained(str(folder)), folder)
    if spec.startswith("hf:"):
        return (*load_pretrained(spec.removeprefix("hf:")), None)
    if not Path(spec).is_dir():
        raise DataError(f"generator {spec!r}: no such folder; use tiny, smollm2, hf:NAME or a saved folder")
    return (*load_pretrained(spec), Path(spec))
