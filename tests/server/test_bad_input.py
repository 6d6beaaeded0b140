"""Bad input of every step type on a real server: a 400 that says what is wrong and costs nothing, or a failed job with
its reason and all Buzz back.

Most rows are made from what a type says of itself (its model and its media), so that a new type or field has them;
`MORE` has those that only a person can think of, and a type without any fails a test.
"""

from __future__ import annotations

import base64
import copy
import io
import os
import signal
import struct
import time
import zlib
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
import pytest
from PIL import Image
from tests.serving import WORKFLOWS, Serving, available, ended
from tests.smallest import AUDIO, IMAGE, SMALLEST, VIDEO, ZIP, clip, picture, tone

from heddle import registry
from heddle.engines import Engine
from heddle.graph.table import CLASSES
from heddle.steps import StepType
from heddle.studio import audio, video

BLOBS = "/v2/consumer/blobs"
NAMES = sorted(registry.targets("steps"))
NOWHERE = "blob_01ARZ3NDEKTSV4RRFFQ69G5FAV"


class Row(NamedTuple):
    """An input, the field that is to be named, and words of the message."""

    input: dict[str, Any]
    field: str
    says: str


# ── files ─────────────────────────────────────────────────────────────────────


def data_url(mime: str, data: bytes) -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def bomb() -> bytes:
    """A PNG of a few kilobytes that unpacks to gigabytes."""
    side = 30_000

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1 << 20))) + chunk(b"IEND", b"")


def flac(seconds: int, says_s: float) -> bytes:
    """Silence of so many seconds that says it lasts as many as somebody likes."""
    made = bytearray(audio.encode(np.zeros((seconds * 8000, 1), np.float32), 8000, "flac"))
    facts = int.from_bytes(made[18:26], "big")  # the last 36 bits count the samples
    made[18:26] = (facts >> 36 << 36 | round(says_s * 8000)).to_bytes(8, "big")
    return bytes(made)


def drawn(kind: str, frames: int = 1) -> bytes:
    """A picture in some format, or several that move."""
    noise = np.random.default_rng(1).integers(0, 256, (frames, 48, 64, 3), np.uint8)
    first, *more = (Image.fromarray(pixels) for pixels in noise)
    out = io.BytesIO()
    first.save(out, kind, **({"save_all": True, "append_images": more} if more else {}))
    return out.getvalue()


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def film(kind: video.Format) -> bytes:
    """Two seconds of noise: most of the file is pictures."""
    frames = np.random.default_rng(1).integers(0, 256, (24, 96, 128, 3), np.uint8)
    return video.write(list(frames), fps=Fraction(12), file_format=kind)


def long_video() -> bytes:
    return video.write([np.zeros((48, 64, 3), np.uint8)] * 21, fps=Fraction(1))


def long_sound() -> bytes:
    return audio.encode(np.zeros((21 * 8000, 1), np.float32), 8000, "wav")


def runs(name: str) -> bool:
    """Whether an engine of this server can run a type."""
    engines: list[Engine] = [registry.get("engines", engine)() for engine in registry.targets("engines")]
    return any(name in engine.offer().step_types and not engine.missing() for engine in engines)


#: By medium: bytes that are refused at the door, and words of the reason.
REFUSED: Mapping[str, tuple[tuple[str, bytes, str], ...]] = {
    "image": (
        ("image/png", picture()[:120], "not a readable image/png"),
        ("image/avif", half(drawn("AVIF")), "not a readable image/avif"),
        ("image/webp", half(drawn("WEBP")), "not a readable image/webp"),
        ("image/png", b"hello", "the bytes are not image/png"),
        ("image/png", bomb(), "the picture has more than 64000000 pixels"),
    ),
    "video": (
        ("video/mp4", clip()[:400], "not a readable video/mp4"),
        ("video/mp4", half(film("mp4")), "the file is cut off"),
        ("video/webm", half(film("webm")), "the file is cut off"),
        ("video/mp4", long_video(), "it lasts 21 s; at most 20 s are taken"),
    ),
    "audio": (
        ("audio/wav", tone()[:30], "not a readable audio/wav"),
        ("audio/wav", long_sound(), "it lasts 21 s; at most 20 s are taken"),
        ("audio/flac", flac(1, 1e6), "it lasts 1e+06 s; at most 20 s are taken"),
    ),
    "application/zip": (("application/zip", b"PK\x03\x04" + bytes(100), "the archive has no directory"),),
}

