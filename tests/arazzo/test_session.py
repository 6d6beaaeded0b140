"""The runner from Python: documents, targets, results and events."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from arazzo_stub import DESCRIPTION, TOKEN, Handler, Reply, SeedApi, Stub, png
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from tests.docs.pages import BLOCKS

import heddle.arazzo
from heddle.arazzo import Options, Status, arun, load, run, stream
from heddle.arazzo.durable import inputs_in
from heddle.arazzo.events import RunEnded, RunStarted, StepEnded, StepStarted
from heddle.arazzo.files import FileValue, file_value
from heddle.arazzo.session import prepare
from heddle.arazzo.transfers import Upload
from heddle.errors import UsageError

EXAMPLES = Path(__file__).parents[2] / "examples"
QUICK = Options(first_pause=0.001, longest_pause=0.002)
INPUTS = {"type": "object", "properties": {"apiKey": {"type": "string"}, "n": {"type": "integer", "default": 3}}}
STEPS = [
    {
        "stepId": "make",
        "operationId": "make",
        "requestBody": {"payload": {"n": "$inputs.n"}},
        "outputs": {"n": "$response.body#/n"},
    }
]


async def make(request: Request) -> JSONResponse:
    """An application that gives back what it got."""
    return JSONResponse(await request.json())


async def broken(request: Request) -> JSONResponse:
    raise RuntimeError("a fault of the application")


def app(endpoint: Any = make) -> Starlette:
    return Starlette(routes=[Route("/base/make", endpoint, methods=["POST"])])


@pytest.fixture
def path(write: Callable[..., Path]) -> Path:
    return write(STEPS, inputs=INPUTS, outputs={"n": "$steps.make.outputs.n"})


def test_an_application_in_this_process(path: Path) -> None:
    result = run(path, {"n": 5}, app=app())
    assert (result.status, dict(result.outputs), result.calls) == (Status.SUCCEEDED, {"n": 5}, 1)


def test_an_error_of_the_application_is_an_answer(path: Path) -> None:
    result = run(path, app=app(broken))
    assert (result.status, result.steps[0].code) == (Status.FAILED, 500)


def test_a_server(path: Path, serve: Callable[[Handler], Stub]) -> None:
    stub = serve(lambda got: Reply(200, {"n": 9}))
    assert run(str(path), servers=stub.url).outputs == {"n": 9}
    assert run(path, servers={"api": f"{stub.url}/exact/"}).outputs == {"n": 9}
    assert [got.path for got in stub.got] == ["/base/make", "/exact/make"]


def test_a_document_as_text(path: Path, tmp_path: Path) -> None:
    document = load(path.read_text(), folder=tmp_path)
    assert run(document, app=app()).outputs == {"n": 3}
    assert run(document, {"n": 4}, app=app()).outputs == {"n": 4}


def test_a_document_in_json(path: Path) -> None:
    written = yaml.safe_load(path.read_text())
    assert load(json.dumps(written)).title == "A test"


def test_events_come_as_they_happen(path: Path) -> None:
    async def follow() -> list[type]:
        return [type(event) async for event in stream(path, app=app())]

    assert asyncio.run(follow()) == [RunStarted, StepStarted, StepEnded, RunEnded]


def test_a_run_ends_where_its_iteration_is_closed(path: Path, serve: Callable[[Handler], Stub]) -> None:
    stub = serve(lambda got: Reply(200, {}))

    async def follow() -> None:
        events = stream(path, servers=stub.url)
        async for event in events:
            if isinstance(event, StepStarted):
                break
        await events.aclose()

    asyncio.run(follow())
    assert stub.got == []


def test_many_runs_of_one_document_at_once(path: Path) -> None:
    document = load(path)

    async def all_of_them() -> list[Any]:
        results = await asyncio.gather(*(arun(document, {"n": n}, app=app()) for n in range(20)))
        return [result.outputs["n"] for result in results]

    assert asyncio.run(all_of_them()) == list(range(20))


def test_a_path_among_the_inputs_is_a_file(seed_api: SeedApi) -> None:
    inputs = {"apiKey": TOKEN, "prompt": "fog", "file": Path("photo.png")}
    result = run(EXAMPLES / "image-to-image.yaml", inputs, servers=seed_api.url, options=QUICK)
    assert result.status is Status.SUCCEEDED
    assert png() in seed_api.blobs.values()


@pytest.mark.parametrize(
    ("inputs", "target", "said"),
    [
        ({}, {}, "no server is given for the source 'api'"),
        ({}, {"servers": "localhost:80"}, "servers: 'localhost:80' is not a URL"),
        ({}, {"servers": {"other": "http://h"}}, "--server names the source 'other'"),
        ({"n": "x"}, {"servers": "http://h"}, "n: 'x' is not of type 'integer'"),
        ({"file": Path("none.png")}, {"servers": "http://h"}, "there is no file none.png"),
        ({}, {"servers": "http://h", "without": ("nothing",)}, "'nothing' is not a leniency"),
        ({}, {"servers": "http://h", "workflow": "other"}, "there is no workflow 'other'"),
        ({}, {"app": 1, "transport": 2}, "app and transport exclude each other"),
    ],
    ids=["no server", "no URL", "no source", "a type", "no file", "no leniency", "no workflow", "two targets"],
)
def test_what_cannot_work_is_said_before_anything_is_sent(path: Path, inputs: Any, target: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said.replace("(", r"\(")):
        prepare(path, inputs, **target)


def test_a_checkpoint_knows_files_inside_inputs_and_uploads(write: Callable[..., Path]) -> None:
    """As from the command line: their content counts, not where they lie."""
    flow = write(STEPS, inputs={"properties": {"n": {}, "all": {"type": "object"}}})

    async def taken(request: Request) -> JSONResponse:
        return JSONResponse({})

    put = Starlette(routes=[*app().routes, Route("/put", taken, methods=["PUT"])])

    def go(name: str, upload: str = "one", **more: Any) -> Status:
        options = Options(uploads=(Upload("make", "n", FileValue(Path(upload), "text/plain")),))
        inputs = {"n": "http://localhost/put", "all": {"files": [{"a": Path(name)}], "size": 2, "none": None}}
        return run(flow, inputs, app=put, checkpoint=Path("x.run"), options=options, **more).status

    Path("one").write_text("1")
    Path("copy").write_text("1")
    Path("two").write_text("2")
    assert go("one") is Status.SUCCEEDED
    assert go("copy", "copy", resume=True) is Status.SUCCEEDED
    kept = inputs_in(Path("x.run"))
    assert kept["all"] == {"files": [{"a": file_value(Path("one").absolute())}], "size": 2, "none": None}
    with pytest.raises(UsageError, match="the input 'all' was"):
        go("two", resume=True)
    with pytest.raises(UsageError, match=r"the input '--upload make\.n' was a file"):
        go("one", "two", resume=True)


def test_what_a_checkpoint_cannot_keep(write: Callable[..., Path]) -> None:
    flow = write(STEPS, inputs={"properties": {"n": {}, "other": {}}})
    with pytest.raises(UsageError, match="the input 'other' holds a bytes, which no checkpoint can keep"):
        run(flow, {"other": [{"x": b"1"}]}, app=app(), checkpoint=Path("x.run"))
    assert not Path("x.run").exists()


def test_a_source_without_a_server_is_told_with_what_would_name_one(path: Path, play: Callable[..., Any]) -> None:
    with pytest.raises(UsageError) as refused:
        prepare(path, {})
    assert (refused.value.hint or "").startswith("servers={'api': URL}")
    again = path.read_text().replace(
        "sourceDescriptions:", "sourceDescriptions:\n- {name: b, url: api.yaml, type: openapi}"
    )
    path.write_text(again.replace("operationId: make", "operationId: $sourceDescriptions.api.make"))
    played = play(path, "--server", "b=http://h")
    assert "no server is given for the source 'api'" in played.stderr
    assert "add --server api=URL, or --server URL for all" in played.stderr


def test_run_does_not_block_a_loop(path: Path) -> None:
    async def inside() -> None:
        with pytest.raises(RuntimeError, match="await arun"):
            run(path, app=app())

    asyncio.run(inside())


def test_secrets_are_known(path: Path) -> None:
    session = prepare(path, {"apiKey": "very-secret"}, app=app())
    assert session.secrets.mask("a very-secret thing") == "a *** thing"


def test_importing_costs_nothing() -> None:
    code = "import heddle.arazzo, sys; print([m for m in ('httpx', 'yaml', 'asyncio') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_name_is_there() -> None:
    assert [getattr(heddle.arazzo, name) for name in heddle.arazzo.__all__]
    with pytest.raises(AttributeError, match="has no attribute 'stroll'"):
        _ = heddle.arazzo.stroll  # type: ignore[attr-defined]


def test_the_examples_of_the_page_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every Python block of docs/arazzo-python.md, in its order and in one module."""
    names: dict[str, Any] = {"__name__": "page"}
    (tmp_path / "api.yaml").write_text(yaml.safe_dump(DESCRIPTION))
    blocks = [one for one in BLOCKS if one.page.endswith("arazzo-python.md") and one.language == "python"]
    for block in blocks:
        exec(compile(block.text, str(block), "exec"), names)
    assert len(blocks) >= 4
    assert "succeeded" in capsys.readouterr().out
