"""Models in memory: from a folder, once, onto the device of this process. The edge to transformers' types is here."""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import StoppingCriteria, StoppingCriteriaList

from heddle.engines import LoadContext
from heddle.engines.transformers import folders, speakers
from heddle.errors import EngineFailed

library: Any = transformers
# What goes wrong is raised; bars and advice for programmers would fill the log.
library.utils.logging.set_verbosity_error()
library.utils.logging.disable_progress_bar()

#: What a folder is loaded with, by kind: the class of the model, and those of what makes its inputs.
_CLASSES = {
    "whisper": ("WhisperForConditionalGeneration", ("WhisperTokenizerFast", "WhisperFeatureExtractor")),
    "vits": ("VitsModel", ("VitsTokenizer",)),
    "speecht5": ("SpeechT5ForTextToSpeech", ("SpeechT5Tokenizer",)),
    "bark": ("BarkModel", ("AutoTokenizer",)),
    "csm": ("CsmForConditionalGeneration", ("AutoTokenizer",)),
    "text": ("AutoModelForCausalLM", ("AutoTokenizer",)),
    "text-judge": ("AutoModelForSequenceClassification", ("AutoTokenizer",)),
    "picture-judge": ("AutoModelForImageClassification", ("AutoImageProcessor",)),
}
#: Those that write spectrograms, of which another model makes sound.
_SILENT = ("SpeechT5ForTextToSpeech",)
#: Nothing is fetched, and no code that lies in a folder is run.
_HERE = {"local_files_only": True, "trust_remote_code": False}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model, what makes its inputs, and where both work."""

    path: str
    model: Any
    #: A tokenizer, or what reads pictures.
    reads: Any
    #: What reads sounds.
    hears: Any
    device: torch.device
    #: What makes sound of spectrograms, for models that write these.
    vocoder: Any = None


def load(name: str, context: LoadContext) -> Loaded:
    """`kind:path`, as the engine's `needs` wrote it. Raises JobError."""
    kind, _, path = name.partition(":")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    context.progress(0.0, "reading")
    with failing(f"the model {Path(path).name!r} cannot be loaded"):
        model_class, input_classes = _CLASSES[_exactly(kind, path)]
        model = _weights(model_class, path, device)
        vocoder = _weights("SpeechT5HifiGan", f"{path}/{speakers.VOCODER}", device) if model_class in _SILENT else None
        context.progress(0.8, "to the device")
        model = model.to(device).eval()
        reads, hears = [*(getattr(library, one).from_pretrained(path, **_HERE) for one in input_classes), None][:2]
    context.progress(1.0)
    return Loaded(path, model, reads, hears, device, vocoder and vocoder.to(device).eval())


def _exactly(kind: str, path: str) -> str:
    """Which of several kinds that one engine runs."""
    if kind == "judge":
        return "text-judge" if folders.architecture(path).endswith("ForSequenceClassification") else "picture-judge"
    if kind != "speech":
        return kind
    if not (spoken := speakers.kind(path)):
        raise ValueError(f"its config.json names none of {', '.join(speakers.KINDS)}")
    return spoken


def _weights(model_class: str, path: str, device: torch.device) -> Any:
    # Half numbers are slow on a CPU, and some operations have none there.
    dtype = torch.float32 if device.type == "cpu" else "auto"
    model, found = getattr(library, model_class).from_pretrained(
        path, dtype=dtype, use_safetensors=True, output_loading_info=True, **_HERE
    )
    if lacking := sorted(found["missing_keys"]):  # the library would draw them by chance
        raise ValueError(f"its files lack {len(lacking)} weights such as {lacking[0]!r}")
    return model


def sweep() -> None:
    """Give memory back that nobody holds any longer."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@contextmanager
def failing(what: str) -> Generator[None]:
    """The library's errors as the job's; the end of memory as such, because only a new process gives it back."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise MemoryError(str(error)) from error
    except (OSError, ValueError, LookupError, RuntimeError, ImportError, AttributeError, TypeError) as error:
        said = " ".join(str(error).split())
        raise EngineFailed(f"{what}: {type(error).__name__}: {said[:300]}") from error


@contextmanager
def seeded(seed: int, device: torch.device) -> Generator[None]:
    """Chance from a seed, and that of the process as it was afterwards."""
    chance: Any = torch.random
    with chance.fork_rng(devices=[device] if device.type == "cuda" else []):
        chance.manual_seed(seed % 2**63)
        yield


@contextmanager
def beating(parts: Iterable[Any], ask: Callable[[], None]) -> Generator[None]:
    """Ask before each run of these parts of a model; what is raised there ends the run."""

    def hook(_part: Any, _given: Any) -> None:
        ask()

    hooks = [part.register_forward_pre_hook(hook) for part in parts]
    try:
        yield
    finally:
        for one in hooks:
            one.remove()


class Watch(StoppingCriteria):
    """Asked after every token; `is_over` says of the tokens so far whether they are enough."""

    def __init__(self, is_over: Callable[[Any], bool]) -> None:
        self._is_over = is_over

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        return torch.full((input_ids.shape[0],), self._is_over(input_ids[0]), device=input_ids.device)


def watched(is_over: Callable[[Any], bool]) -> StoppingCriteriaList:
    """For `generate`."""
    return StoppingCriteriaList([Watch(is_over)])
