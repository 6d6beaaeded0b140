"""`--report har` and `--report html`: all of a run for a browser; and what is hostile stays text."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from arazzo_pages import EVIL, Tags, check
from arazzo_stub import TOKEN, Got, Handler, Reply, SeedApi, Stub
from tests import chromium

from conftest import EXAMPLES, Played
from heddle.cli.pages import Markup, escaped, page, tag


@pytest.fixture
def reported(seed_api: SeedApi, play: Callable[..., Played], tmp_path: Path) -> Path:
    """Both reports of a run of an example."""
    args = ["--server", seed_api.url, "-i", f"apiKey={TOKEN}", "-i", "prompt=fog", "-i", "file=@photo.png"]
    reports = ["--report", f"har={tmp_path}/r.har", "--report", f"html={tmp_path}/r.html"]
    assert play(EXAMPLES / "image-to-image.yaml", *args, *reports, "--save", "out").code == 0
    return tmp_path


def test_har(reported: Path, seed_api: SeedApi) -> None:
    text = (reported / "r.har").read_text()
    assert TOKEN not in text
    modes = {stat.S_IMODE((reported / name).stat().st_mode) for name in ("r.har", "r.html")}
    assert modes == {0o600}  # what was said is for its owner's eyes
    log = json.loads(text)["log"]
    assert (log["version"], log["creator"]["name"], log["pages"][0]["id"]) == ("1.2", "heddle", "run")
    assert [entry["request"]["method"] for entry in log["entries"]] == [got.method for got in seed_api.stub.got]
    for entry in log["entries"]:
        assert set(entry) >= {"startedDateTime", "time", "request", "response", "cache", "timings", "pageref"}
        request, response = entry["request"], entry["response"]
        common = {"httpVersion", "cookies", "headers", "headersSize", "bodySize"}
        assert set(request) >= {*common, "method", "url", "queryString"}
        assert set(response) >= {*common, "status", "statusText", "content", "redirectURL"}
        assert set(response["content"]) >= {"size", "mimeType"}
        timings = [value for value in entry["timings"].values() if value >= 0]
        assert entry["time"] == pytest.approx(sum(timings))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00", entry["startedDateTime"])
    picture = log["entries"][-1]["response"]["content"]
    assert (picture["mimeType"], picture["encoding"]) == ("image/png", "base64")
    submit = next(entry for entry in log["entries"] if entry["_step"] == "submit")
    assert json.loads(submit["request"]["postData"]["text"])["steps"][0]["input"]["prompt"] == "fog"
    assert "params" not in submit["request"]["postData"]  # the format allows one of the two


def test_a_har_of_a_run_without_answers(write: Callable[..., Path], play: Callable[..., Played]) -> None:
    path = write([{"stepId": "look", "operationId": "look"}])
    assert play(path, "--server", "http://127.0.0.1:9", "--report", "har=r.har").code == 1
    (entry,) = json.loads(Path("r.har").read_text())["log"]["entries"]
    assert (entry["response"]["status"], entry["response"]["bodySize"]) == (0, -1)
    assert entry["response"]["_error"].startswith("ConnectError: ")


def test_html(reported: Path) -> None:
    text = (reported / "r.html").read_text()
    assert TOKEN not in text
    tags = check(text)
    for said in (
        "succeeded",
        "submit",
        "POST /v2/consumer/workflows",
        "fog",
        "loop-pacing",
        "waits",
        "authorization: ***",
    ):
        assert said in tags.text
    links = [attributes["href"] for name, attributes in tags.found if name == "a"]
    assert links == ["./out/imageUrl.png"]
    policies = [attributes["content"] for name, attributes in tags.found if "http-equiv" in attributes]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]


def hostile(write: Callable[..., Path]) -> Path:
    return write(
        [{"stepId": "look", "operationId": "look", "outputs": {"x": "$response.body#/x"}}],
        info={"title": EVIL, "version": "1"},
        outputs={"x": "$steps.look.outputs.x", "gone": "$steps.look.outputs.x#/nothing"},
    )


def test_a_hostile_answer_stays_text(
    write: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Played]
) -> None:
    def answer(got: Got) -> Reply:
        return Reply(200, {"x": EVIL}, {"X-Evil": "<script>1</script>", "Content-Type": 'application/json; a="<b>"'})

    args = ["--server", serve(answer).url, "--report", "html=r.html", "--report", "har=r.har"]
    play(hostile(write), *args)
    tags = check(Path("r.html").read_text())
    assert 'document.title="owned"' in tags.text
    assert "\x07" not in Path("r.html").read_text()
    assert "\u202e" not in Path("r.html").read_text()
    assert json.loads(Path("r.har").read_text())["log"]["entries"]


@pytest.mark.skipif(chromium.program() is None, reason="there is no Chromium")
def test_a_browser_runs_nothing_of_it(
    write: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Played]
) -> None:
    play(hostile(write), "--server", serve(lambda got: Reply(200, {"x": EVIL})).url, "--report", "html=r.html")
    frame = json.dumps(Path("r.html").read_text()).replace("</", "<\\/")
    told = chromium.found(
        f"""<!doctype html><iframe></iframe><script>
        const frame = document.querySelector("iframe");
        frame.onload = () => {{
          const inside = frame.contentDocument;
          const rows = [...inside.querySelectorAll("details")].map((one) => one.open = true);
          const found = {{
            title: inside.title, scripts: inside.querySelectorAll("script, img").length, rows: rows.length,
            wide: inside.documentElement.scrollWidth <= frame.clientWidth,
          }};
          fetch("/found", {{method: "POST", body: JSON.stringify(found)}});
        }};
        frame.style.width = "900px";
        frame.srcdoc = {frame};
        </script>"""
    )
    assert told == {"title": "main: incomplete", "scripts": 0, "rows": 2, "wide": True}


def test_a_long_poll_is_shortened(
    write: Callable[..., Path], serve: Callable[[Handler], Stub], play: Callable[..., Played]
) -> None:
    again = {"name": "again", "type": "goto", "stepId": "look"}
    path = write([{"stepId": "look", "operationId": "look", "onSuccess": [again]}])
    args = ["--server", serve(lambda got: Reply(200, {})).url, "--max-steps", "450", "--pause", "0"]
    play(path, *args, "--report", "html=r.html")
    text = check(Path("r.html").read_text()).text
    assert "50 more are left out here" in text
    assert "look (450)" in text


@pytest.mark.parametrize(
    "text", ["<b>", '"', "'", "&", "\x00", EVIL], ids=["tag", "quote", "apostrophe", "and", "nul", "all"]
)
def test_text_is_escaped(text: str) -> None:
    element = tag("p", text, title=text, class_="x")
    tags = Tags(element)
    assert [name for name, _ in tags.found] == ["p"]
    assert set(tags.found[0][1]) == {"title", "class"}
    assert escaped(Markup("<b>")) == "<b>"
    assert page(text).count("<title>") == 1
