"""Arazzo runners beside one another: processor time, wall time, and whether they did what the document says.

    python benchmarks/runners.py [--redocly PATH] [--arazzo-runner PATH]

The others are the programs `redocly` (npm, @redocly/cli) and `arazzo-runner` (PyPI); those that are not given are left
out. Every row is a command of its own against a server on this machine that counts what it is asked.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
import yaml

#: Answers `processing`; the last poll is told `succeeded`. `/count` says how many requests there were, and forgets.
STUB = """
import asyncio
seen, polls = 0, 0
async def serve(reader, writer):
    global seen, polls
    while True:
        try:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return writer.close()
        path = head.split(b" ", 2)[1]
        if path.startswith(b"/count"):
            body, seen, polls = str(seen).encode(), 0, 0
        else:
            seen += 1
            polls += path.startswith(b"/poll")
            done = path.startswith(b"/poll") and polls >= int(path.rsplit(b"=", 1)[1])
            body = b'{"id":"a","status":"%s","tags":[]}' % (b"succeeded" if done else b"processing")
        head = b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: %d\\r\\n\\r\\n"
        writer.write(head % len(body) + body)
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


@dataclass(frozen=True, slots=True)
class Took:
    """One command from its start to its end."""

    processor_s: float
    wall_s: float
    status: int
    requests: int


@contextmanager
def server() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, "-c", STUB], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.wait()


def write(folder: Path, url: str, name: str, steps: Sequence[dict[str, Any]]) -> Path:
    """A document and the description that it names."""
    answer = {"200": {"description": "ok", "content": {"application/json": {"schema": {"type": "object"}}}}}
    look = {"operationId": "look", "responses": answer}
    wanted = {"name": "of", "in": "query", "required": True, "schema": {"type": "integer"}}
    description = {
        "openapi": "3.0.3",
        "info": {"title": "stub", "version": "1"},
        "servers": [{"url": url}],
        "paths": {
            "/look": {"get": look},
            "/poll": {"get": {"operationId": "poll", "parameters": [wanted], "responses": answer}},
        },
    }
    document = {
        "arazzo": "1.0.1",
        "info": {"title": name, "version": "1"},
        "sourceDescriptions": [{"name": "stub", "url": "stub.yaml", "type": "openapi"}],
        "workflows": [{"workflowId": name, "steps": list(steps)}],
    }
    (folder / "stub.yaml").write_text(yaml.safe_dump(description, sort_keys=False))
    path = folder / f"{name}.arazzo.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path


def walk(count: int) -> list[dict[str, Any]]:
    criteria = [{"condition": "$statusCode == 200"}]
    return [
        {
            "stepId": f"step{n}",
            "operationId": "look",
            "successCriteria": criteria,
            "outputs": {"id": "$response.body#/id"},
        }
        for n in range(count)
    ]


def poll(count: int) -> list[dict[str, Any]]:
    again = {"name": "again", "type": "goto", "stepId": "poll"}
    end = {"name": "done", "type": "end"}
    return [
        {
            "stepId": "poll",
            "operationId": "poll",
            "parameters": [{"name": "of", "in": "query", "value": count}],
            "onSuccess": [
                end | {"criteria": [{"condition": "$response.body#/status == 'succeeded'"}]},
                again | {"criteria": [{"condition": "$response.body#/status == 'processing'"}]},
            ],
        }
    ]


class Runner:
    """How a document is given to a program."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self._command = command

    def run(self, url: str, document: Path) -> Took:
        return measured(url, self.command(document, url), document.parent)

    def command(self, document: Path, url: str) -> list[str]:
        match self.name:
            case "heddle":
                more = ["--server", url, "--pause", "0", "--max-steps", "100000", "--json"]
                return [*self._command, "run", str(document), *more]
            case "redocly":
                return [*self._command, "respect", str(document), "--max-steps", "100000"]
            case _:
                name = document.name.removesuffix(".arazzo.yaml")
                return [*self._command, "execute-workflow", str(document), "--workflow-id", name, "--inputs", "{}"]

    def start(self, url: str, folder: Path) -> Took:
        return measured(url, [*self._command, "--help" if self.name == "arazzo-runner" else "--version"], folder)


def measured(url: str, command: Sequence[str], folder: Path) -> Took:
    httpx.get(f"{url}/count")
    began = perf_counter()
    environment = {**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall_s = perf_counter() - began
    return Took(usage.ru_utime + usage.ru_stime, wall_s, process.returncode, int(httpx.get(f"{url}/count").text))


def row(what: str, runner: Runner, took: Sequence[Took], expected: int) -> None:
    asked = sum(one.requests for one in took)
    right = "" if asked == expected else f" of {expected}"
    processor_s, wall_s = sum(one.processor_s for one in took), sum(one.wall_s for one in took)
    statuses = "/".join(sorted({str(one.status) for one in took}))
    print(f"| {what} | {runner.name} | {processor_s:.2f} | {wall_s:.2f} | {asked}{right} | {statuses} |", flush=True)


def many(runner: Runner, url: str, folder: Path, count: int) -> Took:
    """One process for as many runs: a row of a table each."""
    document = write(folder, url, "four", walk(4))
    (folder / "rows.jsonl").write_text("{}\n" * count)
    return measured(
        url, [*runner.command(document, url), "--each", str(folder / "rows.jsonl"), "--concurrency", "8"], folder
    )


def compare(runners: Sequence[Runner], runs: int) -> None:
    print("| what | runner | CPU s | wall s | requests | exit status |\n|---|---|---|---|---|---|")
    with server() as url, tempfile.TemporaryDirectory() as room:
        folder = Path(room)
        for runner in runners:
            row("start", runner, [runner.start(url, folder)], 0)
        for count in (20, 200, 1000):
            for runner in runners:
                document = write(folder, url, f"walk{count}", walk(count))
                row(f"{count} steps", runner, [runner.run(url, document)], count)
        for runner in runners:
            row("1,000 polls", runner, [runner.run(url, write(folder, url, "poll", poll(1000)))], 1000)
        for runner in runners:
            document = write(folder, url, "four", walk(4))
            row(f"{runs} runs, {runs} processes", runner, [runner.run(url, document) for _ in range(runs)], 4 * runs)
        row(f"{runs} runs, one process", runners[0], [many(runners[0], url, folder, runs)], 4 * runs)


def main() -> None:
    parser = argparse.ArgumentParser(description="Arazzo runners beside one another")
    parser.add_argument("--redocly", metavar="PATH")
    parser.add_argument("--arazzo-runner", metavar="PATH")
    parser.add_argument("--runs", type=int, default=50)
    asked = parser.parse_args()
    given = {"redocly": asked.redocly, "arazzo-runner": asked.arazzo_runner}
    others = [
        Runner(name, json.loads(path) if path.startswith("[") else [path]) for name, path in given.items() if path
    ]
    compare([Runner("heddle", [sys.executable, "-m", "heddle"]), *others], asked.runs)


if __name__ == "__main__":
    main()
