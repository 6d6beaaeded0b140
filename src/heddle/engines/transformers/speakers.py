"""Which voices a model has that speaks, and what is wrong with a speech for it. Read in the server too: no arrays."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any, cast

from heddle.domain import JSON
from heddle.engines.transformers import folders

#: The classes of models that speak, and their kinds.
KINDS: Mapping[str, str] = {
    "VitsModel": "vits",
    "SpeechT5ForTextToSpeech": "speecht5",
    "BarkModel": "bark",
    "CsmForConditionalGeneration": "csm",
}
DEFAULT = "default"

#: Where a SpeechT5 folder has what makes sound of its spectrograms, and its speakers.
VOCODER, SPEAKERS = "vocoder", "speakers"
#: Where a Bark folder says which files a voice is made of, and what they are.
_PRESETS, PROMPTS = "speaker_embeddings_path.json", ("semantic_prompt", "coarse_prompt", "fine_prompt")
#: Speakers that CSM tells apart, and names of voices that an error has room for.
_CSM_SPEAKERS, _SHOWN = 10, 12


def kind(path: str) -> str:
    """Of the model of a folder; empty for one that does not speak or cannot be looked into."""
    return KINDS.get(folders.architecture(path), "")


def names(path: str) -> list[str]:
    """Of all voices, in order; empty for a model that has one alone."""
    match kind(path):
        case "vits":
            count = int(folders.read(path, "config.json").get("num_speakers") or 1)
            return [str(n) for n in range(count)] if count > 1 else []
        case "speecht5":
            return sorted(file.stem for file in (Path(path) / SPEAKERS).glob("*.npy"))
        case "bark":
            return sorted(presets(path))
        case "csm":
            return [str(n) for n in range(_CSM_SPEAKERS)]
        case _:
            return []


def chosen(voice: str, path: str) -> str | None:
    """The voice by its name; None where the model has one alone, or needs none. Raises KeyError."""
    found = names(path)
    if voice in found:
        return voice
    if voice == DEFAULT:
        return found[0] if found else None
    raise KeyError(f"{voice[:80]!r} is not one of this model's: {', '.join([DEFAULT, *_shown(found)])}")


def presets(path: str) -> dict[str, dict[str, str]]:
    """Voices of a Bark folder with their files. One whose files lie elsewhere is none."""
    table: dict[str, Any] = folders.read(path, _PRESETS)
    found = {name: cast("dict[str, Any]", files) for name, files in table.items() if isinstance(files, dict)}
    return {
        name: {prompt: str(files[prompt]) for prompt in PROMPTS}
        for name, files in found.items()
        if all(_inside(files.get(prompt)) for prompt in PROMPTS)
    }


def _inside(file: object) -> bool:
    """Whether a name is that of a file below the folder, and of numbers alone."""
    if not isinstance(file, str) or not file.endswith(".npy"):
        return False
    place = PurePosixPath(file.replace("\\", "/"))
    return not place.is_absolute() and ".." not in place.parts and ":" not in file


def _shown(found: list[str]) -> list[str]:
    if found and found == [str(n) for n in range(len(found))]:
        return [f"0 to {len(found) - 1}"]
    return found[:_SHOWN] + [f"and {len(found) - _SHOWN} more"] * (len(found) > _SHOWN)


# ── what is wrong with a job ──────────────────────────────────────────────────


def problems(payload: JSON) -> dict[str, str]:
    """Of a speech."""
    if unlike := folders.unlike(payload, "a VITS, SpeechT5, Bark or CSM model", tuple(KINDS)):
        return unlike
    place = folders.place(payload)
    assert place is not None
    path = str(place["path"])
    return _manner(payload, path) | _voice(str(payload.get("voice", DEFAULT)), path) | _spelling(payload, path)


def _manner(payload: JSON, path: str) -> dict[str, str]:
    found = dict[str, str]()
    if payload.get("pitch", 1.0) != 1.0:
        found["pitch"] = f"{payload['pitch']:g} cannot be set: these models have the pitch of their voice; give 1"
    if payload.get("speed", 1.0) != 1.0 and kind(path) not in {"", "vits"}:
        found["speed"] = f"{payload['speed']:g} cannot be set: this model has a pace of its own; give 1"
    if payload.get("instruct"):
        found["instruct"] = "these models cannot be told how to speak; leave it out"
    return found


def _voice(voice: str, path: str) -> dict[str, str]:
    try:
        if kind(path):  # else it may be there where the job is run
            chosen(DEFAULT if folders.awaits(voice) else voice, path)
    except KeyError as error:
        return {"voice": error.args[0]}
    return {}


def _spelling(payload: JSON, path: str) -> dict[str, str]:
    """Models read letters, and some of them letters that only another library can write."""
    if kind(path) == "speecht5" and not folders.read(path, f"{VOCODER}/config.json"):
        return {
            "model": f"this SpeechT5 model has no vocoder: put the folder of its HiFi-GAN into it as {VOCODER}/, "
            "and add it to the catalog anew"
        }
    if kind(path) == "bark" and "semantic_config" not in folders.read(path, "generation_config.json"):
        return {"model": "this Bark model lacks its generation_config.json; put it into the folder, and add it anew"}
    spelling = folders.read(path, "tokenizer_config.json")
    if spelling.get("phonemize") and find_spec("phonemizer") is None:
        return {"model": "this model reads phonemes, which needs the library phonemizer; take one that reads letters"}
    text = str(payload.get("text", ""))
    if spelling.get("is_uroman") and not folders.awaits(text) and not text.isascii() and find_spec("uroman") is None:
        return {"text": "this model reads Latin letters alone, without accents; romanize the text"}
    return {}