UPLOADS: Mapping[str, tuple[str, str, bytes]] = {
    IMAGE: ("image", "image/png", picture()),
    VIDEO: ("video", "video/mp4", clip()),
    AUDIO: ("audio", "audio/wav", tone()),
    ZIP: ("application/zip", "application/zip", b"PK\x05\x06" + bytes(18)),
    "text": ("text/plain", "text/plain", b"hello"),
}


@pytest.fixture(scope="module")
def uploaded(serving: Serving) -> dict[str, str]:
    """The blob ids of what `UPLOADS` names."""
    with serving.client() as client:
        return {name: upload(client, mime, data) for name, (_, mime, data) in UPLOADS.items()}


def upload(client: httpx.Client, mime: str, data: bytes) -> str:
    """The id of the blob."""
    answer = client.post(BLOBS, content=data, headers={"Content-Type": mime})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def with_blobs(value: Any, uploaded: Mapping[str, str]) -> Any:
    """An input with real blob ids in the place of names."""
    if isinstance(value, dict):
        return {name: with_blobs(item, uploaded) for name, item in value.items()}
    if isinstance(value, list):
        return [with_blobs(item, uploaded) for item in value]
    return uploaded.get(value, value) if isinstance(value, str) else value


# ── rows that a type's model makes ────────────────────────────────────────────


def step_type(name: str) -> StepType:
    return registry.get("steps", name)()


def of_the_model(name: str) -> Iterator[Row]:
    """Each field outside its range, too long, of another kind, with a word that it does not know."""
    schema = step_type(name).model.model_json_schema(by_alias=True)
    for field, described in schema["properties"].items():
        for option in described.get("anyOf", [described]):
            for value, says in out_of(option):
                yield Row({**SMALLEST[name], field: value}, field, says)


def out_of(schema: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    if "minimum" in schema:
        yield schema["minimum"] - 1, str(schema["minimum"])
    if "exclusiveMinimum" in schema:
        yield schema["exclusiveMinimum"], str(schema["exclusiveMinimum"])
    if "maximum" in schema:
        yield schema["maximum"] + 1, str(schema["maximum"])
    if "exclusiveMaximum" in schema:
        yield schema["exclusiveMaximum"], str(schema["exclusiveMaximum"])
    if "enum" in schema:
        yield "nonsense", f"{schema['enum'][-1]!r}, not 'nonsense'"
    if "pattern" in schema:
        yield "nonsense", "not 'nonsense'"
    if schema.get("minLength"):
        yield "", "not ''"
    if "maxLength" in schema:
        yield "x" * (schema["maxLength"] + 1), str(schema["maxLength"])
    if "maxItems" in schema:
        yield [IMAGE] * (schema["maxItems"] + 1), f"at most {schema['maxItems']} items are taken"
    kind = schema.get("type")
    if kind in {"string", "integer", "number", "boolean", "array"}:
        yield {"a": 1}, f"{schema['enum'][-1]!r}" if "enum" in schema else "valid"
    if kind == "object":
        yield "nonsense", "valid dictionary, not 'nonsense'"


# ── rows that a type's sources make ───────────────────────────────────────────


def of_the_sources(name: str) -> Iterator[Row]:
    """In each field for media: every other medium and what is not there; in the first, what is refused at the door."""
    seen = set[str]()
    for pattern, kinds in step_type(name).media.items():
        for blob, (kind, _, _) in UPLOADS.items():
            if kind not in kinds:
                yield sourced(name, pattern, blob, f"and this must be {' or '.join(kinds)}")
        yield sourced(name, pattern, NOWHERE, f"there is no blob {NOWHERE!r}")
        yield sourced(name, pattern, "nonsense", "nonsense")
        for kind in kinds:
            for mime, data, says in REFUSED[kind] if kind not in seen else ():
                yield sourced(name, pattern, data_url(mime, data), says)
            seen.add(kind)


#: What some sources are not taken without: another one, or an engine that knows what to do with them.
BESIDE: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("imageGen", "mask"): {"engine": "taker", "images": [IMAGE]},
    ("imageGen", "controlNets[*].image"): {"engine": "taker"},
    ("videoGen", "lastFrame"): {"engine": "taker", "firstFrame": IMAGE},
    ("training", "trainingData.sourceUrl"): {"engine": "taker"},
    ("training", "images[*]"): {"engine": "taker"},
}


