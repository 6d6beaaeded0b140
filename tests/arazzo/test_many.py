"""Many runs by one command: tables, several documents, the sum, Ctrl-C."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from arazzo_stub import Got, Handler, Reply, Stub, png

from heddle.cli.tables import rows_of
from heddle.errors import UsageError

INPUTS = {
    "type": "object",
    "required": ["n"],
    "properties": {
        "n": {"type": "integer"},
        "tags": {"type": "array"},
        "apiKey": {"type": "string"},
        "file": {"type": "string"},
    },
}
STEPS: list[dict[str, Any]] = [
    {
        "stepId": "make",
        "operationId": "make",
        "requestBody": {"payload": {"n": "$inputs.n", "tags": "$inputs.tags"}},
        "outputs": {"n": "$response.body#/n"},
    }
]


def echo(got: Got) -> Reply:
    """Gives back what it got; 13 brings bad luck, and 7 has no answer to give."""
    n = got.json["n"]
    if n == 13:
        return Reply(500, {"detail": "bad luck"})
    return Reply(200, {} if n == 7 else {"n": n})


@pytest.fixture
def path(write: Callable[..., Path]) -> Path:
    return write(STEPS, inputs=INPUTS, outputs={"n": "$steps.make.outputs.n"})


def test_a_run_per_row_with_typed_inputs(
    path: Path, play: Callable[..., Any], serve: Callable[[Handler], Stub]
) -> None:
    Path("rows.csv").write_text('n,tags\n1,"[""a"", ""b""]"\n2,\n\n3,[]\n')
    stub = serve(echo)
    played = play(path, "--each", "rows.csv", "--server", stub.url, "--concurrency", "1")
    assert [got.json for got in stub.got] == [{"n": 1, "tags": ["a", "b"]}, {"n": 2}, {"n": 3, "tags": []}]
    lines = [re.sub(r" (after|in) .*?(?=:|$)", "", line) for line in played.stdout.splitlines()]
    assert lines == [
        "[1/3] rows.csv:2: succeeded",
        "[2/3] rows.csv:3: succeeded",
        "[3/3] rows.csv:5: succeeded",
        "3 runs: 3 succeeded",
    ]
    assert played.code == 0


@pytest.mark.parametrize(
    ("numbers", "code", "counts"),
    [
        ([1, 2], 0, {"succeeded": 2}),
        ([1, 7], 2, {"succeeded": 1, "incomplete": 1}),
        ([7, 13, 1], 1, {"incomplete": 1, "failed": 1, "succeeded": 1}),
    ],
)
def test_the_worst_counts(
    path: Path, play: Callable[..., Any], serve: Callable[[Handler], Stub], numbers: list[int], code: int, counts: Any
) -> None:
    Path("rows.jsonl").write_text("".join(json.dumps({"n": n}) + "\n" for n in numbers))
    played = play(path, "--each", "rows.jsonl", "--server", serve(echo).url, "--json")
    report = played.report
    assert (played.code, report["exitCode"], report["counts"]) == (code, code, counts)
    assert [one["label"] for one in report["runs"]] == [f"rows.jsonl:{at}" for at in range(1, len(numbers) + 1)]
    assert [one["outputs"]["n"] for one in report["runs"]] == [None if n in (7, 13) else n for n in numbers]


def test_as_many_at_once_as_was_asked_for(
    path: Path, play: Callable[..., Any], serve: Callable[[Handler], Stub]
) -> None:
    meeting = threading.Barrier(5, timeout=10)

    def together(got: Got) -> Reply:
        meeting.wait()
        return echo(got)

    Path("rows.csv").write_text("n\n" + "".join(f"{n}\n" for n in range(20, 40)))
    assert play(path, "--each", "rows.csv", "--server", serve(together).url, "--concurrency", "5").code == 0


def test_fail_fast_begins_no_more(path: Path, play: Callable[..., Any], serve: Callable[[Handler], Stub]) -> None:
    Path("rows.csv").write_text("n\n1\n13\n2\n3\n")
    stub = serve(echo)
    played = play(path, "--each", "rows.csv", "--server", stub.url, "--concurrency", "1", "--fail-fast")
    assert (played.code, len(stub.got)) == (1, 2)
    assert "1 succeeded, 1 failed, 2 not begun" in played.stdout
    assert "rows.csv:3: failed after" in played.stdout
    assert "the server answered 500: bad luck" in played.stdout


def test_several_documents(path: Path, play: Callable[..., Any], serve: Callable[[Handler], Stub]) -> None:
    other = path.with_name("other.yaml")
    other.write_text(path.read_text().replace("workflowId: main", "workflowId: second"))
    stub = serve(echo)
    played = play(path, str(other), "-i", "n=4", "--server", stub.url, "--json")
    assert [(one["label"], one["workflow"]) for one in played.report["runs"]] == [
        (str(path), "main"),
        (str(other), "second"),
    ]
    assert len(stub.got) == 2


def test_what_is_common_is_given_once_and_a_row_wins(
    path: Path, play: Callable[..., Any], serve: Callable[[Handler], Stub]
) -> None:
    Path("rows.csv").write_text("n,apiKey\n1,\n2,row-secret-2\n")
    stub = serve(lambda got: Reply(400, {"detail": "not with row-secret-2 nor common-secret"}))
    played = play(path, "--each", "rows.csv", "-i", "n=9", "-i", "apiKey=common-secret", "--server", stub.url)
    assert sorted(got.json["n"] for got in stub.got) == [1, 2]
    assert played.stdout.count("not with *** nor ***") == 2


def test_reports_over_all_and_of_each(path: Path, play: Callable[..., Any], serve: Callable[[Handler], Stub]) -> None:
    Path("rows.csv").write_text("n\n1\n13\n")
    reports = ["junit=all.xml", "tap=all.tap", "json=all.json", "json=one-{run}.json"]
    args = [part for one in reports for part in ("--report", one)]
    play(path, "--each", "rows.csv", "--server", serve(echo).url, "--concurrency", "1", *args)
    suites = list(ET.parse("all.xml").getroot())
    assert [(suite.get("name"), suite.get("failures")) for suite in suites] == [
        ("rows.csv:2", "0"),
        ("rows.csv:3", "2"),
    ]
    tap = Path("all.tap").read_text().splitlines()
    assert tap[:4] == ["TAP version 14", "1..2", "# Subtest: rows.csv:2", "    1..2"]
    assert [line for line in tap if not line.startswith((" ", "#"))][2:] == [
        "ok 1 - rows.csv:2",
        "not ok 2 - rows.csv:3",
    ]
    assert json.loads(Path("all.json").read_text())["counts"] == {"succeeded": 1, "failed": 1}
    assert [json.loads(Path(f"one-{n}.json").read_text())["status"] for n in (1, 2)] == ["succeeded", "failed"]


def test_half_a_character_empties_no_report(
    path: Path, play: Callable[..., Any], serve: Callable[[Handler], Stub]
) -> None:
    Path("rows.csv").write_text("n\n1\n2\n")
    reports = [f"{form}=all.{form}" for form in ("json", "junit", "tap")]
    args = [part for one in reports for part in ("--report", one)]
    stub = serve(lambda got: Reply(200, {"n": "\ud800"}) if got.json["n"] == 1 else Reply(400, {"detail": "\ud800"}))
    played = play(path, "--each", "rows.csv", "--server", stub.url, "--json", *args)
    assert (played.code, played.report["runs"][0]["outputs"]) == (1, {"n": "\ud800"})
    assert json.loads(Path("all.json").read_text()) == played.report
    assert ET.parse("all.junit").getroot().tag == "testsuites"
    assert "not ok 2 - rows.csv:3" in Path("all.tap").read_text()


def test_saved_files_have_a_folder_for_each_run(
    write: Callable[..., Path], play: Callable[..., Any], serve: Callable[[Handler], Stub]
) -> None:
    path = write(STEPS, inputs=INPUTS, outputs={"picture": "$steps.make.outputs.n"})
    stub = serve(echo)

    def picture(got: Got) -> Reply:
        if got.method == "GET":
            return Reply(200, png(), {"Content-Type": "image/png"})
        return Reply(200, {"n": f"{stub.url}/picture"})

    stub.handler = picture
    Path("rows.csv").write_text("n\n1\n2\n")
    assert play(path, "--each", "rows.csv", "--server", stub.url, "--save", "out").code == 0
    assert sorted(str(one) for one in Path("out").rglob("*.png")) == ["out/1/picture.png", "out/2/picture.png"]


def test_a_disk_that_takes_no_files_takes_no_results_back(
    write: Callable[..., Path], play: Callable[..., Any], serve: Callable[[Handler], Stub]
) -> None:
    path = write(STEPS, inputs=INPUTS, outputs={"picture": "$steps.make.outputs.n"})
    stub = serve(echo)
    stub.handler = lambda got: Reply(200, png() if got.method == "GET" else {"n": f"{stub.url}/picture"})
    one = play(path, "-i", "n=1", "--server", stub.url, "--save", "/proc/nope", "--json", "--report", "json=one.json")
    assert (one.code, one.report["status"]) == (0, "succeeded")
    assert one.report["saved"][0]["reason"] == "/proc/nope cannot be written: No such file or directory"
    assert json.loads(Path("one.json").read_text())["status"] == "succeeded"
    Path("rows.csv").write_text("n\n1\n2\n")
    Path("out").mkdir()
    Path("out/1").write_text("in the way")
    played = play(path, "--each", "rows.csv", "--server", stub.url, "--save", "out", "--json")
    assert (played.code, played.report["counts"]) == (0, {"succeeded": 2})
    assert [run["saved"][0]["reason"] for run in played.report["runs"]] == [
        "out/1 cannot be written: File exists",
        None,
    ]


def test_a_checkpoint_that_cannot_be_read_is_told_of_its_run_alone(
    path: Path, play: Callable[..., Any], serve: Callable[[Handler], Stub]
) -> None:
    Path("rows.csv").write_text("n\n1\n2\n")
    Path("batch").mkdir()
    Path("batch/1.run").symlink_to("/proc/self/mem")  # it opens, and has nothing at its beginning
    played = play(path, "--each", "rows.csv", "--server", serve(echo).url, "--checkpoint", "batch", "--json")
    assert (played.code, played.report["counts"]) == (1, {"refused": 1, "succeeded": 1})


def test_a_batch_goes_on_where_it_was(path: Path, play: Callable[..., Any], serve: Callable[[Handler], Stub]) -> None:
    Path("rows.csv").write_text("n\n1\n13\n2\n")
    stub = serve(lambda got: Reply(409, {}) if got.json["n"] == 13 else echo(got))
    args = ["--each", "rows.csv", "--server", stub.url, "--checkpoint", "batch", "--concurrency", "1"]
    assert play(path, *args, "--fail-fast").code == 1
    stub.handler = lambda got: Reply(200, {"n": got.json["n"]})
    assert play(path, *args, "--resume").code == 0
    assert [got.json["n"] for got in stub.got] == [1, 13, 13, 2]
    assert play(path, *args, "--resume").code == 0
    assert len(stub.got) == 4
    assert sorted(one.name for one in Path("batch").iterdir()) == ["1.run", "2.run", "3.run"]
    played = play(path, *args)
    assert (played.code, played.stdout.count("the checkpoint holds a run already")) == (1, 3)


def test_what_is_saved_is_not_saved_again(
    write: Callable[..., Path], play: Callable[..., Any], serve: Callable[[Handler], Stub]
) -> None:
    path = write(STEPS, inputs=INPUTS, outputs={"pictures": "$steps.make.outputs.n"})
    stub = serve(echo)
    pictures = {"/a": png(), "/b": png(3)}
    stub.handler = lambda got: Reply(200, pictures.get(got.path, {"n": [f"{stub.url}/a", f"{stub.url}/b"]}))
    Path("rows.csv").write_text("n\n1\n")
    for name, first in (("one.run", ["-i", "n=1"]), ("many", ["--each", "rows.csv"])):
        args = [*first, "--server", stub.url, "--checkpoint", name, "--save", f"out-{name}", "--json"]
        before = play(path, *args).report
        asked = len(stub.got)
        again = play(path, *args, "--resume").report
        assert len(stub.got) == asked
        saved, repeated = (one.get("saved") or one["runs"][0]["saved"] for one in (before, again))
        assert (len(saved), saved) == (2, repeated)
        Path(saved[1]["path"]).write_text("something else")
        play(path, *args, "--resume")
        assert [got.path for got in stub.got[asked:]] == ["/b"]
        play(path, *args, "--resume", "--save", "elsewhere")
        assert [got.path for got in stub.got[asked + 1 :]] == ["/a", "/b"]
        play(path, *args, "--resume")
        assert len(stub.got) == asked + 3
    shutil.rmtree("out-one.run")
    Path("out-one.run").symlink_to("out-one.run")  # it leads nowhere
    args = ["-i", "n=1", "--server", stub.url, "--checkpoint", "one.run", "--resume", "--save", "out-one.run", "--json"]
    played = play(path, *args)
    assert (played.code, [one["path"] for one in played.report["saved"]]) == (0, [None, None])


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("t.txt", "n\n1\n", "is not a table"),
        ("t.csv", "", "t.csv:1 must name every column"),
        ("t.csv", "n\n", "has no rows"),
        ("t.csv", "n,\n1,2\n", "t.csv:1 must name every column"),
        ("t.csv", "n,n\n1,2\n", "t.csv:1 names the column 'n' twice"),
        ("t.csv", "n\n1,2\n", "t.csv:2 has 2 cells, and there are 1 columns"),
        ("t.csv", 'n\n"1\n', "t.csv:2 cannot be read: unexpected end of data"),
        ("t.csv", "n,@file\n1,no.png\n", "t.csv:2: there is no file no.png"),
        ("t.jsonl", '{"n": 1}\n\n{"n": \n', "t.jsonl:3 is not JSON"),
        ("t.jsonl", "[1]\n", "t.jsonl:1 is not an object"),
    ],
    ids=["kind", "empty", "no rows", "no name", "twice", "cells", "quote", "no file", "no JSON", "no object"],
)
def test_a_wrong_table_is_told_by_line(name: str, text: str, said: str) -> None:
    Path(name).write_text(text)
    with pytest.raises(UsageError, match=re.escape(said)):
        rows_of(Path(name))


def test_files_in_tables() -> None:
    Path("t.csv").write_text("\ufeffn,@file\n1,photo.png\n")
    Path("t.jsonl").write_text('{"file": {"$file": "photo.png"}, "other": {"$file": "x", "y": 1}}\n')
    (cells,), (line,) = rows_of(Path("t.csv")), rows_of(Path("t.jsonl"))
    assert (cells.texts, cells.values["file"].path) == ({"n": "1"}, Path("photo.png"))
    assert (line.values["file"].path, line.values["other"]) == (Path("photo.png"), {"$file": "x", "y": 1})


@pytest.mark.parametrize(
    ("rows", "args", "said"),
    [
        ("n\n1\nx\n", [], "rows.csv:3: the input 'n' is 'x', which is not an integer"),
        ("n\n1\n\n2,3\n", [], "rows.csv:4 has 2 cells"),
        ("m\n1\n", [], "rows.csv:2: the document has no input 'm'"),
        ("apiKey\nx\n", [], "rows.csv:2: 1 required input is missing: n"),
        ("n\n1\n", ["--dry-run"], "--dry-run looks at one run"),
        ("n\n1\n", ["--checkpoint", "none", "--resume"], "there is no folder none to go on from"),
        ("n\n1\n", ["--checkpoint", "photo.png"], "the folder photo.png cannot be made: File exists"),
    ],
    ids=["type", "cells", "unknown", "missing", "dry run", "no folder", "a file"],
)
def test_nothing_is_sent_when_something_is_wrong(
    path: Path,
    play: Callable[..., Any],
    serve: Callable[[Handler], Stub],
    rows: str,
    args: list[str],
    said: str,
) -> None:
    Path("rows.csv").write_text(rows)
    stub = serve(echo)
    played = play(path, "--each", "rows.csv", "--server", stub.url, *args)
    assert (played.code, stub.got, played.stdout) == (1, [], "")
    assert said in played.stderr


def test_ctrl_c_tells_how_far_each_got(path: Path, serve: Callable[[Handler], Stub], tmp_path: Path) -> None:
    Path("rows.csv").write_text("n\n" + "".join(f"{n}\n" for n in range(20, 30)))
    arrived = threading.Semaphore(0)
    release = threading.Event()

    def slow(got: Got) -> Reply:
        if got.json["n"] > 20:
            arrived.release()
            release.wait(20)
        return echo(got)

    command = [sys.executable, "-m", "heddle", "run", str(path), "--each", "rows.csv", "--server", serve(slow).url]
    with subprocess.Popen(
        [*command, "--concurrency", "3", "--report", "json=all.json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ},
    ) as child:  # fmt: skip
        assert all(arrived.acquire(timeout=20) for _ in range(3))
        time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        stdout, stderr = child.communicate(timeout=20)
        release.set()
    lines = stdout.splitlines()
    assert (child.returncode, stderr) == (130, "")
    assert lines[0].startswith("[1/10] rows.csv:2: succeeded")
    assert lines[1:4] == [f"rows.csv:{n}: interrupted at make after 1 call" for n in (3, 4, 5)]
    assert lines[4].endswith(": 1 succeeded, 3 interrupted, 6 not begun")
    assert json.loads(Path("all.json").read_text())["exitCode"] == 130
