"""`heddle arazzo show`: documents for people, and as flowcharts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from heddle.cli.main import cli

EXAMPLES = Path(__file__).parents[2] / "examples"


def show(*args: str | Path) -> str:
    result = CliRunner().invoke(cli, ["arazzo", "show", *map(str, args)], prog_name="heddle")
    assert result.exit_code == 0, result.output
    return result.stdout


def flow(write: Callable[..., Path], **more: Any) -> Path:
    busy = [{"condition": "$response.body#/state == 'busy'"}]
    return write(
        [
            {
                "stepId": "make",
                "operationId": "make",
                "requestBody": {"payload": {"n": "$inputs.n"}},
                "outputs": {"id": "$response.body#/id"},
            },
            {
                "stepId": "follow",
                "operationId": "thing",
                "parameters": [{"name": "id", "in": "path", "value": "$steps.make.outputs.id"}],
                "onSuccess": [
                    {"name": "busy", "type": "goto", "stepId": "follow", "criteria": busy},
                    {"name": "over", "type": "end"},
                ],
                "onFailure": [{"name": "again", "type": "retry", "retryLimit": 3, "retryAfter": 2}],
                "outputs": {"url": "$response.body#/url"},
            },
            {"stepId": "lost", "operationId": "look"},
        ],
        inputs={
            "type": "object",
            "required": ["n"],
            "properties": {"n": {"type": "integer"}, "token": {"default": "s3cret"}},
        },
        outputs={"url": "$steps.follow.outputs.url"},
        **more,
    )


def test_steps_branches_and_data(write: Callable[..., Path]) -> None:
    assert show(flow(write)).splitlines() == [
        "A test (Arazzo 1.0.1)",
        "  api = api.yaml",
        "",
        "main",
        "  inputs",
        "    n (integer, required) → make",
        "    token (any, optional, secret)",
        "  1. make   POST /make",
        "      takes input n",
        "      gives id → follow",
        "  2. follow   GET /things/{id}",
        "      takes make.id",
        "      gives url → outputs",
        "      busy: ↻ follow if $response.body#/state == 'busy'",
        "      over: ■ end",
        "      on failure, again: ↻ again (3 times every 2 s)",
        "  3. lost   GET /look   (no way leads here)",
        "  outputs",
        "    url ← follow.url",
    ]


def test_a_flowchart(write: Callable[..., Path]) -> None:
    assert show(flow(write), "--mermaid").splitlines() == [
        "flowchart TD",
        '  w0_start(["main"]) --> w0_s0',
        '  w0_s0["make<br/>POST /make"]',
        '  w0_s1["follow<br/>GET /things/#123;id#125;"]',
        '  w0_s2["lost<br/>GET /look"]',
        "  w0_s0 --> w0_s1",
        "  w0_s1 -->|\"busy<br/>$response.body#35;/state == 'busy'\"| w0_s1",
        '  w0_s1 -->|"over"| w0_end',
        '  w0_s1 -.->|"again #40;3 times every 2 s#41;"| w0_s1',
        "  w0_s2 --> w0_end",
        "  w0_end((end))",
    ]


def test_several_workflows_and_one_of_them(write: Callable[..., Path]) -> None:
    other = {
        "workflowId": "other",
        "steps": [{"stepId": "a", "workflowId": "main", "parameters": [{"name": "n", "value": 1}]}],
    }
    path = flow(write, more_workflows=[other])
    assert 'subgraph w1["other"]' in show(path, "--mermaid")
    only = show(path, "-w", "other")
    assert "  1. a   workflow main" in only
    assert "POST /make" not in only


def test_a_source_that_is_not_there(write: Callable[..., Path], tmp_path: Path) -> None:
    path = flow(write)
    (tmp_path / "api.yaml").unlink()
    shown = show(path)
    assert "  api = api.yaml, not found" in shown
    assert "  1. make   make" in shown


def test_text_of_a_document_steers_neither_terminal_nor_chart(write: Callable[..., Path]) -> None:
    path = write(
        [{"stepId": 'a"]; click x "y"', "operationId": "look", "description": "x"}],
        info={"title": "\x1b[2J!", "version": "1"},
    )
    assert '  w0_s0["a#34;#93;#59; click x #34;y#34;<br/>GET /look"]' in show(path, "--mermaid").splitlines()
    assert "\x1b" not in show(path)
    assert show(path).startswith("\N{REPLACEMENT CHARACTER}[2J!")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.name)
def test_our_examples_can_be_shown(path: Path) -> None:
    assert "/v2/consumer/workflows" in show(path)
    assert show(path, "--mermaid").startswith("flowchart TD\n")
