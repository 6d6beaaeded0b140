"""The engine as a worker runs it: files, loudness, voices, word times, what it says of itself."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable

import espeakng_loader
import numpy as np
import pytest
import soundfile
from tests.engines.espeak.conftest import Watcher, payload, pitch, samples

from heddle.engines import Made
from heddle.engines.espeak import Espeak, guess, synthesis
from heddle.engines.espeak.times import words
from heddle.errors import EngineFailed, JobCanceled
from heddle.studio import audio, loudness, sandbox, voices

SENTENCE = "The north wind and the sun were arguing about which of them was stronger."


@pytest.mark.parametrize("file_format", ["ogg", "mp3", "wav", "flac"])
def test_files(make: Callable[..., Made], file_format: audio.Format) -> None:
    made = make(SENTENCE, outputFormat=file_format)
    assert made.mime == audio.MIMES[file_format]
    sound, rate = samples(made)
    assert made.duration_ms == round(len(sound) * 1000 / rate)
    assert 3000 < made.duration_ms < 5000
    level = loudness.measure(sound, rate)
    assert level.loudness == pytest.approx(-16, abs=1.5)
    assert level.peak <= -1
    with soundfile.SoundFile(io.BytesIO(made.data)) as file:
        assert file.title == SENTENCE
        assert json.loads(file.comment)["speaker"] == "default"
    assert made.preview is not None
    assert (made.preview.width, made.preview.height) == (450, 113)


def test_little_silence_at_the_ends(make: Callable[..., Made]) -> None:
    sound, rate = samples(make(f"   {SENTENCE}  ..."))
    heard = np.flatnonzero(np.abs(sound[:, 0]) > 0.02) / rate
    assert heard[0] < 0.1
    assert len(sound) / rate - heard[-1] < 0.25


def test_the_same_text_is_the_same_file(make: Callable[..., Made]) -> None:
    first = make(SENTENCE, outputFormat="ogg", seed=1)
    assert make(SENTENCE, outputFormat="ogg", seed=2).data == first.data
    assert make("Something else.", outputFormat="ogg").data != first.data


def noise_seed(argument: dict[str, int], _report: sandbox.Report) -> bytes:
    """In a child: the samples of a voice with breath, begun in a second that no other child begins in."""
    time.sleep(argument["secondsLater"])
    said = {"text": SENTENCE, "language": "en-us", "variant": "f2", "speed": 1.0, "pitch": 1.0, "mostSeconds": 60}
    return synthesis.speak(said, lambda _: None)["samples"]


def test_a_voice_with_breath_is_the_same_at_any_time() -> None:
    """espeak-ng would seed its noise with the second in which it starts."""
    found = {sandbox.call(f"{__name__}:noise_seed", {"secondsLater": later}) for later in (0, 1)}
    assert len(found) == 1


def test_speed_and_pitch(make: Callable[..., Made]) -> None:
    usual = make(SENTENCE)
    assert usual.duration_ms is not None
    assert make(SENTENCE, speed=2.0).duration_ms == pytest.approx(usual.duration_ms / 2, rel=0.1)
    assert make(SENTENCE, speed=0.5).duration_ms == pytest.approx(usual.duration_ms * 2, rel=0.1)
    assert pitch(make(SENTENCE, pitch=0.7)) == pytest.approx(0.7 * pitch(usual), rel=0.1)
    assert pitch(make(SENTENCE, pitch=1.6)) == pytest.approx(1.6 * pitch(usual), rel=0.1)


def test_voices_differ(make: Callable[..., Made]) -> None:
    low, high = make(SENTENCE, voice="uncle_fu"), make(SENTENCE, voice="vivian")
    assert pitch(low) < 100 < 180 < pitch(high)
    assert low.metadata["voice"] == "en-us+m8"
    assert "stands for the speaker uncle_fu" in low.metadata["note"]
    assert low.output["speaker"] == "uncle_fu"


def known(argument: dict[str, list[str]], _report: sandbox.Report) -> list[str]:
    """In a child: which of these names espeak-ng does not know."""
    library, _ = synthesis._library()
    named = [synthesis._FILES.get(name, name) for name in argument["languages"]]
    names = [*named, *(f"en-us+{variant}" for variant in argument["variants"])]
    return [name for name in names if library.espeak_SetVoiceByName(name.encode()) != 0]


def test_every_language_and_voice_of_the_tables_is_there() -> None:
    variants = [voice.variant for voice in voices.VOICES.values() if voice.variant]
    argument = {"languages": list(voices.LANGUAGES), "variants": variants}
    assert sandbox.call(f"{__name__}:known", argument) == []
    folder = f"{espeakng_loader.get_data_path()}/voices/!v"
    for variant in variants:
        with open(f"{folder}/{variant}") as file:
            assert "variant" in file.readline()


def test_word_times(make: Callable[..., Made]) -> None:
    made = make("Hello there, it's 42 dollars!")
    times = made.output["timeStamps"]
    assert [word["text"] for word in times] == ["Hello", "there", "it's", "42", "dollars"]
    assert made.duration_ms is not None
    ends = [word["endTime"] for word in times]
    assert all(word["startTime"] < word["endTime"] for word in times)
    assert [word["startTime"] for word in times[1:]] == sorted(word["startTime"] for word in times[1:])
    assert ends[-1] <= made.duration_ms / 1000


def test_times_are_told_in_the_words_of_the_text() -> None:
    events = [(1, 0, 2, 0), (1, 5, 2, 900), (5, 7, 0, 1500), (1, 9, 2, 1500), (1, 10, 2, 1700), (5, 11, 0, 2000)]
    assert words("it's 2\u00a042", [(1, 0, 2, 0), (1, 3, 1, 300), (1, 7, 2, 700)], 100, 900, 1000) == [
        {"text": "it's", "startTime": 0.0, "endTime": 0.6},
        {"text": "42", "startTime": 0.6, "endTime": 0.9},
    ]
    assert [w["text"] for w in words("Ja, «so» 42", events, 0, 2000, 1000)] == ["Ja", "so", "42"]


def test_the_language_is_told_from_the_text(make: Callable[..., Made]) -> None:
    made = make("Der Mond ist aufgegangen, die Sterne sind nicht zu sehen.", language="auto")
    assert (made.metadata["language"], made.metadata["languageGuessed"]) == ("de", True)
    assert made.output["language"] == "German"
    assert "languageGuessed" not in make("Der Mond", language="de").metadata


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Rain is on the way, and it will be cold.", "en-us"),
        ("OK", "en-us"),
        ("12345", "en-us"),
        ("Bonjour à tous, je suis là.", "fr"),
        ("¿Dónde está la biblioteca?", "es"),
        ("Questo è il mio cane, non il tuo.", "it"),
        ("Não sei o que você quer.", "pt"),
        ("Ik weet niet wat het is.", "nl"),
        ("Jag vet inte vad det är och det är bra.", "sv"),
        ("Nie wiem, co to jest.", "pl"),
        ("Привет, как дела?", "ru"),
        ("Привіт, як справи? Її немає.", "uk"),
        ("Καλημέρα σε όλους", "el"),
        ("你好。世界很大。", "cmn"),
        ("これは日本語の文です。", "ja"),
        ("안녕하세요", "ko"),
        ("मेरा नाम क्या है", "hi"),
        ("مرحبا بالعالم", "ar"),
        ("این چیست؟ کتاب", "fa"),
        ("The word мир is Russian.", "en-us"),
    ],
)
def test_guesses(text: str, language: str) -> None:
    assert guess.language(text) == language


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"text": "..."}, "read out"),
        ({"text": " \n "}, "read out"),
        ({"text": "x" * 5001}, "5001 characters"),
        ({"text": "x", "language": "Klingonish"}, "language 'Klingonish'"),
        ({"text": "x", "voice": "bob"}, "voice 'bob'"),
    ],
)
def test_what_cannot_be_said(make: Callable[..., Made], given: dict[str, str], says: str) -> None:
    with pytest.raises(EngineFailed, match=says):
        make(**given)


def test_markup_is_text(make: Callable[..., Made]) -> None:
    made = make("<speak>one</speak> [[h@l]] & two")
    assert made.output["timeStamps"][-1]["text"] == "two"


def test_cancel() -> None:
    with pytest.raises(JobCanceled):
        list(Espeak().run(payload(SENTENCE), Watcher(most=2)))


@pytest.mark.slow
def test_a_long_text(make: Callable[..., Made]) -> None:
    text = (SENTENCE + " ") * 67
    made = make(text, outputFormat="ogg")
    assert made.duration_ms is not None
    assert made.duration_ms > 240_000
    assert len(made.output["timeStamps"]) == 67 * 14
