"""What the Arazzo runner costs: CPU seconds of this process for many steps, with and without HTTP.

Run: python benchmarks/arazzo.py [--count N]
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time

import httpx
import yaml

from heddle.arazzo.budgets import Options
from heddle.arazzo.document import read_document
from heddle.arazzo.events import RunEnded
from heddle.arazzo.exchange import Client
from heddle.arazzo.leniency import Leniency
from heddle.arazzo.plan import Plan, make_plan
from heddle.arazzo.requests import Request
from heddle.arazzo.runner import Run
from heddle.arazzo.sources import Servers, load_descriptions

BODY = (
    b'{"id":"wf_1","status":"processing","cost":{"base":4,"total":4},"tags":[],"createdAt":"2030-01-01T00:00:00Z",'
    b'"steps":[{"name":"generate","status":"processing","jobs":[{"id":"job_1","status":"processing"}]}]}'
)
STUB = f"""
import asyncio
BODY = {BODY!r}
DONE = BODY.replace(b'"processing"', b'"succeeded"', 1)
async def serve(reader, writer):
    left = None
    while True:
        try:
            head = (await reader.readuntil(b"\\r\\n\\r\\n")).lower()
        except asyncio.IncompleteReadError:
            return writer.close()
        left = int(head.split(b"x-left: ")[1].split(b"\\r\\n")[0]) - 1 if left is None and b"x-left: " in head else left
        body = DONE if left == 0 else BODY
        left = None if left is None else left - 1
        head = "HTTP/1.1 200 OK", "content-type: application/json", f"content-length: {{len(body)}}", "", ""
        writer.write("\\r\\n".join(head).encode() + body)
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""
TERMINAL = "$.status == 'failed' || $.status == 'expired' || $.status == 'canceled'"
WAITING = "$.status == 'processing' || $.status == 'preparing' || $.status == 'unassigned'"


class Canned(httpx.AsyncBaseTransport):
    """An answer without HTTP: what is left is the runner."""

    def __init__(self, looks: int) -> None:
        self.left = looks

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.left -= 1
        body = BODY.replace(b'"processing"', b'"succeeded"', 1) if self.left == 0 else BODY
        return httpx.Response(200, headers={"content-type": "application/json"}, content=body)


def criterion(name: str, kind: str, condition: str, target: str | None) -> dict[str, object]:
    found: dict[str, object] = {"name": name, "type": kind}
    if target:
        found["stepId"] = target
    return found | {"criteria": [{"context": "$response.body", "condition": condition, "type": "jsonpath"}]}


def step(name: str, count: int) -> dict[str, object]:
    headers = {"Authorization": "Bearer $inputs.apiKey", "X-Left": count}
    return {
        "stepId": name,
        "operationId": "getWorkflow",
        "parameters": [
            *({"name": key, "in": "header", "value": value} for key, value in headers.items()),
            {"name": "workflowId", "in": "path", "value": "$inputs.id"},
        ],
        "successCriteria": [{"condition": "$statusCode == 200"}],
        "outputs": {"status": "$response.body#/status"},
    }


def plan_of(steps: list[dict[str, object]], server: str) -> Plan:
    document = {
        "arazzo": "1.0.1",
        "info": {"title": "benchmark", "version": "1"},
        "sourceDescriptions": [{"name": "api", "url": "civitai-orchestration-api-openapi.yml"}],
        "workflows": [
            {
                "workflowId": "w",
                "inputs": {"type": "object", "properties": {"apiKey": {"type": "string"}, "id": {"type": "string"}}},
                "steps": steps,
            }
        ],
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "d.yaml"
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        read = read_document(path)
        return make_plan(read, None, load_descriptions(read, Servers(default=server), {}), Leniency())


def sequence(count: int, server: str) -> Plan:
    return plan_of([step(f"s{index}", count) for index in range(count)], server)


def poll(count: int, server: str) -> Plan:
    actions = [
        criterion("stillRunning", "goto", WAITING, "poll"),
        criterion("finished", "goto", "$.status == 'succeeded'", "last"),
        criterion("failed", "end", TERMINAL, None),
    ]
    return plan_of([{**step("poll", count), "onSuccess": actions}, step("last", count)], server)


async def carried_out(plan: Plan, transport: httpx.AsyncBaseTransport | None) -> int:
    options = Options(first_pause=0, longest_pause=0, max_steps=100_000, deadline=120)
    async with Client(transport) as client:
        run = Run(plan, {"apiKey": "k" * 40, "id": "wf_1"}, client, options=options)
        events = [event async for event in run.events()]
    last = events[-1]
    assert isinstance(last, RunEnded)
    assert last.result.exit_code == 0, last.result.reason
    return last.result.calls


async def bare(server: str, count: int) -> int:
    """The same requests with our HTTP client and no runner."""
    async with Client() as client:
        for _ in range(count):
            await client.send(Request("GET", f"{server}/v2/consumer/workflows/wf_1", [("Authorization", "Bearer k")]))
    return count


def measure(name: str, work: Callable[[], int]) -> float:
    wall, cpu = perf_counter(), process_time()
    calls = work()
    wall, cpu = perf_counter() - wall, process_time() - cpu
    print(
        f"{name:<34} {calls:>6} calls {cpu:>7.3f} s CPU {cpu / calls * 1000:>7.3f} ms/call {calls / wall:>7.0f} calls/s"
    )
    return cpu / calls


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1000)
    count = parser.parse_args().count
    with subprocess.Popen([sys.executable, "-c", STUB], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        server = f"http://127.0.0.1:{child.stdout.readline().strip()}"
        try:
            asyncio.run(bare(server, 20))
            steps, loop = sequence(count, server), poll(count, server)
            measure("runner alone, sequence", lambda: asyncio.run(carried_out(steps, Canned(count))))
            measure("runner alone, poll loop", lambda: asyncio.run(carried_out(loop, Canned(count))))
            http = measure("HTTP alone", lambda: asyncio.run(bare(server, count)))
            with_http = measure("HTTP and runner, sequence", lambda: asyncio.run(carried_out(steps, None)))
            print(f"{'':<34} beyond HTTP: {(with_http - http) * 1000:.3f} ms CPU per step (goal: <= 1)")
            polled = measure("HTTP and runner, poll loop", lambda: asyncio.run(carried_out(loop, None)))
            print(f"{'':<34} 1,000 polls: {polled * 1000:.2f} s CPU (goal: <= 2)")
        finally:
            child.terminate()


if __name__ == "__main__":
    main()
