"""Tokenizers that single files do not carry: CLIP's is shipped, others lie in a folder that the operator names."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path
from typing import Any

from heddle.errors import EngineFailed

#: CLIP's merges; `clip/LICENSE` says whose they are.
_MERGES = Path(__file__).parent / "clip" / "merges.txt.gz"
_LENGTH = 77


def clip(pad: str = "<|endoftext|>") -> Any:
    """The tokenizer of CLIP. OpenCLIP's fills up with `!`."""
    vocabulary, merges = _clip()
    return _class("CLIPTokenizer")(vocab=vocabulary, merges=merges, pad_token=pad, model_max_length=_LENGTH)


@cache
def _clip() -> tuple[dict[str, int], list[tuple[str, str]]]:
    lines = gzip.decompress(_MERGES.read_bytes()).decode().splitlines()
    merges = [(first, second) for first, second in (line.split() for line in lines)]
    words = [*letters(), *(f"{letter}</w>" for letter in letters()), *(a + b for a, b in merges)]
    words += ["<|startoftext|>", "<|endoftext|>"]
    return {word: number for number, word in enumerate(words)}, merges


def letters() -> list[str]:
    """A visible letter for each of the 256 bytes, in CLIP's order: those that are visible stand for themselves."""
    visible = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return [chr(byte) for byte in visible] + [chr(256 + n) for n in range(len(hidden))]


def folder(name: str, tokenizers: str, model: Path) -> Path:
    """Where the operator put a tokenizer. Raises EngineFailed that says where it is looked for."""
    places = [model.with_suffix("") / name]
    if tokenizers:
        places.append(Path(tokenizers).expanduser() / name)
    for place in places:
        if place.is_dir():
            return place
    said = " or ".join(str(place) for place in places)
    option = "" if tokenizers else "; a folder for all models is named by tokenizers under [diffusers] in engines.toml"
    raise EngineFailed(f"{model.name!r} needs the tokenizer {name!r}, which is in neither place: {said}{option}")


def t5(tokenizers: str, model: Path) -> Any:
    """The tokenizer of T5, which is not shipped."""
    return _class("AutoTokenizer").from_pretrained(folder("t5", tokenizers, model), local_files_only=True)


def _class(name: str) -> Any:
    import transformers  # noqa: PLC0415 - heavy

    return getattr(transformers, name)
