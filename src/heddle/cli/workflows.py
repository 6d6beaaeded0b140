"""`heddle submit`, `ps`, `logs` and `cancel`: workflows from the command line."""

from __future__ import annotations

import json
import mimetypes
import os
import sys
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import click

from heddle.cli.client import Client, connected
from heddle.cli.output import duration, is_terminal, size
from heddle.errors import HeddleError, UsageError

_SERVER = click.option("--server", metavar="URL", help="Default: the last login, else this machine's own.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Write JSON.")

#: Options of `submit` that are fields of the step's input, by the name of the field.
_FIELDS = {
    "prompt": "prompt",
    "negative": "negativePrompt",
    "engine": "engine",
    "model": "model",
    "width": "width",
    "height": "height",
    "aspect_ratio": "aspectRatio",
    "steps": "steps",
    "cfg_scale": "cfgScale",
    "sampler": "sampler",
    "seed": "seed",
    "quantity": "quantity",
    "strength": "strength",
    "output_format": "outputFormat",
}


_REQUEST = '{"steps": [{"$type": …, "input": …}]}'


@click.command()
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("-t", "--type", "step_type", help="The step type; default: imageGen.")
@click.option("-p", "--prompt", help="What the picture shows, or whatever else the step type makes of it.")
@click.option(
    "-i",
    "--input",
    "inputs",
    multiple=True,
    metavar="NAME=VALUE",
    help="Any other input of the step type: JSON or a text, or @FILE to upload; repeatable.",
)
@click.option("-n", "--negative", help="What it must not show.")
@click.option("--engine", help="A model family or engine; default: what the server has.")
@click.option("--model", metavar="AIR", help="A model of the catalog.")
@click.option("--lora", "loras", multiple=True, metavar="AIR[=STRENGTH]", help="A LoRA of the catalog; repeatable.")
@click.option("--width", type=int, help="Pixels.")
@click.option("--height", type=int, help="Pixels.")
@click.option("--aspect-ratio", help="For example 16:9, instead of a size.")
@click.option("--steps", type=int, help="Sampling steps.")
@click.option("--cfg-scale", type=float, help="How strictly the prompt is followed.")
@click.option("--sampler", help="For example 'DPM++ 2M Karras'.")
@click.option("--seed", type=int, help="The same seed gives the same picture.")
@click.option("-q", "--quantity", type=int, help="How many pictures.")
@click.option("--image", type=click.Path(path_type=Path), help="A source picture: image to image.")
@click.option("--strength", type=float, help="How far the result may leave the source, 0 to 1.")
@click.option("--output-format", type=click.Choice(["png", "jpeg", "webp"]), help="Default: png.")
@click.option("--tag", "tags", multiple=True, help="Repeatable.")
@click.option("--priority", type=click.Choice(["low", "normal", "high"]))
@click.option("--save", type=click.Path(path_type=Path, file_okay=False), default=Path("out"), show_default=True)
@click.option("--no-wait", is_flag=True, help="Print the id and go; needs a server that lasts.")
@click.option("--timeout", type=float, default=3600.0, show_default=True, help="Seconds to wait.")
@_SERVER
@_JSON
def submit(
    file: Path | None,
    *,
    step_type: str | None,
    inputs: tuple[str, ...],
    image: Path | None,
    loras: tuple[str, ...],
    tags: tuple[str, ...],
    priority: str | None,
    save: Path,
    no_wait: bool,
    timeout: float,
    server: str | None,
    as_json: bool,
    **fields: Any,
) -> None:
    """Submit a workflow, wait for it, and save what it made.

    FILE is a workflow request in JSON ('-': standard input); without it, the options describe one step, a picture
    unless --type says otherwise. `/docs` of the server lists the inputs of each step type.

    \b
    Examples:
      heddle submit -p "a red fox in the snow, watercolor" --seed 7
      heddle submit --type training -i images='["@pictures.zip"]' -i steps=100
      heddle submit -p "the same at night" --image out/fox.png --strength 0.5
      heddle submit request.json --save pictures
    """
    given = {_FIELDS[name]: value for name, value in fields.items() if value is not None}
    others = {"type": step_type, "input": inputs or None, "image": image, "lora": loras or None, "priority": priority}
    _check_asked(file, {**fields, **others})
    with ExitStack() as place:
        if not no_wait:
            place.enter_context(_folder(save))  # before anything is paid for
        client = place.enter_context(connected(server, lasting=no_wait))
        if file is not None:
            request = _read(file)
        else:
            given |= _inputs(client, inputs)
            request = _request(client, step_type or "imageGen", given, image, loras, priority)
        if tags:
            request["tags"] = [*request.get("tags", []), *tags]
        made = client.submit(request)
        if no_wait:
            click.echo(json.dumps(made, indent=2) if as_json else made["id"])
            return
        shown = _waited(client, made["id"], timeout, quiet=as_json)
        saved = _save(client, shown, save)
    _report(shown, saved, as_json=as_json)


