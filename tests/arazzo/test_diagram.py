"""`heddle arazzo show --html`: the drawing of a document, and the run drawn on it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from arazzo_pages import EVIL, Tags, check
from arazzo_stub import Handler, Reply, Stub
from click.testing import CliRunner

from conftest import EXAMPLES, Played
from heddle.arazzo.diagram import ENTRY, LEFT, NODE_WIDTH, Arrow, Diagram, diagram_of
from heddle.arazzo.document import read_document
from heddle.arazzo.outline import drawn
from heddle.arazzo.traces import read_trace
from heddle.arazzo.walk import walk_of
from heddle.cli.document_page import TIMES
from heddle.cli.main import cli


def show(*args: str | Path) -> Played:
    result = CliRunner().invoke(cli, ["arazzo", "show", *map(str, args)], prog_name="heddle")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Played(result.exit_code, result.stdout, result.stderr)


def step(name: str, operation: str = "look", **fields: Any) -> dict[str, Any]:
    return {"stepId": name, "operationId": operation, **fields}


def goto(name: str, target: str, status: int = 0, **fields: Any) -> dict[str, Any]:
    criteria = {"criteria": [{"condition": f"$statusCode == {status}"}]} if status else {}
    return {"name": name, "type": "goto", "stepId": target, **criteria, **fields}


@pytest.fixture
def tangle(write: Callable[..., Path]) -> Path:
    """Branches over, under and through each other."""
    again = {"name": "again", "type": "retry", "retryAfter": 2, "retryLimit": 4}
    stop = {"name": "stop", "type": "end"}
    steps = [
        step("a", onSuccess=[goto("skip", "d", 204), goto("far", "e", 205)], onFailure=[again, goto("on", "b")]),
        step("b", onSuccess=[goto("back", "a", 409), goto("next", "c")]),
        step("c", onSuccess=[goto("to a", "a", 409), goto("to b", "b", 410), goto("self", "c", 411)]),
        {"stepId": "d", "workflowId": "inner"},
        step("e", onSuccess=[stop]),
        step("f", "fetch"),
    ]
    inner = {"workflowId": "inner", "steps": [step("only", "fetch")]}
    return write(steps, more_workflows=[inner])


def diagram(path: Path) -> Diagram:
    document = read_document(path)
    return diagram_of(drawn(document, {}).linked, document.workflows[0])


def uprights(arrows: tuple[Arrow, ...]) -> list[tuple[float, float, float]]:
    """The part of each branch that runs in a lane: x, top, bottom."""
    lines = [arrow.points for arrow in arrows if len(arrow.points) == 4]
    return [(one[1][0], min(one[1][1], one[2][1]), max(one[1][1], one[2][1])) for one in lines]


def test_nothing_lies_on_anything_else(tangle: Path) -> None:
    picture = diagram(tangle)
    for above, below in pairwise(picture.nodes):
        assert above.bottom < below.top
    for (x, top, bottom), (other, first, last) in combinations(uprights(picture.arrows), 2):
        assert x != other or bottom < first or last < top
    rows = [arrow.points[0][1] for arrow in picture.arrows if arrow.label]
    assert min(below - above for above, below in pairwise(sorted(rows))) >= 30
    corners = [corner for arrow in picture.arrows for corner in arrow.points]
    assert max(x for x, _ in corners) <= picture.width
    assert max(y for _, y in corners) <= picture.height


def test_arrows_lead_where_the_document_says(tangle: Path) -> None:
    picture = diagram(tangle)
    tops = {node.top + ENTRY: node.name for node in picture.nodes if node.kind == "step"}
    led = {arrow.label: tops.get(arrow.points[-1][1]) for arrow in picture.arrows if arrow.label}
    assert led == {
        "skip": "d",
        "far": "e",
        "on failure: again (4 times every 2 s)": "a",
        "on failure: on": "b",
        "back": "a",
        "next": "c",
        "to a": "a",
        "to b": "b",
        "self": "c",
        "stop": None,
    }
    stop = next(arrow for arrow in picture.arrows if arrow.label == "stop")
    assert LEFT < stop.points[-1][0] < LEFT + NODE_WIDTH
    assert [node.name for node in picture.nodes if not node.reachable] == ["f"]
    plain = [arrow.step for arrow in picture.arrows if not arrow.label]
    assert plain == ["", "a", "c", "d", "f"]


def test_thousands_of_steps(write: Callable[..., Path]) -> None:
    steps = [step(f"s{at}", onSuccess=[goto("back", "s0", 409), goto("self", f"s{at}", 410)]) for at in range(1500)]
    picture = diagram(write(steps))
    assert len(picture.nodes) == 1502
    assert picture.width < 1200


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_our_examples_can_be_drawn(path: Path) -> None:
    assert show(path, "--html", "page.html") == Played(0, "", "")
    tags = check(Path("page.html").read_text())
    assert "POST /v2/consumer/workflows" in tags.text
    assert [name for name, _ in tags.found].count("svg") == 1


@pytest.fixture
def ran(tangle: Path, serve: Callable[[Handler], Stub], play: Callable[..., Played]) -> Path:
    """a fails once, b goes back once, c, d with the inner workflow, and e fails."""
    replies = {"look": iter([500, 200, 409, 500, 200, 200, 200, 500])}
    stub = serve(lambda got: Reply(next(replies.get(got.path.rsplit("/", 1)[1], iter([200]))), {}))
    path = tangle.with_name("tangle.yaml")
    document = yaml.safe_load(tangle.read_text().replace("retryAfter: 2", "retryAfter: 0.001"))
    success = {"successCriteria": [{"condition": "$statusCode < 500"}]}
    for one in document["workflows"][0]["steps"]:
        one.update({} if "workflowId" in one else success)
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    assert play(path, "--server", stub.url, "-w", "main", "--trace", "t.trace").code == 1
    return path


def test_the_way_of_a_run(ran: Path) -> None:
    walk = walk_of(told.event for told in read_trace(Path("t.trace")).events)
    assert [name for _, name in walk.path] == ["a", "a", "b", "a", "a", "b", "c", "d", "only", "e"]
    taken = {(name, action): count for ((_, name), action, _), count in walk.moves.items()}
    assert taken == {
        ("a", "again"): 2,
        ("a", None): 2,
        ("b", "back"): 1,
        ("b", "next"): 1,
        ("c", None): 1,
        ("only", None): 1,
        ("d", None): 1,
    }
    ended = {name: ended and ended.ok for (_, name), ended in walk.last.items()}
    assert ended == {"a": True, "b": True, "c": True, "d": True, "only": True, "e": False}


def test_a_run_on_the_drawing(ran: Path) -> None:
    assert show(ran, "--html", "page.html", "--trace", "t.trace").code == 0
    text = Path("page.html").read_text()
    tags = check(text)
    assert f"a {TIMES}2 → b → a {TIMES}2 → b → c → d → only → e" in tags.text
    assert "failed after" in tags.text
    groups = [attributes.get("class") for name, attributes in tags.found if name == "g"]
    assert groups.count("broke") == 1
    assert groups.count("ran") == 5
    assert f"{TIMES}4" in tags.text
    assert "changed since this run" not in text
    ran.write_text(ran.read_text() + "\n")
    show(ran, "--html", "page.html", "--trace", "t.trace")
    assert "The document has changed since this run." in Path("page.html").read_text()


def test_an_interrupted_run_is_drawn_too(ran: Path) -> None:
    lines = Path("t.trace").read_text().splitlines()
    Path("cut.trace").write_text("\n".join(lines[:9]) + "\n")
    assert show(ran, "--html", "page.html", "--trace", "cut.trace").code == 0
    assert "the run was interrupted before its end" in Path("page.html").read_text()


def test_a_hostile_document_stays_text(write: Callable[..., Path]) -> None:
    actions = [{"name": EVIL, "type": "end", "criteria": [{"condition": "$statusCode == '</svg><script>'"}]}]
    path = write([step(EVIL, onSuccess=actions)], info={"title": EVIL, "version": EVIL, "summary": EVIL})
    assert show(path, "--html", "page.html").code == 0
    tags: Tags = check(Path("page.html").read_text())
    assert [name for name, _ in tags.found].count("script") == 0


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--trace", "t.trace"], "heddle: --trace draws a run on a page\nhint: add --html FILE"),
        (["--html", "page.html", "--trace", "t.trace", "-w", "inner"], "is a run of the workflow 'main'"),
        (["--html", "nowhere/page.html"], "the page nowhere/page.html cannot be written: No such file or directory"),
        (["--html", "page.html", "--trace", "none.trace"], "there is no file none.trace"),
        (["--html", "tangle.yaml"], "the page tangle.yaml would take the place of what it shows"),
    ],
    ids=["no page", "another workflow", "no folder", "no trace", "the document"],
)
def test_what_cannot_be_drawn(ran: Path, args: list[str], said: str) -> None:
    shown = show(ran, *args)
    assert shown.code == 1
    assert said in shown.stderr