def sourced(name: str, pattern: str, value: str, says: str) -> Row:
    """The smallest input with one source, in the field that a pattern names."""
    row = _sourced(name, pattern, value, says)
    return row._replace(input={**row.input, **BESIDE.get((name, pattern), {})})


def _sourced(name: str, pattern: str, value: str, says: str) -> Row:
    media = step_type(name).media
    if pattern == "controlNets[*].image":
        control = {"model": "urn:air:sd1:controlnet:civitai:1@2", "image": value}
        return Row({**SMALLEST[name], "controlNets": [control]}, "controlNets[0].image", says)
    given = {k: copy.deepcopy(v) for k, v in SMALLEST[name].items() if k not in media and f"{k}[*]" not in media}
    given.pop("text", None)  # moderation takes a text or a medium
    graph = given.pop("workflow", None)
    first, *rest = pattern.replace("[*]", "").split(".")
    if rest and graph is not None:  # the graph of comfy, by one of its names
        graph["1"]["inputs"]["image"] = value
        return Row({**given, first: graph}, f"{first}.1.inputs.image", says)
    if graph is not None:
        given["workflow"] = graph
    if rest:
        return Row({**given, first: {rest[0]: value}}, pattern, says)
    if pattern.endswith("[*]"):
        return Row({**given, first: [value]}, f"{first}[0]", says)
    return Row({**given, first: value}, first, says)


# ── rows that a person thought of ─────────────────────────────────────────────


def graph(**nodes: Any) -> dict[str, Any]:
    """The smallest graph with some nodes changed."""
    made = copy.deepcopy(dict(SMALLEST["comfy"]["workflow"]))
    for name, node in nodes.items():
        made[name.removeprefix("n")] = {**made.get(name.removeprefix("n"), {}), **node}
    return {"workflow": made}


def given(name: str, **more: Any) -> dict[str, Any]:
    return {**SMALLEST[name], **more}


