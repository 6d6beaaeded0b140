"""espeak-ng, called through ctypes. This module's `speak` runs in a child process only, once per process."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from math import log2
from typing import Any

from heddle.errors import JobError

_SYNCHRONOUS = 2
_NEVER_EXIT = 0x8000
_UTF8, _PAUSE_AT_END = 1, 0x1000
_RATE, _PITCH = 1, 3
WORD, _END = 1, 5
#: Words per minute at speed 1.
_USUAL_RATE = 175
#: Where pitch stands at factor 1, and how far up or down it goes for an octave (measured).
_MIDDLE_PITCH, _OCTAVE_UP, _OCTAVE_DOWN = 50, 68, 97
#: Languages whose files have other names than their tags.
_FILES: Mapping[str, str] = {"en-gb": "en"}
#: How much sound there is between two calls of the callback.
_BUFFER_MS = 200


class _Event(ctypes.Structure):
    """`espeak_EVENT` of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("identifier", ctypes.c_uint),
        ("position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("milliseconds", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user", ctypes.c_void_p),
        ("name", ctypes.c_char * 8),
    )


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(_Event))


def speak(argument: dict[str, Any], report: Callable[[float], None]) -> dict[str, Any]:
    """16-bit samples, their rate, and `[kind, position, length, sample]` of words and ends of sentences."""
    library, rate = _library()
    pieces: list[bytes] = []
    events: list[tuple[int, int, int, int]] = []
    length = max(1, len(argument["text"]))
    most = int(argument["mostSeconds"] * rate)
    count = 0

    def hear(samples: int | None, number: int, heard: Any) -> int:
        nonlocal count
        if samples and number > 0:
            pieces.append(ctypes.string_at(samples, 2 * number))
            count += number
        i = 0
        while heard[i].type:
            event = heard[i]
            if event.type in {WORD, _END}:
                events.append((event.type, event.position - 1, event.length, event.sample))
                report(min(1.0, event.position / length))
            i += 1
        return int(count > most)

    callback = _Callback(hear)
    library.espeak_SetSynthCallback(callback)
    _choose(library, argument)
    text = argument["text"].encode() + b"\0"
    if library.espeak_Synth(text, len(text), 0, 0, 0, _UTF8 | _PAUSE_AT_END, None, None) != 0:
        raise JobError("espeak-ng could not read the text out", reason="engine_failed")
    library.espeak_Synchronize()
    if count > most:
        raise JobError(f"the speech is longer than {argument['mostSeconds']} s; shorten `text`", reason="engine_failed")
    return {"samples": b"".join(pieces), "rate": rate, "events": events}


def _library() -> tuple[Any, int]:
    import espeakng_loader  # noqa: PLC0415 # pyright: ignore[reportMissingTypeStubs] - only children load it

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, espeakng_loader.get_data_path().encode(), _NEVER_EXIT)
    if rate <= 0:
        raise JobError("espeak-ng does not find its data; install espeakng-loader again", reason="engine_failed")
    # Voices with breath in them draw noise, and espeak-ng seeds it with the time of day.
    library.espeak_ng_SetRandSeed(ctypes.c_long(1))
    return library, rate


def _choose(library: Any, argument: dict[str, Any]) -> None:
    """Language, voice, speed and pitch."""
    language = str(_FILES.get(argument["language"], argument["language"]))
    name = language + (f"+{argument['variant']}" if argument["variant"] else "")
    if library.espeak_SetVoiceByName(name.encode()) != 0:
        raise JobError(f"espeak-ng has no voice {name!r}", reason="engine_failed")
    library.espeak_SetParameter(_RATE, round(_USUAL_RATE * argument["speed"]), 0)
    octaves = log2(argument["pitch"])
    pitch = round(_MIDDLE_PITCH + octaves * (_OCTAVE_UP if octaves > 0 else _OCTAVE_DOWN))
    library.espeak_SetParameter(_PITCH, max(0, min(99, pitch)), 0)
