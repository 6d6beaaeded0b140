"""`pytest --arazzo FILE`, in processes of its own that load nothing but the plug-in."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from arazzo_stub import Got, Handler, Reply, Stub

ROOT = Path(__file__).parents[2]
PLUGIN = "heddle.arazzo.testing"

APP = """
from contextlib import asynccontextmanager
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

@asynccontextmanager
async def lifespan(app):
    yield {"opened": "yes"}
    print("closed")

async def make(request):
    return JSONResponse({"n": (await request.json())["n"], "opened": request.state.opened})

class shop:
    app = Starlette(routes=[Route("/base/make", make, methods=["POST"])], lifespan=lifespan)

async def no_lifespan(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b'{"n": 1, "opened": "no"}'})

async def broken(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})
"""

STEPS: list[dict[str, Any]] = [
    {
        "stepId": "make",
        "operationId": "make",
        "requestBody": {"payload": {"n": "$inputs.n"}},
        "successCriteria": [{"condition": "$response.body#/n < 10"}],
        "outputs": {"n": "$response.body#/n", "opened": "$response.body#/opened"},
    },
    {"stepId": "look", "workflowId": "second"},
]
INPUTS = {"type": "object", "properties": {"n": {"type": "integer", "default": 3}, "apiKey": {"type": "string"}}}
SECOND = {"workflowId": "second", "steps": [{"stepId": "only", "operationId": "make"}]}


@pytest.fixture
def path(write: Callable[..., Path]) -> Path:
    return write(STEPS[:1], inputs=INPUTS, outputs={"opened": "$steps.make.outputs.opened"})


def run_pytest(*args: str) -> tuple[int, str]:
    """A pytest without settings and other plug-ins."""
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(ROOT / "src"), "CI": ""}
    command = [sys.executable, "-m", "pytest", "-p", PLUGIN, "-p", "no:cacheprovider", "-rA", *args]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    return done.returncode, done.stdout + done.stderr


def test_a_workflow_is_a_test_on_an_application(path: Path, tmp_path: Path) -> None:
    (tmp_path / "web.py").write_text(APP)
    (tmp_path / "test_other.py").write_text("def test_other(): assert False\n")
    code, said = run_pytest("--arazzo", path.name, "--arazzo-app", "web:shop.app", "-s")
    assert code == 0, said
    assert "PASSED flow.yaml::main" in said
    assert "1 passed" in said
    assert "closed" in said


def test_an_application_without_a_start(path: Path, tmp_path: Path) -> None:
    (tmp_path / "web.py").write_text(APP)
    code, said = run_pytest("--arazzo", path.name, "--arazzo-app", "web:no_lifespan")
    assert code == 0, said


def test_a_failure_shows_step_criterion_and_answer(
    path: Path, tmp_path: Path, serve: Callable[[Handler], Stub]
) -> None:
    stub = serve(lambda got: Reply(200, {"n": 99, "why": "because of hidden-key"}))
    (tmp_path / "inputs.yaml").write_text(yaml.safe_dump({"n": 4, "apiKey": "hidden-key"}))
    code, said = run_pytest("--arazzo", path.name, "--arazzo-server", stub.url, "--arazzo-inputs", "inputs.yaml")
    assert code == 1
    assert "main: failed: step 'make' failed: the criterion '$response.body#/n < 10' does not hold" in said
    assert "at step 'make' (" in said
    assert f"POST {stub.url}/base/make → 200" in said
    assert '"why": "because of ***"' in said
    assert "failed  make 200" in said
    assert "hidden-key" not in said
    assert "Traceback" not in said
    assert stub.got[0].json == {"n": 4}


def test_missing_outputs_are_a_failure(path: Path, serve: Callable[[Handler], Stub]) -> None:
    code, said = run_pytest("--arazzo", path.name, "--arazzo-server", serve(lambda got: Reply(200, {"n": 1})).url)
    assert code == 1
    assert "main: incomplete: outputs are missing: opened" in said


def test_every_workflow_is_a_test_and_can_be_chosen(
    write: Callable[..., Path], tmp_path: Path, serve: Callable[[Handler], Stub]
) -> None:
    path = write(STEPS, inputs=INPUTS, more_workflows=[SECOND])

    def answer(got: Got) -> Reply:
        return Reply(200, {"n": 1})

    (tmp_path / "inputs.json").write_text('{"main": {"n": 8}}')
    stub = serve(answer)
    args = ["--arazzo", str(path), "--arazzo-server", stub.url, "--arazzo-inputs", "inputs.json"]
    code, said = run_pytest(*args)
    assert (code, "2 passed" in said) == (0, True)
    assert stub.got[0].json == {"n": 8}
    code, said = run_pytest(*args, "-k", "second")
    assert (code, "1 passed, 1 deselected" in said) == (0, True)


def test_beside_other_tests(path: Path, tmp_path: Path, serve: Callable[[Handler], Stub]) -> None:
    (tmp_path / "test_other.py").write_text("def test_other(): pass\n")
    stub = serve(lambda got: Reply(200, {"n": 1, "opened": 1}))
    code, said = run_pytest("test_other.py", "--arazzo", path.name, "--arazzo-server", stub.url)
    assert (code, "2 passed" in said) == (0, True), said


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "say what is tested: --arazzo-server URL or --arazzo-app"),
        (["--arazzo-app", "web"], "--arazzo-app 'web' is not MODULE:NAME"),
        (["--arazzo-app", "web:nothing"], "cannot be imported: module 'web' has no attribute 'nothing'"),
        (["--arazzo-app", "web:broken"], "the application did not start"),
        (["--arazzo-server", "http://127.0.0.1:1"], "no answer from http://127.0.0.1:1"),
        (["--arazzo-server", "http://127.0.0.1:1", "--arazzo-inputs", "none.json"], "there is no file"),
        (["--arazzo-server", "nowhere"], "'nowhere' is not a URL"),
    ],
    ids=["no target", "no name", "no attribute", "no start", "no server", "no inputs", "no URL"],
)
def test_what_is_wrong_is_a_sentence(path: Path, tmp_path: Path, args: list[str], said: str) -> None:
    (tmp_path / "web.py").write_text(APP)
    code, output = run_pytest("--arazzo", path.name, *args)
    assert code != 0
    assert said in output
    assert "Traceback" not in output


def test_a_wrong_document_is_an_error_with_its_place(path: Path) -> None:
    path.write_text(path.read_text().replace("stepId: make", "stepIdd: make"))
    code, said = run_pytest("--arazzo", path.name, "--arazzo-server", "http://h")
    assert code == 2
    assert "flow.yaml:" in said
    assert "stepId" in said


def test_it_costs_nothing_when_it_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "test_cost.py").write_text(
        "import sys\n"
        "def test_cost():\n"
        "    ours = {name for name in sys.modules if name.startswith('heddle')}\n"
        f"    assert ours <= {{'heddle', 'heddle.arazzo', '{PLUGIN}'}}, ours\n"
        "    assert 'httpx' not in sys.modules\n"
    )
    code, said = run_pytest("test_cost.py")
    assert code == 0, said


def test_pytest_is_told_of_it() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert PLUGIN in settings["project"]["entry-points"]["pytest11"].values()