MORE: Mapping[str, tuple[Row, ...]] = {
    "imageGen": (
        Row({"width": 64}, "prompt", "Field required"),
        Row(given("imageGen", engine="nonsense"), "engine", "'nonsense' is not one of: "),
        Row(given("imageGen", engine="sdxl"), "engine", "set `engine` to 'sketch'"),
        Row(
            given("imageGen", engine="seedream"), "engine", "'seedream' cannot run here (no engine for it is installed)"
        ),
        Row(given("imageGen", model="nonsense"), "model", "nonsense"),
        Row(given("imageGen", strength=0.5), "strength", "is for a source picture"),
        Row(given("imageGen", aspectRatio="9:1"), "aspectRatio", "between 1:4 and 4:1"),
        Row(given("imageGen", additionalNetworks=[{"strength": 1}]), "additionalNetworks[0].air", "Field required"),
    ),
    "videoGen": (
        Row({"duration": 1}, "prompt", "Field required"),
        Row(given("videoGen", engine="nonsense"), "engine", "'nonsense' is not one of: "),
        Row(given("videoGen", images=[IMAGE], sourceImage=IMAGE), "sourceImage", "there is images[0] as well"),
        Row(
            given("videoGen", outputFormat="gif", width=1280, height=720, duration=30),
            "outputFormat",
            "a gif has at most 100 million",
        ),
    ),
    "audioGen": (
        Row({"duration": 1}, "prompt", "Field required"),
        Row(given("audioGen", speaker="vivian"), "speaker", "`tts` makes"),
        Row(given("audioGen", lyrics="la"), "lyrics", "`music` makes"),
        Row(given("audioGen", elements=[]), "elements", "a `prompt`"),
        Row(given("audioGen", engine="nonsense"), "engine", "'nonsense' is not one of: "),
    ),
    "music": (
        Row({"duration": 2}, "musicDescription", "Field required"),
        Row(given("music", key="H major"), "key", "a key is a tonic of C"),
        Row(given("music", cover=True), "cover", "leave it out"),
        Row(given("music", engine="ace-step"), "engine", "set `engine` to 'composer'"),
    ),
    "tts": (
        Row({"voice": "f1"}, "text", "Field required"),
        Row(given("tts", language="Klingonish"), "language", "pt-br"),
        Row(given("tts", voice="bob"), "voice", "vivian"),
        Row(given("tts", refAudioUrl="https://a.test/b.wav"), "refAudioUrl", "choose a `voice`"),
    ),
    "transcribe": (
        Row({"language": "en"}, "media", "give one sound or video"),
        Row({"media": AUDIO, "images": [AUDIO]}, "media", "give one sound or video"),
        Row(given("transcribe", language="de"), "language", "this engine hears English"),
    ),
    "upscale": (
        Row({"scaleFactor": 2}, "image", "a source is missing"),
        Row({"image": IMAGE, "video": VIDEO}, "video", "there is image as well"),
        Row({"image": IMAGE, "outputFormat": "mp4"}, "outputFormat", "is not for a image; one of: png"),
        Row({"video": VIDEO, "outputFormat": "png"}, "outputFormat", "one of: mp4, webm"),
        Row({"video": VIDEO, "scaleFactor": 4, "numberOfRepeats": 3}, "scaleFactor", "at most 2560 per side"),
    ),
    "interpolate": (
        Row({"factor": 2}, "video", "the source is missing"),
        Row({"video": VIDEO, "media": VIDEO}, "media", "there is video as well"),
        Row({"video": VIDEO, "fps": 30}, "fps", "neither twice nor three times the source's 12"),
    ),
    "moderation": (
        Row({}, "", "give one of: `text`"),
        Row({"text": "a", "media": IMAGE}, "", "give one of: `text`"),
        Row(given("moderation", labels=["nonsense"]), "labels[0]", "'nonsense' is not one of: sexual"),
    ),
    "textGen": (
        Row({}, "", "give one of: `prompt`, `messages`"),
        Row({"messages": [{"role": "system", "content": "a"}]}, "messages", "nobody asks"),
        Row({"messages": [{"role": "user", "content": " "}]}, "messages", "nobody asks"),
        Row({"messages": [{"role": "nobody", "content": "a"}]}, "messages[0].role", "'user'"),
        Row(given("textGen", responseFormat={"type": "json_schema"}), "responseFormat.jsonSchema", "is needed"),
        Row(given("textGen", model="gpt-4o"), "model", "'gpt-4o' cannot run here"),
    ),
    "training": (
        Row({"images": [ZIP]}, "engine", "name the model family to train for, or its model: mini, sd1"),
        Row(given("training", engine="wan"), "engine", "'wan' cannot run here ("),
        Row({"steps": 5}, "", "give the zip as `trainingData.sourceUrl`"),
        Row(given("training", samples={"prompts": ["a"] * 11}), "samples.prompts", "at most 10 items are taken"),
    ),
    "comfy": (
        Row({"images": [IMAGE]}, "workflow", "Field required"),
        Row({"workflow": {}}, "workflow", "SaveImage"),
        Row({"workflow": {"nodes": [], "links": []}}, "workflow", "export it in the API format"),
        Row(graph(n9={"class_type": "Nonsense"}), "workflow.9.class_type", ", ".join(sorted(CLASSES))),
        Row(graph(n6={"class_type": "KSampler", "inputs": {"steps": 0}}), "workflow.6.inputs.steps", "0"),
        Row(graph(n8={"inputs": {"images": ["50", 0]}}), "workflow.8.inputs.images", "50"),
        Row(graph(n1={"inputs": {"image": "example.png"}}), "workflow.1.inputs.image", "give it in `images`"),
    ),
}


#: The fields by which a step says what it is to make.
ASKED = {
    "imageGen": "prompt",
    "videoGen": "prompt",
    "audioGen": "prompt",
    "music": "musicDescription",
    "tts": "text",
    "textGen": "prompt",
}


def blank(name: str) -> Iterator[Row]:
    """What asks for nothing."""
    for text in ("", " ", "\n\t\u2003"):
        if name in ASKED:
            yield Row(given(name, **{ASKED[name]: text}), ASKED[name], f"not {text!r}")


def rows_of(name: str) -> list[Row]:
    # Nobody looks at the sources of what cannot run.
    sources = [row if runs(name) else Row(row.input, "engine", "no engine can run") for row in of_the_sources(name)]
    return [*of_the_model(name), *sources, *blank(name), *MORE[name]]