@click.command()
@click.option("--status", help="Only workflows in this status.")
@click.option("--tag", "tags", multiple=True, help="Only workflows with this tag; repeatable.")
@click.option("-n", "--take", type=click.IntRange(1, 100), default=20, show_default=True)
@click.option("--why", is_flag=True, help="Say of those that wait what they wait for.")
@_SERVER
@_JSON
def ps(status: str | None, tags: tuple[str, ...], take: int, why: bool, server: str | None, as_json: bool) -> None:
    """List workflows, newest first.

    \b
    Examples:
      heddle ps
      heddle ps --status failed
      heddle ps --status unassigned --why
    """
    query = {"take": take, "tags": list(tags)} | ({"status": status} if status else {})
    with connected(server) as client:
        items = client.call("GET", "/v2/consumer/workflows", params=query)["items"]
        if why:
            items = [_with_why(client, shown) for shown in items]
    if as_json:
        click.echo(json.dumps(items, indent=2))
        return
    for shown in items:
        click.echo(_line(shown))
        for line in _why_lines(shown):
            click.echo(f"    {line}")
    if not items:
        click.echo("no workflows")


def _with_why(client: Client, shown: dict[str, Any]) -> dict[str, Any]:
    """The same workflow with what its waiting jobs wait for, if any does."""
    if all(job["status"] != "unassigned" for step in shown["steps"] for job in step["jobs"]):
        return shown
    return client.call("GET", f"/v2/consumer/workflows/{shown['id']}", params={"why": "true"})


def _why_lines(shown: dict[str, Any]) -> Iterator[str]:
    """For people: of the first job that waits, where it stands and what each slot says."""
    waiting = [job for step in shown["steps"] for job in step["jobs"] if "queuePosition" in job]
    if not waiting:
        return
    first = min(waiting, key=lambda job: job["queuePosition"]["precedingJobs"])
    position, waits = first["queuePosition"], first["heddle"]["waiting"]
    before = position["precedingJobs"]
    when = f"starts between {waits['earliestStart']} and {waits['latestStart']}, probably"
    yield f"{before} jobs before it; {when if 'earliestStart' in waits else 'no slot is known that could run it'}"
    for says in waits.get("slots", []):
        yield f"{says['slot']}: {says['text']}"


