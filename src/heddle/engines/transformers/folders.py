"""What a folder says of the model in it, and what is wrong with a job for it. Read in the server too: JSON alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

from heddle.domain import JSON
from heddle.studio import gpus, voices

#: As long as a configuration may be, in bytes; those of large models have a few thousand.
_LONGEST = 4_000_000

#: Kinds of numbers that are loaded as ones of twice the size where there is no GPU.
_HALVES = frozenset({"float16", "bfloat16"})

#: Tags of languages that models write in another way, and names of those that nothing else here knows.
_TAGS: Mapping[str, str] = {
    "cmn": "zh", "nb": "no", "fil": "tl", "jv": "jw",
    "breton": "br", "faroese": "fo", "flemish": "nl", "galician": "gl", "hausa": "ha", "javanese": "jw", "khmer": "km",
    "lao": "lo", "lingala": "ln", "malagasy": "mg", "mongolian": "mn", "nynorsk": "nn", "occitan": "oc", "pashto": "ps",
    "sanskrit": "sa", "shona": "sn", "somali": "so", "sundanese": "su", "tagalog": "tl", "tajik": "tg", "tibetan": "bo",
    "yiddish": "yi", "yoruba": "yo",
}  # fmt: skip


def place(payload: JSON) -> JSON | None:
    """Where the weights of a job's model lie; None when its payload does not say."""
    return cast("JSON | None", payload.get("weights", {}).get(payload.get("model")))


def growth(path: str) -> float:
    """How much larger the weights are in memory than in their files, at most."""
    if gpus.there():  # they compute in halves
        return 1.0
    config = read(path, "config.json")
    return 2.0 if str(config.get("dtype") or config.get("torch_dtype")) in _HALVES else 1.0


@cache
def _read(path: str, name: str, _changed: int) -> dict[str, Any]:
    found = json.loads((Path(path) / name).read_text(encoding="utf-8"))
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def read(path: str, name: str) -> dict[str, Any]:
    """A file of the folder; empty when it is not there or is no JSON that can be read."""
    try:
        facts = (Path(path) / name).stat()
        return _read(path, name, facts.st_mtime_ns) if facts.st_size <= _LONGEST else {}
    except (OSError, ValueError, RecursionError):
        return {}


def language_code(wanted: str) -> str:
    """How models write a language: `en` for `en-US` or English."""
    given = wanted.strip().lower().replace("_", "-")
    tag = _TAGS.get(given) or (voices.language(wanted) or given).partition("-")[0]
    return _TAGS.get(tag, tag)


def languages(path: str) -> list[str]:
    """What a Whisper model knows; empty for one that knows English alone."""
    table: dict[str, int] = read(path, "generation_config.json").get("lang_to_id") or {}
    return sorted(token.strip("<|>") for token in table)


def architecture(path: str) -> str:
    """The class that wrote the folder; empty when it does not say."""
    written: list[object] = read(path, "config.json").get("architectures") or []
    return str(written[0]) if written else ""


# ── what is wrong with a job ──────────────────────────────────────────────────


def awaits(value: str) -> bool:
    """Whether a text has something in it that another step will give: such tokens begin with characters of no text."""
    return any("\ufdd0" <= letter <= "\ufdef" for letter in value)


def unlike(payload: JSON, wanted: str, architectures: tuple[str, ...]) -> dict[str, str]:
    """Why the model cannot be one of these; empty when it can."""
    named = payload.get("model")
    found = place(payload)
    if found is None:
        return {"model": f"{named!r} is the name of no model of the catalog; give the AIR of {wanted}"}
    if not found["folder"]:
        return {
            "model": f"{named!r} is a single file; {wanted} is a folder with config.json, as transformers writes it"
        }
    written = architecture(found["path"])
    # A folder that this process cannot look into may be there where the job is run.
    if written and not written.endswith(architectures):
        return {"model": f"{named!r} is a {written}; this step needs {wanted}"}
    return {}


def whisper_problems(payload: JSON) -> dict[str, str]:
    """Of a transcript."""
    if problems := unlike(payload, "a Whisper model", ("WhisperForConditionalGeneration",)):
        return problems
    return language_problem(payload)


def language_problem(payload: JSON) -> dict[str, str]:
    """A language that the model does not know; asked once more at run, when it came from another step."""
    wanted = str(payload.get("language", voices.AUTO))
    found = place(payload)
    if found is None or awaits(wanted) or wanted.lower() == voices.AUTO:
        return {}
    known = languages(found["path"]) or ["en"]
    if language_code(wanted) in known:
        return {}
    return {"language": f"{wanted[:80]!r} is not one that this model knows: {', '.join(known)}"}


def text_problems(payload: JSON) -> dict[str, str]:
    """Of an answer."""
    if problems := unlike(payload, "a causal language model", ("ForCausalLM", "LMHeadModel")):
        return problems
    if payload.get("json"):
        return {
            "responseFormat": "this engine cannot promise JSON; take `text`, or a server with the engine openai-api"
        }
    return {}


def judge_problems(payload: JSON) -> dict[str, str]:
    """Of a judgment."""
    if "text" in payload:
        return unlike(payload, "a classifier of texts", ("ForSequenceClassification",))
    return unlike(payload, "a classifier of pictures", ("ForImageClassification",))
