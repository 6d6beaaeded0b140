"""The seed documents, unmodified, against a strict imitation of the seed APIs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from heddle.arazzo.findings import Severity
from heddle.arazzo.lint import lint
from heddle.cli.run import run

sys.path.append(str(Path(__file__).parents[1] / "arazzo"))

from arazzo_stub import TOKEN, SeedApi, Stub, png, serving

SEEDS = Path(__file__).parents[3] / "shared" / "seeds" / "arazzo"

pytestmark = pytest.mark.skipif(not SEEDS.is_dir(), reason="the seed documents are not beside the checkout")

COMMON = {"apiKey": TOKEN, "engine": "sdxl", "prompt": 'a "red" fox, 50% snow & fog'}
POLL = "civitai-image-generation-poll-workflow.yml"
IMG2IMG = "civitai-blob-upload-img2img-workflow.yml"
CATALOG = "civitai-model-version-to-generation-workflow.yml"
PRESIGNED = "civitai-presigned-blob-generate-workflow.yml"

REQUIRED: dict[str, dict[str, Any]] = {
    POLL: {},
    IMG2IMG: {"file": "@photo.png"},
    CATALOG: {"modelVersionId": 7},
    PRESIGNED: {"mimeType": "image/png", "callbackUrl": "https://example.org/hook"},
}
OPTIONAL: dict[str, dict[str, Any]] = {
    POLL: {"negativePrompt": "text", "width": 512, "height": 768, "steps": 20, "cfgScale": 6.5, "quantity": 2},
    IMG2IMG: {"moderate": "true"},
    CATALOG: {"quantity": 2},
    PRESIGNED: {"sizeBytes": len(png())},
}
OUTPUTS = {
    POLL: {"workflowId", "status", "firstBlobUrl", "cost"},
    IMG2IMG: {"sourceBlobId", "workflowId", "outputBlobUrl"},
    CATALOG: {"air", "workflowId", "outputBlobUrl", "cost"},
    PRESIGNED: {"blobId", "uploadUrl", "workflowId", "outputBlobUrl"},
}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[SeedApi]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.png").write_bytes(png())
    api = SeedApi()
    with serving(api) as stub:
        api.url = stub.url
        api.stub = stub  # type: ignore[attr-defined]
        yield api


def play(api: SeedApi, document: str | Path, inputs: dict[str, Any], *more: str) -> tuple[int, dict[str, Any], str]:
    given = [text for name, value in inputs.items() for text in ("-i", f"{name}={value}")]
    path = SEEDS / document
    result = CliRunner().invoke(run, [str(path), "--server", api.url, "--pause", "0.005", "--json", *given, *more])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, json.loads(result.stdout), result.output


def upload(document: str) -> list[str]:
    return ["--upload", "requestUploadUrl.uploadUrl=@photo.png"] if document == PRESIGNED else []


@pytest.mark.parametrize("document", REQUIRED)
@pytest.mark.parametrize("extent", ["required", "all"])
def test_the_document_runs_to_its_end(api: SeedApi, document: str, extent: str) -> None:
    optional = OPTIONAL[document] if extent == "all" else {}
    inputs = COMMON | REQUIRED[document] | optional
    code, report, shown = play(api, document, inputs, *upload(document), "--save", "out")

    assert (code, report["status"], report["missing"]) == (0, "succeeded", [])
    assert set(report["outputs"]) == OUTPUTS[document]
    assert all(value is not None for value in report["outputs"].values())
    assert TOKEN not in shown
    saved = [one["path"] for one in report["saved"] if one["path"]]
    assert len(saved) == 1
    assert Path(saved[0]).read_bytes() == png()

    submitted = next(iter(api.workflows.values()))["steps"][0]["input"]
    assert submitted["prompt"] == COMMON["prompt"]
    for name, value in OPTIONAL[document].items():
        assert submitted.get(name) == (value if name in optional and name not in ("moderate", "sizeBytes") else None)
    looks = [got for got in api.stub.got if got.method == "GET" and "/workflows/wf_" in got.path]  # type: ignore[attr-defined]
    assert len(looks) == (4 if document == PRESIGNED else 5)


def test_the_catalog_model_is_the_one_that_generates(api: SeedApi) -> None:
    play(api, CATALOG, COMMON | REQUIRED[CATALOG])
    assert api.workflows["wf_1"]["steps"][0]["input"]["model"] == "urn:air:sdxl:checkpoint:civitai:1@7"


def test_the_uploaded_photo_is_the_source(api: SeedApi) -> None:
    _, report, _ = play(api, IMG2IMG, COMMON | REQUIRED[IMG2IMG])
    assert api.workflows["wf_1"]["steps"][0]["input"]["images"] == [report["outputs"]["sourceBlobId"]]
    assert api.blobs[report["outputs"]["sourceBlobId"]] == png()


def test_a_promised_blob_that_never_comes_ends_without_output(api: SeedApi) -> None:
    code, report, _ = play(api, PRESIGNED, COMMON | REQUIRED[PRESIGNED])
    assert (code, report["status"], report["missing"]) == (2, "incomplete", ["outputBlobUrl"])
    assert report["endedBy"]["step"] == "pollWorkflow"
    assert report["endedBy"]["action"] == "done"
    assert report["steps"][-1]["outputs"]["status"] == "expired"


@pytest.mark.parametrize("final", ["failed", "expired", "canceled"])
@pytest.mark.parametrize("document", [POLL, IMG2IMG, CATALOG])
def test_a_generation_that_ends_badly_is_told_by_the_action(api: SeedApi, document: str, final: str) -> None:
    api.final = final
    code, report, _ = play(api, document, COMMON | REQUIRED[document])
    assert (code, report["status"]) == (2, "incomplete")
    assert (report["endedBy"]["step"], report["endedBy"]["action"]) == ("pollWorkflow", "failed")
    assert report["endedBy"]["place"].startswith(str(SEEDS / document) + ":")
    assert "readOutputs" not in [step["stepId"] for step in report["steps"]]


@pytest.mark.parametrize("document", [POLL, IMG2IMG, CATALOG, PRESIGNED])
def test_a_state_that_the_document_does_not_know_stops_the_run(api: SeedApi, document: str) -> None:
    api.final = "scheduled"
    code, report, _ = play(api, document, COMMON | REQUIRED[document], *upload(document))
    assert (code, report["status"]) == (1, "undecided")


def test_a_wrong_token_fails_the_first_step(api: SeedApi) -> None:
    code, report, shown = play(api, POLL, COMMON | {"apiKey": "wrong-token"})
    assert (code, report["status"]) == (1, "failed")
    assert "who are you?" in report["reason"]
    assert "wrong-token" not in shown


@pytest.mark.parametrize("document", REQUIRED)
def test_a_document_alone_in_a_folder_runs(api: SeedApi, document: str, tmp_path: Path) -> None:
    alone = tmp_path / "somewhere" / "else.yml"
    alone.parent.mkdir()
    alone.write_bytes((SEEDS / document).read_bytes())
    code, _, _ = play(api, alone, COMMON | REQUIRED[document], *upload(document))
    assert code == 0


def test_the_leniencies_of_a_seed_are_told_with_their_place(api: SeedApi) -> None:
    _, report, _ = play(api, CATALOG, COMMON | REQUIRED[CATALOG])
    places = {one["name"]: one["place"] for one in report["leniencies"]}
    assert set(places) == {"unbraced-expression", "bare-comparison", "bare-operation", "absent-input", "loop-pacing"}
    assert places["unbraced-expression"] == f"{SEEDS / CATALOG}:60:14"


@pytest.mark.parametrize("document", REQUIRED)
def test_by_the_letter_no_seed_can_run(api: SeedApi, document: str) -> None:
    inputs = [text for name, value in (COMMON | REQUIRED[document]).items() for text in ("-i", f"{name}={value}")]
    result = CliRunner().invoke(run, [str(SEEDS / document), "--server", api.url, "--strict", *inputs])
    assert result.exit_code == 1
    assert not api.stub.got  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", sorted(SEEDS.glob("*.yml")), ids=lambda path: path.name)
def test_a_seed_is_valid_but_lenient(path: Path) -> None:
    found = lint(path)
    assert {one.code for one in found} <= {"unbraced-expression", "bare-comparison", "bare-operation"}
    assert {one.severity for one in found} == {Severity.WARNING}


def test_the_stub_is_strict() -> None:
    """The tests above mean something only if the imitation refuses what a real server would."""
    api = SeedApi()
    stub: Stub
    with serving(api) as stub:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with httpx.Client(base_url=stub.url, headers=headers) as client:
            blobs = "/v2/consumer/blobs"
            assert (
                client.get(
                    f"{blobs}/upload-url", params={"mimeType": "image/png", "sizeBytes": "undefined"}
                ).status_code
                == 400
            )
            assert client.post(blobs, files={"file": (None, png())}).status_code == 400
            assert client.post(blobs, data={"file": "x"}).status_code == 415
            step = {"$type": "imageGen", "input": {"prompt": "x", "engine": "sdxl", "width": None}}
            assert client.post("/v2/consumer/workflows", json={"steps": [step]}).status_code == 400
        assert httpx.get(stub.url + "/v2/consumer/workflows/wf_1").status_code == 401