@click.command()
@click.argument("workflow_id")
@click.option("--save", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Also save what it made.")
@_SERVER
@_JSON
def logs(workflow_id: str, save: Path | None, server: str | None, as_json: bool) -> None:
    """Show what happened to a workflow: its steps, jobs, attempts, and what the engines said.

    \b
    Examples:
      heddle logs wf_01J…
      heddle logs wf_01J… --save out
    """
    with ExitStack() as place:
        if save is not None:
            place.enter_context(_folder(save))
        client = place.enter_context(connected(server))
        shown = client.call("GET", f"/v2/consumer/workflows/{workflow_id}")
        said = client.call("GET", f"/v2/consumer/workflows/{workflow_id}/log")["items"]
        saved = _save(client, shown, save) if save is not None else []
    if as_json:
        extra = {} if save is None else {"saved": [str(file) for file in saved]}
        click.echo(json.dumps({"workflow": shown, "log": said, **extra}, indent=2))
        return
    click.echo(_line(shown))
    for line in _history(shown, {item["jobId"]: item["lines"] for item in said}):
        click.echo(line)
    _tell_saved(saved)


@click.command()
@click.argument("workflow_ids", nargs=-1, required=True)
@_SERVER
def cancel(workflow_ids: tuple[str, ...], server: str | None) -> None:
    """Cancel workflows; what did not run is refunded.

    \b
    Example:
      heddle cancel wf_01J…
    """
    with connected(server) as client:
        for workflow_id in workflow_ids:
            shown = client.call("PUT", f"/v2/consumer/workflows/{workflow_id}", json={"status": "canceled"})
            click.echo(_line(shown))


# ── submitting ────────────────────────────────────────────────────────────────


def _check_asked(file: Path | None, options: Mapping[str, Any]) -> None:
    """A request in a file is complete; what is left out of a request must not be left out in silence."""
    if file is None and options["prompt"] is None and options["input"] is None:
        raise UsageError("there is nothing to submit", 'give --prompt "…", --input NAME=VALUE, or a JSON file')
    too_much = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if file is not None and too_much:
        raise UsageError(
            f"{', '.join(too_much)} cannot be given together with {file}, which is a whole request",
            "write it into the file, or leave out the file",
        )


@contextmanager
def _folder(folder: Path) -> Generator[None]:
    """Somewhere to save to; taken away again when nothing came of it. Raises UsageError."""
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"the folder {folder} cannot be made: {error.strerror}", "give another to --save") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"this user cannot write to the folder {folder}", "give another to --save")
    try:
        yield
    finally:
        if made:
            with suppress(OSError):  # what is in use is not empty
                folder.rmdir()


def _read(file: Path) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text()
        request = json.loads(text)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(
            f"{file} is not JSON: {error}", "a source picture is given with --image, a request looks like " + _REQUEST
        ) from error
    if not isinstance(request, dict) or "steps" not in request:
        raise UsageError(f"{file} is not a workflow request", f"it looks like {_REQUEST}")
    return request  # pyright: ignore[reportUnknownVariableType] - the server checks the rest


def _inputs(client: Client, given: Iterable[str]) -> dict[str, Any]:
    """Other inputs by name; files in them are uploaded."""
    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise UsageError(f"--input {text!r} is not NAME=VALUE", "write --input duration=5")
        found[name] = _uploaded(client, _value(value))
    return found