def test_every_step_type_has_rows() -> None:
    assert sorted(MORE) == NAMES
    assert all(len(list(of_the_model(name))) > 5 for name in NAMES)
    assert all(list(of_the_sources(name)) for name in NAMES if step_type(name).media)


def newest(client: httpx.Client) -> list[str]:
    return [item["id"] for item in client.get(WORKFLOWS, params={"take": 1}).json()["items"]]


@pytest.mark.parametrize("name", NAMES)
def test_bad_input_is_refused_by_its_name_and_costs_nothing(
    name: str, client: httpx.Client, serving: Serving, uploaded: dict[str, str]
) -> None:
    before = available(serving.home), newest(client)
    wrong: list[str] = []
    for row in rows_of(name):
        answer = client.post(WORKFLOWS, json={"steps": [{"$type": name, "input": with_blobs(row.input, uploaded)}]})
        errors = answer.json().get("errors", {})
        field = f"steps[0].input.{row.field}" if row.field else "steps[0].input"
        told = [m for at, messages in errors.items() if at == field or at.startswith(f"{field}.") for m in messages]
        if answer.status_code != 400 or not any(row.says in message for message in told):
            shown = {k: str(v)[:80] for k, v in row.input.items() if SMALLEST[name].get(k) != v}
            wrong.append(f"{shown}: {answer.status_code}, {field} should say {row.says[:80]!r}: {answer.text[:300]}")
    assert not wrong, "\n".join(wrong)
    assert (available(serving.home), newest(client)) == before


def test_all_unknown_nodes_of_a_graph_are_told_at_once(client: httpx.Client) -> None:
    made = graph(n9={"class_type": "Nonsense"}, n10={"class_type": "Unknown"})
    answer = client.post(WORKFLOWS, json={"steps": [{"$type": "comfy", "input": made}]})
    assert {"steps[0].input.workflow.9.class_type", "steps[0].input.workflow.10.class_type"} <= set(
        answer.json()["errors"]
    )


# ── what only shows when it is worked on ──────────────────────────────────────

#: Files that are taken in: what is wrong with them lies behind their headers.
TAKEN: Mapping[str, tuple[str, bytes]] = {
    "half a JPEG": ("image/jpeg", half(drawn("JPEG"))),
    "half a GIF": ("image/gif", half(drawn("GIF"))),
    "moving GIF": ("image/gif", drawn("GIF", frames=3)),
    "hours in a second": ("audio/flac", flac(3700, 1)),
    "silent film": ("video/mp4", clip()),
}


class Failing(NamedTuple):
    """A step whose job ends without result, the reason and words of the message."""

    type: str
    input: dict[str, Any]
    reason: str
    says: str


UNREADABLE = "not a picture that can be read"
NO_SCHEMA = {"type": "json_schema", "jsonSchema": {"type": "object", "properties": {"a": {"pattern": "x"}}}}
FAILING = (
    Failing("imageGen", given("imageGen", images=["half a JPEG"]), "engine_failed", UNREADABLE),
    Failing("videoGen", given("videoGen", sourceImage="half a GIF"), "engine_failed", UNREADABLE),
    Failing("upscale", {"image": "half a JPEG"}, "engine_failed", UNREADABLE),
    Failing("upscale", {"media": "half a GIF"}, "engine_failed", UNREADABLE),
    Failing("upscale", {"image": "moving GIF"}, "engine_failed", "the source is animated"),
    Failing("comfy", graph(n1={"inputs": {"image": "half a JPEG"}}), "engine_failed", UNREADABLE),
    Failing("transcribe", {"media": "silent film"}, "media_unreadable", "no sound track"),
    Failing("transcribe", {"media": "hours in a second"}, "media_limit", "longer than 3600 s"),
    Failing("tts", {"text": " . . . "}, "engine_failed", "nothing in it that can be read out"),
    Failing("textGen", given("textGen", responseFormat=NO_SCHEMA), "engine_failed", "pattern is not supported"),
)


