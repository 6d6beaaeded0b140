"""The engine as a worker runs it: sound and MIDI that agree, lengths, loudness, what the files say."""

from __future__ import annotations

import io
import json
import struct
import time
from collections.abc import Callable

import numpy as np
import pytest
import soundfile
from tests.engines.composer.conftest import Watcher, midi, payload

from heddle.engines import Made
from heddle.engines.composer import Composer, styles
from heddle.engines.composer.compose import Asked, composed
from heddle.engines.composer.description import read
from heddle.engines.composer.instruments import INSTRUMENTS, drum, hertz
from heddle.engines.composer.render import rendered
from heddle.errors import JobCanceled
from heddle.studio import audio, loudness
from heddle.studio.acoustics import RATE

Make = Callable[..., list[Made]]


@pytest.mark.parametrize("file_format", ["mp3", "wav", "ogg", "flac"])
def test_files(make: Make, file_format: audio.Format) -> None:
    sound, notes = make("happy folk with guitar", outputFormat=file_format, durationMs=4321)
    assert (sound.mime, sound.role, sound.duration_ms) == (audio.MIMES[file_format], "", 4321)
    assert (notes.mime, notes.role) == ("audio/midi", "midi")
    samples, rate = soundfile.read(io.BytesIO(sound.data), dtype="float32", always_2d=True)
    assert (rate, samples.shape) == (RATE, (round(4.321 * RATE), 2))
    level = loudness.measure(samples, RATE)
    assert level.loudness == pytest.approx(-16, abs=0.7)
    assert level.peak <= -0.3
    with soundfile.SoundFile(io.BytesIO(sound.data)) as file:
        assert file.title == "happy folk with guitar"
        assert json.loads(file.comment)["style"] == "folk"
    assert sound.preview is not None


@pytest.mark.parametrize("style", styles.STYLES, ids=lambda s: s.name)
def test_every_style_sounds(style: styles.Style) -> None:
    score = composed(read(style.name), Asked(seconds=7, seed=2))
    sound = rendered(score, style, lambda _: None)
    level = loudness.measure(sound, RATE)
    assert sound.shape == (7 * RATE, 2)
    assert np.isfinite(sound).all()
    assert level.loudness == pytest.approx(-16, abs=0.7)
    assert level.peak <= loudness.CEILING + 0.05
    assert np.abs(sound[-20:]).max() < 0.01


def test_the_seed(make: Make) -> None:
    first = [one.data for one in make("techno", seed=3, outputFormat="ogg")]
    assert [one.data for one in make("techno", seed=3, outputFormat="ogg")] == first
    others = [one.data for one in make("techno", seed=4, outputFormat="ogg")]
    assert others[0] != first[0]
    assert others[1] != first[1]


@pytest.mark.parametrize("milliseconds", [1000, 1500, 3700])
def test_short_ones_are_whole(make: Make, milliseconds: int) -> None:
    sound, notes = make("piano", durationMs=milliseconds)
    assert soundfile.info(io.BytesIO(sound.data)).frames == milliseconds * RATE // 1000
    assert any(track.notes for track in midi(notes.data)[1])
    assert sound.metadata["loudnessLufs"] == pytest.approx(-16, abs=1)


@pytest.mark.parametrize("signature", ["2", "3", "4", "6"])
def test_midi(make: Make, signature: str) -> None:
    _, notes = make("rock in E minor", durationMs=12_000, bpm=133, timeSignature=signature)
    ticks, (head, *players) = midi(notes.data)
    metas = {kind: data for _, kind, data in head.metas}
    assert int.from_bytes(metas[0x51], "big") == round(60e6 / 133)
    assert metas[0x58][:2] == ((b"\x06\x03") if signature == "6" else bytes([int(signature), 2]))
    assert struct.unpack("bb", metas[0x59]) == (1, 1)
    names = [next(data for _, kind, data in p.metas if kind == 3).decode() for p in players]
    assert names == ["lead: electric guitar", "comp: power guitar", "bass: electric bass", "drums: drums"]
    assert [p.programs[0][1] for p in players] == [29, 30, 33, 0]
    assert {n[4] for n in players[-1].notes} == {9}
    assert head.end / ticks * 60 / 133 == pytest.approx(12, abs=0.01)
    assert all(off / ticks * 60 / 133 <= 12.01 for p in players for _, off, *_ in p.notes)


def test_the_notes_are_those_that_sound(make: Make) -> None:
    """At the moment of each note of a solo, its pitch is in the sound; before the first note there is none."""
    sound, notes = make("solo flute, slow", durationMs=12_000, bpm=60, seed=5)
    samples = soundfile.read(io.BytesIO(sound.data), always_2d=True)[0].mean(axis=1)
    ticks, (_, lead, *_) = midi(notes.data)
    assert len(lead.notes) >= 4
    for on, off, pitch, _, _ in lead.notes:
        start, end = int(on / ticks * RATE), int(off / ticks * RATE)
        window = samples[start + RATE // 20 : min(end, start + RATE // 2)]
        if len(window) < RATE // 8:
            continue
        found = np.abs(np.fft.rfft(window * np.hanning(len(window)), 1 << 17))
        hz = np.fft.rfftfreq(1 << 17, 1 / RATE)
        near = np.abs(hz - hertz(pitch)) < hertz(pitch) * 0.03
        beside = (np.abs(hz - hertz(pitch)) < hertz(pitch) * 0.5) & ~near
        assert found[near].max() > 2 * np.median(found[beside])


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_instruments_are_in_tune(name: str) -> None:
    pitch = 40 if "bass" in name or name in {"tuba", "cello", "power guitar"} else 69
    wave = INSTRUMENTS[name](hertz(pitch), 1.0, 0.7)
    assert np.isfinite(wave).all()
    assert len(wave) <= 3.5 * RATE
    assert abs(wave[-1]) < 0.05
    found = np.abs(np.fft.rfft(wave[: 2 * RATE] * np.hanning(min(len(wave), 2 * RATE)), 1 << 18))
    hz = np.fft.rfftfreq(1 << 18, 1 / RATE)
    near = (hz > hertz(pitch) * 0.97) & (hz < hertz(pitch) * 1.03)
    peak = float(hz[near][found[near].argmax()])
    assert abs(1200 * np.log2(peak / hertz(pitch))) < 8, "cents"
    assert found[near].max() > 0.1 * found.max()


def test_drums_differ() -> None:
    def middle(number: int) -> float:
        found = np.abs(np.fft.rfft(drum(number), 1 << 16)) ** 2
        return float((np.fft.rfftfreq(1 << 16, 1 / RATE) * found).sum() / found.sum())

    assert middle(styles.KICK) < 120 < middle(50) < middle(styles.SNARE) < 5000 < middle(styles.HAT)


def test_lyrics_are_not_sung_and_that_is_said(make: Make) -> None:
    said = make("a zxqv song", lyrics="la la la", durationMs=2000)[0].metadata
    assert "nothing here sings" in said["lyrics"]
    assert said["ignored"] == ["zxqv"]
    assert "names no style" in said["note"]
    assert "lyrics" not in make("jazz", durationMs=2000)[0].metadata


def test_a_cancel_comes_through() -> None:
    for most in (0, 1, 3):
        with pytest.raises(JobCanceled):
            list(Composer().run(payload("rock"), Watcher(most)))


def test_a_minute_takes_seconds(make: Make) -> None:
    begun = time.process_time()
    make("cinematic", durationMs=60_000, outputFormat="flac")
    assert time.process_time() - begun < 20
