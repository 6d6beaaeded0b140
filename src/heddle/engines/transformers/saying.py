"""How each kind of model says a piece of text."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy

from heddle.engines.transformers import speakers
from heddle.engines.transformers.models import Loaded
from heddle.errors import EngineFailed

#: Samples of one piece of text, or None where it has nothing that the model can say.
Say = Callable[[str], Any]

#: Bytes of a file that has a voice, at most; real ones have a few thousand.
_LARGEST = 4_000_000
#: Characters of one breath. Bark speaks for 15 s at most, and breaks off there.
_BREATH, _BARK_BREATH = 300, 180
#: CSM is given a second for so many characters, and some seconds more, to come to its end.
_SLOWEST, _MORE_S = 6, 4


@dataclass(frozen=True, slots=True)
class Speaker:
    """A model with one of its voices."""

    rate: int
    say: Say
    #: Parts of the model that are run for every token, so that a cancel comes through there.
    beats: tuple[Any, ...] = ()
    #: Characters of a piece, at most.
    breath: int = _BREATH
    #: What is not as it should be.
    note: str = ""


def speaker(loaded: Loaded, voice: str | None, speed: float) -> Speaker:
    """With a voice that `speakers.chosen` gave. Raises EngineFailed for one whose files are damaged."""
    match speakers.kind(loaded.path):
        case "speecht5":
            return _speecht5(loaded, voice)
        case "bark":
            return _bark(loaded, voice)
        case "csm":
            return _csm(loaded, voice or "0")
        case _:
            return _vits(loaded, voice, speed)


def _vits(loaded: Loaded, voice: str | None, speed: float) -> Speaker:
    model = loaded.model
    model.speaking_rate = model.config.speaking_rate * speed
    who = {} if voice is None else {"speaker_id": int(voice)}

    def say(text: str) -> Any:
        read = loaded.reads(text, return_tensors="pt").to(loaded.device)
        return None if read["input_ids"].shape[1] <= 1 else model(**read, **who).waveform[0]

    return Speaker(int(model.config.sampling_rate), say)


def _speecht5(loaded: Loaded, voice: str | None) -> Speaker:
    model, size = loaded.model, loaded.model.config.speaker_embedding_dim
    who = np.zeros(size, np.float32)
    if voice is not None:
        who = _array(loaded.path, f"{speakers.SPEAKERS}/{voice}.npy", voice).astype(np.float32)
        if who.size != size or not np.isfinite(who).all():
            raise EngineFailed(f"voice: {voice!r} has {who.size} numbers, and this model needs {size} finite ones")
    embedding = torch.tensor(who.reshape(1, size), device=loaded.device, dtype=model.dtype)

    def say(text: str) -> Any:
        read = loaded.reads(_plain(loaded, text), return_tensors="pt")["input_ids"].to(loaded.device)
        unsaid = {*loaded.reads.all_special_ids, loaded.reads.convert_tokens_to_ids("▁")}
        if set(read[0].tolist()) <= unsaid:
            return None
        _check_length(read.shape[1], model.config.max_text_positions)
        return model.generate(read, speaker_embeddings=embedding, vocoder=loaded.vocoder)

    return Speaker(
        int(loaded.vocoder.config.sampling_rate),
        say,
        (model.speecht5.decoder.wrapped_decoder,),
        note="" if voice else f"the model's folder has no {speakers.SPEAKERS}/*.npy: spoken with a speaker of zeros",
    )


def _bark(loaded: Loaded, voice: str | None) -> Speaker:
    model, settings = loaded.model, loaded.model.generation_config
    history = None if voice is None else _history(loaded, voice)
    longest = int(settings.semantic_config["max_input_semantic_length"])

    def say(text: str) -> Any:
        read = loaded.reads(
            _plain(loaded, text),
            return_tensors="pt",
            padding="max_length",
            max_length=longest,
            add_special_tokens=False,
            return_token_type_ids=False,
        ).to(loaded.device)
        if set(read["input_ids"][0].tolist()) <= set(loaded.reads.all_special_ids):
            return None
        _check_length(read["input_ids"].shape[1], longest)
        return model.generate(**read, history_prompt=history)[0]

    beats = (model.semantic, model.coarse_acoustics, model.fine_acoustics)
    return Speaker(
        int(settings.sample_rate),
        say,
        tuple(part.layernorm_final for part in beats),
        _BARK_BREATH,
        "" if voice else "the model's folder has no voices: each sentence is spoken by one that chance gives",
    )


def _history(loaded: Loaded, voice: str) -> dict[str, Any]:
    """What a voice of Bark has said before: tokens of three kinds, as `voice` names their files."""
    settings = loaded.model.generation_config
    words, codes = int(settings.semantic_config["semantic_vocab_size"]), int(settings.codebook_size)
    fine = int(settings.fine_acoustics_config["n_fine_codebooks"])
    coarse = int(settings.coarse_acoustics_config["n_coarse_codebooks"])
    kinds = {"semantic_prompt": (0, words), "coarse_prompt": (coarse, codes), "fine_prompt": (fine, codes)}
    found = dict[str, Any]()
    for name, file in speakers.presets(loaded.path)[voice].items():
        rows, end = kinds[name]
        tokens = _array(loaded.path, file, voice)
        right = tokens.ndim == 2 and tokens.shape[0] == rows if rows else tokens.ndim == 1
        if not right or tokens.dtype.kind not in "iu" or not tokens.size or tokens.min() < 0 or tokens.max() >= end:
            raise EngineFailed(f"voice: {name} of {voice!r} is not what this model needs, tokens from 0 to {end - 1}")
        found[name] = torch.tensor(tokens.astype(np.int64), device=loaded.device)
    return found


def _csm(loaded: Loaded, voice: str) -> Speaker:
    """The first piece goes before the others as what was said till then, so that all have its voice."""
    model, config, codec = loaded.model, loaded.model.config, loaded.model.codec_model.config
    first: list[tuple[list[int], Any]] = []

    def say(text: str) -> Any:
        text = _plain(loaded, text)
        tokens: list[int] = loaded.reads(f"[{voice}]{text}")["input_ids"]
        prompt, more = tokens, dict[str, Any]()
        for said, wave in first:
            heard = [config.audio_token_id] * -(-wave.shape[0] // codec.frame_size)
            prompt = [*said, *heard, config.audio_eos_token_id, *tokens]
            cutoffs = torch.tensor([[wave.shape[0]]], device=loaded.device)
            more = {"input_values": wave[None, None], "input_values_cutoffs": cutoffs}
        _check_length(len(prompt), config.max_position_embeddings - 1)
        frames = round((len(text) / _SLOWEST + _MORE_S) * codec.frame_rate)
        read = torch.tensor([prompt], device=loaded.device)
        [wave] = model.generate(
            read,
            attention_mask=torch.ones_like(read),
            output_audio=True,
            max_new_tokens=min(frames, config.max_position_embeddings - len(prompt)),
            **more,
        )
        if not first:
            first.append((tokens, wave))
        return wave

    return Speaker(int(codec.sampling_rate), say, (model.backbone_model,))


def _plain(loaded: Loaded, text: str) -> str:
    """Without what the tokenizer would take for one of its own marks."""
    for mark in loaded.reads.get_added_vocab():
        text = text.replace(mark, " ")
    return text


def _check_length(count: int, most: int) -> None:
    if count > most:
        raise EngineFailed(f"text has a sentence of {count} tokens, and this model reads {most}; write shorter ones")


def _array(root: str, file: str, voice: str) -> Any:
    """Numbers from a file; one with objects in it, which would be a pickle, is refused."""
    path = Path(root) / file
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError(f"it is larger than {_LARGEST} bytes")
        return _numbers(path.read_bytes())
    except (OSError, ValueError) as error:
        raise EngineFailed(f"voice: {path.name!r} of {voice!r} cannot be read: {error}") from error


def _numbers(data: bytes) -> Any:
    """NumPy's own reader takes the room that a header claims before it looks at how much there is."""
    opened = io.BytesIO(data)
    version = npy.read_magic(opened)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, by_columns, dtype = read_header(opened)
    if dtype.kind not in "iuf":
        raise ValueError(f"it holds no numbers but {dtype}")
    found = np.frombuffer(data, dtype, count=math.prod(shape), offset=opened.tell())
    return found.reshape(shape, order="F" if by_columns else "C")
