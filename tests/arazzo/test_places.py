"""No file that a command line names is written in the place of another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from arazzo_stub import Handler, Reply, Stub

from conftest import Played
from heddle.cli.places import Place, check_apart

REPORT = "the report flow.yaml would take the place of the document"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--report", "html=flow.yaml"], REPORT),
        (["--report", "json=link.yaml"], "the report link.yaml would take the place of the document"),
        (["--trace", "hard.yaml"], "the trace hard.yaml would take the place of the document"),
        (["--checkpoint", "flow.yaml"], "the checkpoint flow.yaml would take the place of the document"),
        (["--checkpoint", "x.run", "--resume", "--trace", "./x.run"], "x.run would take the place of the trace"),
        (["--report", "tap=new", "--report", "junit=folder/../new"], "new would take the place of the report"),
        (["--trace", "new", "--report", "har=new"], "the report new would take the place of the trace"),
        (["--inputs", "inputs.json", "--report", "json=inputs.json"], "would take the place of the inputs"),
        (["--each", "rows.csv", "--report", "json=rows.csv"], "the report rows.csv would take the place of the table"),
        (["--each", "rows.csv", "--report", "tap=run-{run}.csv"], "run-2.csv would take the place of the report"),
        (["--each", "rows.csv", "--report", "json=c", "--checkpoint", "c"], "would take the place of the checkpoint"),
    ],
    ids=lambda value: None if isinstance(value, str) else " ".join(value),
)
def test_files_that_are_the_same(
    write: Callable[..., Path],
    serve: Callable[[Handler], Stub],
    play: Callable[..., Played],
    args: list[str],
    said: str,
) -> None:
    path = write([{"stepId": "look", "operationId": "look"}], inputs={"properties": {"n": {}}})
    Path("link.yaml").symlink_to(path)
    Path("hard.yaml").hardlink_to(path)
    Path("folder").mkdir()
    Path("x.run").write_text("kept")
    Path("inputs.json").write_text('{"n": 1}')
    Path("rows.csv").write_text("n\n1\n2\n")
    more = ["--report", "json=run-2.csv"] if "tap=run-{run}.csv" in args else []
    before = {file.name: file.read_bytes() for file in Path().iterdir() if file.is_file()}
    stub = serve(lambda got: Reply(200, {}))
    played = play(path.name, "--server", stub.url, *args, *more)
    assert (played.code, said in played.stderr, stub.got) == (1, True, []), played.stderr
    assert {file.name: file.read_bytes() for file in Path().iterdir() if file.is_file()} == before


def test_files_that_are_apart(tmp_path: Path) -> None:
    nowhere, here = Path("/dev/null"), tmp_path / "a"
    check_apart(
        [Place("x", here), Place("x", here)], [Place("y", nowhere), Place("y", nowhere), Place("y", tmp_path / "b")]
    )