def _value(text: str) -> Any:
    """JSON where it is JSON, else the text itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _uploaded(client: Client, value: Any) -> Any:
    """`@FILE`, alone or in a list or an object, becomes the id of the uploaded file."""
    if isinstance(value, str) and value.startswith("@"):
        return client.upload(Path(value[1:]))
    if isinstance(value, list):
        return [_uploaded(client, item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {name: _uploaded(client, item) for name, item in cast("dict[str, Any]", value).items()}
    return value


def _request(
    client: Client,
    step_type: str,
    given: dict[str, Any],
    image: Path | None,
    loras: Iterable[str],
    priority: str | None,
) -> dict[str, Any]:
    networks = [_network(text) for text in loras]
    if networks:
        given["additionalNetworks"] = networks
    if image is not None:
        given["images"] = [client.upload(image)]
    step = {"$type": step_type, "name": step_type, "input": given} | ({"priority": priority} if priority else {})
    return {"steps": [step]}


def _network(text: str) -> dict[str, Any]:
    air, found, strength = text.rpartition("=")
    if not found:
        return {"air": text}
    try:
        return {"air": air, "strength": float(strength)}
    except ValueError as error:
        raise UsageError(f"the strength of --lora {text!r} is not a number", "write AIR=0.8") from error


def _waited(client: Client, workflow_id: str, seconds: float, *, quiet: bool) -> Mapping[str, Any]:
    """The ended workflow. Ctrl-C ends the wait and not the work, and says so."""
    try:
        return _wait(client, workflow_id, seconds, quiet=quiet)
    except KeyboardInterrupt:
        how = (
            "it goes on"
            if client.lasting
            else "the server stops, and what is not finished by then goes on with the next one on this data folder"
        )
        click.echo(f"\n{workflow_id}: {how}; `heddle cancel {workflow_id}` stops it", err=True)
        raise click.exceptions.Exit(130) from None


def _wait(client: Client, workflow_id: str, seconds: float, *, quiet: bool) -> Mapping[str, Any]:
    shown: Mapping[str, Any] = {}
    if quiet or not is_terminal():
        told = ""
        for shown in client.follow(workflow_id, seconds):
            if not quiet and shown["status"] != told:
                told = shown["status"]
                click.echo(f"{workflow_id} {told}")
        return shown
    from rich.progress import Progress  # noqa: PLC0415 - only where somebody looks

    with Progress(transient=True) as bar:
        task = bar.add_task(workflow_id, total=1.0)
        for shown in client.follow(workflow_id, seconds):
            bar.update(task, completed=_fraction(shown), description=f"{workflow_id} {shown['status']}")
    return shown


def _fraction(shown: Mapping[str, Any]) -> float:
    jobs = [job for step in shown["steps"] for job in step["jobs"]]
    return sum(1.0 if j["status"] == "succeeded" else j.get("estimatedProgressRate", 0.0) for j in jobs) / len(jobs)


def _save(client: Client, shown: Mapping[str, Any], folder: Path) -> list[Path]:
    saved: list[Path] = []
    for blob in _blobs(shown):
        suffix = mimetypes.guess_extension(blob["mimeType"]) or ".bin"
        file = folder / f"{blob['blobId']}{suffix}"
        try:
            client.download(blob["url"], file)
        except (OSError, HeddleError) as error:
            why = error.message if isinstance(error, HeddleError) else error.strerror
            raise UsageError(
                f"{file} cannot be saved: {why}",
                f"it is safe on the server: `heddle logs {shown['id']} --save DIR` saves it",
            ) from error
        saved.append(file)
    return saved


def _tell_saved(saved: Iterable[Path]) -> None:
    for file in saved:
        click.echo(f"saved {file} ({size(file.stat().st_size)})")


def _blobs(shown: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [b for step in shown["steps"] for job in step["jobs"] for b in job.get("result", {}).get("blobs", [])]


def _report(shown: Mapping[str, Any], saved: list[Path], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"workflow": shown, "saved": [str(f) for f in saved]}, indent=2))
    else:
        _tell_saved(saved)
        for text in (step.get("output", {}).get("text") for step in shown["steps"]):
            if isinstance(text, str):
                click.echo(text)
        click.echo(_line(shown))
    if shown["status"] != "succeeded":
        if not as_json:
            for line in _history(shown, {}):
                click.echo(line, err=True)
        raise click.exceptions.Exit(1)


# ── showing ───────────────────────────────────────────────────────────────────


def _line(shown: Mapping[str, Any]) -> str:
    """One workflow on one line."""
    kinds = ", ".join(step["$type"] for step in shown["steps"])
    reason = f" ({shown['reason']})" if shown.get("reason") else ""
    tags = f"  [{', '.join(shown['tags'])}]" if shown["tags"] else ""
    return f"{shown['id']}  {shown['status']}{reason}  {kinds}  {shown['cost']['total']} Buzz  {_took(shown)}{tags}"


def _took(shown: Mapping[str, Any]) -> str:
    begun = datetime.fromisoformat(shown["createdAt"])
    ended = datetime.fromisoformat(shown["completedAt"]) if "completedAt" in shown else datetime.now(UTC)
    return duration((ended - begun).total_seconds())


def _history(shown: Mapping[str, Any], said: Mapping[str, list[str]]) -> list[str]:
    lines: list[str] = []
    for step in shown["steps"]:
        lines.append(f"  step {step['name']} {step['$type']} {step['status']}")
        for job in step["jobs"]:
            why = f": {job['message']}" if job.get("message") else ""
            lines.append(f"    job {job['id']} {job['status']} on {job['engine']}, attempt {job['attempt']}{why}")
            lines += [f"      {blob['blobId']} {blob['mimeType']}" for blob in job.get("result", {}).get("blobs", [])]
            lines += [f"      | {line}" for line in said.get(job["id"], [])]
    return lines