def test_what_cannot_be_made_fails_with_its_reason_and_is_paid_back(client: httpx.Client, serving: Serving) -> None:
    before = available(serving.home)
    ids = {name: upload(client, mime, data) for name, (mime, data) in TAKEN.items()}
    steps = [{"$type": row.type, "input": with_blobs(row.input, ids)} for row in FAILING]
    answer = client.post(WORKFLOWS, json={"steps": steps})
    assert answer.status_code == 202, answer.text
    shown = ended(client, answer.json()["id"])
    for row, step in zip(FAILING, shown["steps"], strict=True):
        job = step["jobs"][0]
        assert (step["status"], job["reason"], job["attempt"]) == ("failed", row.reason, 1), (row, job)
        assert row.says in job["message"], (row, job)
    assert (shown["status"], shown["cost"]["total"]) == ("failed", 0)
    assert available(serving.home) == before


# ── the child process of an engine ────────────────────────────────────────────


def sandboxed(client: httpx.Client, prompt: str) -> tuple[dict[str, Any], str]:
    """The job of an engine that works in a child process, and the worker that it ran on at last."""
    step = {"$type": "imageGen", "input": {"engine": "sandboxed", "prompt": prompt, "steps": 1}}
    answer = client.post(WORKFLOWS, json={"steps": [step]})
    assert answer.status_code == 202, answer.text
    shown = ended(client, answer.json()["id"])
    [log] = client.get(f"{WORKFLOWS}/{shown['id']}/log").json()["items"]
    return {**shown["steps"][0]["jobs"][0], "charged": shown["cost"]["total"]}, log["lines"][-1]


@pytest.mark.parametrize(
    ("prompt", "status", "reason", "attempts", "says"),
    [
        ("die once", "succeeded", None, 2, ""),
        ("die", "failed", "media_failed", 3, "signal 9"),
        ("crash", "failed", "media_failed", 3, "signal 11"),
        ("leave", "failed", "media_failed", 1, "status 3"),
        ("eat", "failed", "media_limit", 1, "more than 1024 MiB of memory"),
        ("burn", "failed", "media_limit", 1, "more than 1 s of processor time"),
    ],
)
def test_a_child_that_ends_loses_its_attempt_and_not_its_worker(
    prompt: str, status: str, reason: str | None, attempts: int, says: str, client: httpx.Client, serving: Serving
) -> None:
    before = available(serving.home)
    # Two slots: whichever worker has the job has had one before, or has one after it.
    workers = {sandboxed(client, "live")[1] for _ in range(2)}
    job, worker = sandboxed(client, prompt)
    assert (job["status"], job.get("reason"), job["attempt"]) == (status, reason, attempts), job
    assert says in job.get("message", "")
    workers.add(worker)
    for _ in range(2):
        after, worker = sandboxed(client, "live")
        assert after["status"] == "succeeded"
        workers.add(worker)
    assert len(workers) <= 2, "a worker was lost"
    assert available(serving.home) == before - 4 * 3 - job["charged"]


def test_an_engine_whose_child_is_killed_tries_again(client: httpx.Client, serving: Serving) -> None:
    frames = [np.full((192, 256, 3), i, np.uint8) for i in range(24)]
    source = upload(client, "video/mp4", video.write(frames, fps=Fraction(12)))
    answer = client.post(
        WORKFLOWS, json={"steps": [{"$type": "upscale", "input": {"video": source, "scaleFactor": 4}}]}
    )
    assert answer.status_code == 202, answer.text
    assert serving.process is not None
    os.kill(child_of(serving.process.pid, "heddle.engines.resample.clips:enlarge"), signal.SIGKILL)
    shown = ended(client, answer.json()["id"])
    assert (shown["status"], shown["steps"][0]["jobs"][0]["attempt"]) == ("succeeded", 2)


def child_of(ancestor: int, called: str) -> int:
    """The process below another one that was started to call a function, once it is there."""
    for _ in range(600):
        parents: dict[int, int] = {}
        found: list[int] = []
        for folder in Path("/proc").iterdir():
            try:
                pid = int(folder.name)
                parents[pid] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                if called in (folder / "cmdline").read_text(errors="replace"):
                    found.append(pid)
            except (ValueError, OSError):
                continue
        for pid in found:
            above = pid
            while above in parents and above != ancestor:
                above = parents[above]
            if above == ancestor:
                return pid
        time.sleep(0.02)
    raise AssertionError(f"nothing below {ancestor} calls {called}")
