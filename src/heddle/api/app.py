"""The HTTP application: every route of both APIs on one page."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.types import ASGIApp

from heddle.api import blobs, health, openapi, problems, runs, site, workflows
from heddle.api.deps import Deps
from heddle.api.operations import Operation
from heddle.api.probes import Probes
from heddle.api.telemetry import Telemetry
from heddle.contract import runs as wire
from heddle.contract import shown
from heddle.contract.blobs import UploadQuery
from heddle.contract.orchestration import GetWorkflow, QueryWorkflows, WorkflowRequest, WorkflowUpdate
from heddle.errors import CallerError, Unavailable
from heddle.studio import previews

WORKFLOW = {"workflowId": "The id of a workflow, `wf_…`."}
BLOB = {"blobId": "The id of a blob, `blob_…`."}
RUN = {"runId": "The id of an Arazzo run, `run_…`."}
_V2 = "/v2/consumer"
_RUNS = "/v2/heddle/arazzo/runs"
_SITE = "/api/v1"

#: The order matters: fixed paths come before those with a parameter in the same place.
OPERATIONS: tuple[Operation, ...] = (
    Operation(
        id="getWorkflow",
        method="GET",
        path=f"{_V2}/workflows/{{workflowId}}",
        tag="Workflows",
        handler=workflows.get_workflow,
        shows=shown.Workflow,
        query=GetWorkflow,
        params=WORKFLOW,
        errors=(400, 401, 404),
    ),
    Operation(
        id="submitWorkflow",
        method="POST",
        path=f"{_V2}/workflows",
        tag="Workflows",
        handler=workflows.submit_workflow,
        status=202,
        shows=shown.Workflow,
        body=WorkflowRequest,
        errors=(400, 401, 402, 409, 413, 429),
    ),
    Operation(
        id="queryWorkflows",
        method="GET",
        path=f"{_V2}/workflows",
        tag="Workflows",
        handler=workflows.query_workflows,
        shows=shown.WorkflowPage,
        query=QueryWorkflows,
    ),
    Operation(
        id="updateWorkflow",
        method="PUT",
        path=f"{_V2}/workflows/{{workflowId}}",
        tag="Workflows",
        handler=workflows.update_workflow,
        shows=shown.Workflow,
        body=WorkflowUpdate,
        params=WORKFLOW,
        errors=(400, 401, 404, 413),
    ),
    Operation(
        id="patchWorkflow",
        method="PATCH",
        path=f"{_V2}/workflows/{{workflowId}}",
        tag="Workflows",
        handler=workflows.patch_workflow,
        shows=shown.Workflow,
        body=shown.JsonPatch,
        body_type="application/json-patch+json",
        params=WORKFLOW,
        errors=(400, 401, 404, 413),
    ),
    Operation(
        id="deleteWorkflow",
        method="DELETE",
        path=f"{_V2}/workflows/{{workflowId}}",
        tag="Workflows",
        handler=workflows.delete_workflow,
        status=204,
        params=WORKFLOW,
        errors=(401, 404),
    ),
    Operation(
        id="getWorkflowLog",
        method="GET",
        path=f"{_V2}/workflows/{{workflowId}}/log",
        tag="Workflows",
        handler=workflows.get_workflow_log,
        shows=shown.WorkflowLog,
        params=WORKFLOW,
        errors=(401, 404),
    ),
    Operation(
        id="getJobPreview",
        method="GET",
        path=f"{_V2}/workflows/{{workflowId}}/jobs/{{jobId}}/preview",
        tag="Workflows",
        handler=workflows.get_job_preview,
        gives=", ".join(previews.MIMES),
        params=WORKFLOW | {"jobId": "The id of one of its jobs, `job_…`."},
        errors=(401, 404),
    ),
    Operation(
        id="uploadBlob",
        method="POST",
        path=f"{_V2}/blobs",
        tag="Blobs",
        handler=blobs.upload_blob,
        status=201,
        shows=shown.Blob,
        body=shown.BlobUpload,
        body_type="multipart/form-data",
        errors=(400, 401, 413, 415),
    ),
    Operation(
        id="getBlobUploadUrl",
        method="GET",
        path=f"{_V2}/blobs/upload-url",
        tag="Blobs",
        handler=blobs.get_blob_upload_url,
        shows=shown.UploadUrl,
        query=UploadQuery,
        errors=(400, 401, 413),
    ),
    Operation(
        id="openBlob",
        method="GET",
        path=f"{_V2}/blobs/content/{{blobId}}",
        tag="Blobs",
        handler=blobs.open_blob,
        params=BLOB,
        errors=(403, 404, 416),
        auth="signature",
    ),
    Operation(
        id="putBlob",
        method="PUT",
        path=f"{_V2}/blobs/upload/{{blobId}}",
        tag="Blobs",
        handler=blobs.put_blob,
        status=201,
        shows=shown.Blob,
        params=BLOB,
        errors=(400, 403, 404, 409, 413, 415),
        auth="signature",
    ),
    Operation(
        id="postBlob",
        method="POST",
        path=f"{_V2}/blobs/upload/{{blobId}}",
        tag="Blobs",
        handler=blobs.put_blob,
        status=201,
        shows=shown.Blob,
        params=BLOB,
        errors=(400, 403, 404, 409, 413, 415),
        auth="signature",
    ),
    Operation(
        id="refreshBlob",
        method="POST",
        path=f"{_V2}/blobs/{{blobId}}/refresh",
        tag="Blobs",
        handler=blobs.refresh_blob,
        shows=shown.Blob,
        params=BLOB,
        errors=(401, 404, 409),
    ),
    # HEAD before GET: Starlette's GET routes answer HEAD too, with GET's headers.
    Operation(
        id="headBlob",
        method="HEAD",
        path=f"{_V2}/blobs/{{blobId}}",
        tag="Blobs",
        handler=blobs.head_blob,
        params=BLOB,
        errors=(401, 404),
    ),
    Operation(
        id="getBlob",
        method="GET",
        path=f"{_V2}/blobs/{{blobId}}",
        tag="Blobs",
        handler=blobs.get_blob,
        shows=shown.Blob,
        params=BLOB,
        errors=(401, 404),
    ),
    Operation(
        id="getModelVersion",
        method="GET",
        path=f"{_SITE}/model-versions/{{id}}",
        tag="ModelVersions",
        handler=site.get_model_version,
        shows=shown.ModelVersion,
        params={"id": "The number of a model version."},
        errors=(400, 401, 404),
        auth="optional",
    ),
    Operation(
        id="getCurrentUser",
        method="GET",
        path=f"{_SITE}/me",
        tag="Users",
        handler=site.get_current_user,
        shows=shown.User,
        errors=(401,),
    ),
    Operation(
        id="createArazzoRun",
        method="POST",
        path=_RUNS,
        tag="ArazzoRuns",
        handler=runs.create_arazzo_run,
        status=202,
        shows=wire.ArazzoRun,
        body=wire.ArazzoRunRequest,
        errors=(400, 401, 413, 429),
    ),
    Operation(
        id="queryArazzoRuns",
        method="GET",
        path=_RUNS,
        tag="ArazzoRuns",
        handler=runs.query_arazzo_runs,
        shows=wire.ArazzoRunPage,
        query=wire.QueryArazzoRuns,
    ),
    Operation(
        id="getArazzoRun",
        method="GET",
        path=f"{_RUNS}/{{runId}}",
        tag="ArazzoRuns",
        handler=runs.get_arazzo_run,
        shows=wire.ArazzoRun,
        params=RUN,
        errors=(401, 404),
    ),
    Operation(
        id="getArazzoRunEvents",
        method="GET",
        path=f"{_RUNS}/{{runId}}/events",
        tag="ArazzoRuns",
        handler=runs.get_arazzo_run_events,
        shows=wire.ArazzoRunEvents,
        query=wire.QueryArazzoEvents,
        params=RUN,
        errors=(400, 401, 404),
    ),
    Operation(
        id="cancelArazzoRun",
        method="POST",
        path=f"{_RUNS}/{{runId}}/cancel",
        tag="ArazzoRuns",
        handler=runs.cancel_arazzo_run,
        shows=wire.ArazzoRun,
        params=RUN,
        errors=(401, 404),
    ),
)


class _App(Starlette):
    def build_middleware_stack(self) -> ASGIApp:
        routes = {route.endpoint: route.path for route in self.routes if isinstance(route, Route)}
        return Telemetry(super().build_middleware_stack(), routes)


def create_app(deps: Deps) -> Starlette:
    """The application over its parts."""
    routes = [Route(op.path, op.handler, methods=[op.method], name=op.id) for op in OPERATIONS]
    routes += [
        Route("/openapi.json", openapi.document(OPERATIONS), methods=["GET"]),
        Route("/docs", openapi.page(OPERATIONS), methods=["GET"]),
        Route("/health", health.health, methods=["GET"]),
        Route("/", health.welcome, methods=["GET"]),
        *Probes(deps.db, deps.settings).routes(),
    ]
    app = _App(
        routes=routes,
        exception_handlers={
            CallerError: problems.on_caller_error,
            Unavailable: problems.on_unavailable,
            HTTPException: problems.on_http_error,
            Exception: problems.on_bug,
        },
    )
    app.router.redirect_slashes = False
    app.state.deps = deps
    return app
