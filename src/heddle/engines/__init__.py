"""The seam for engines: what makes media from a payload.

An engine is one file and one row in `registry.py` (or an entry point in the group `heddle.engines`). It is imported
in two places: in the server, to plan and price (so its module imports nothing heavy at the top), and in a worker
process, to run. It never sees the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from heddle.domain import JSON, Needs
from heddle.studio.previews import Preview


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What an engine can do. Feasibility at submit is decided from this alone."""

    step_types: frozenset[str]
    #: Model families it answers to, as `input.engine` names them.
    families: frozenset[str]
    #: What it can do with a step: `create`, `variant` (from a source image), `edit`, ...
    operations: frozenset[str]
    #: Whether it may stand in for any family when the operator allows that (`HEDDLE_STAND_IN`).
    stand_in: bool = False
    #: Sampler names it takes; empty: any.
    samplers: frozenset[str] = frozenset()
    #: Pixels per side: smallest, largest.
    sides: tuple[int, int] = (64, 2048)
    #: Jobs that one slot may hold at once beyond the running one; None: the server's setting.
    lookahead: int | None = None
    #: Whether `load` may be called in a second thread while a job runs, so that the next job's model is there in time.
    loads_beside: bool = False
    #: Whether jobs need a model of the catalog: the one that is named, else the engine's default, else the first one
    #: that was added for the family. Their payloads say under `weights` where its files lie.
    loads: bool = False
    #: The formats of model files that it reads, as the catalog names them (`SafeTensor`, `GGUF`); empty: any.
    formats: frozenset[str] = frozenset()
    #: Whether models may be named that the catalog does not have, because they are somewhere else.
    elsewhere: bool = False
    #: Whether payloads hold the step as it was asked for (`asked`: its type, its input, the blobs in it), because
    #: another server is to run it.
    forwards: bool = False
    #: Whether jobs may name models that are added to its own (LoRAs): payloads say under `weights` where those lie.
    adds: bool = False
    #: Whether what it makes is not good enough yet to be taken unasked: it runs only where it is named.
    preview: bool = False
    #: Whether it runs where a device is: in one worker process for each, so that no model is in its memory twice.
    device: bool = False


#: Bytes of JSON that the `output` of one thing may have.
MOST_OUTPUT = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One thing an engine made: its bytes and what is known of them."""

    data: bytes
    mime: str
    width: int | None = None
    height: int | None = None
    duration_ms: int | None = None
    #: Said of the blob: seed, sampler, ... whoever has the blob may read it.
    metadata: JSON = field(default_factory=dict[str, Any])
    #: What it is beside the thing asked for, as one word: `midi`, `srt`, `thumbnail`, ...; empty: that thing itself.
    role: str = ""
    #: Values that are results themselves and need no fetching: a text, word times, scores. Steps show them in `output`.
    #: `MOST_OUTPUT` bytes of JSON at most.
    output: JSON = field(default_factory=dict[str, Any])
    #: For pictures the worker makes one itself.
    preview: Preview | None = None


class JobContext(Protocol):
    """What a running job sees of the world."""

    job_id: str
    attempt: int

    def progress(self, fraction: float, note: str = "") -> None:
        """Report how far the job is (0..1) and let a cancel through: raises JobCanceled.

        Call it at least once per step of work; messages are thinned on the way, so calling it often is cheap.
        """
        ...

    def preview(self, draw: Callable[[int], Preview]) -> None:
        """Show whose job it is what there is so far, now and then.

        `draw` makes a small picture of the job with that number among those that are made in one go; 0 where there
        is one. It is called when the next one is due, and never where the operator wants none. What it raises costs
        the further previews and not the job.
        """
        ...

    def log(self, text: str) -> None:
        """A line for the people who operate the server."""
        ...

    def read(self, blob_id: str) -> bytes:
        """The bytes of an input blob of this job."""
        ...

    def scratch(self) -> Path:
        """A folder of this job's own on this machine, in which an attempt that is lost leaves what the next one needs.

        It is removed when the job ends. The next attempt may run elsewhere and find it empty.
        """
        ...


class LoadContext(Protocol):
    """What a load sees of the world."""

    #: What its job was planned with: the memory that is kept for the model; 0: memory is not counted.
    memory_mb: int

    def progress(self, fraction: float, note: str = "") -> None:
        """Report how far the load is (0..1) and let a cancel through: raises JobCanceled."""
        ...


@runtime_checkable
class Loader(Protocol):
    """An engine whose jobs need models in memory has these methods as well.

    The worker calls `load` before `run` when the model is not there, so that loading is a phase of its own which
    callers see, and `unload` for those that must make room. The engine keeps what it loaded.
    """

    def needs(self, payload: JSON) -> Needs | None:
        """The model of a job, its size in memory, and how long a load takes; None: nothing to load."""
        ...

    def load(self, model: str, context: LoadContext) -> None:
        """Bring a model into memory. Raises JobError."""
        ...

    def unload(self, model: str) -> None:
        """Let it go."""
        ...


@runtime_checkable
class Fitter(Protocol):
    """A `Loader` whose models take less memory where there is less, by moving parts in and out, has this as well."""

    def fit(self, payload: JSON, room_mb: int) -> Needs | None:
        """As `needs`, where models may take so many megabytes; more than that: it cannot be had in them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What jobs must have in common to be made in one go, and how many of them may be."""

    key: str
    most: int


@runtime_checkable
class Batcher(Protocol):
    """An engine for which several jobs in one go are less work than one after the other has these methods as well.

    Its `Offer.lookahead` says how many jobs a worker may have in line: among these it finds what goes together.
    """

    def batch(self, payload: JSON) -> Batch | None:
        """With what a job may be made; None: by itself. Cheap: asked for every job in line."""
        ...

    def run_together(self, payloads: Sequence[JSON], context: JobContext) -> Iterator[Made]:
        """One thing for each job, in order. Raises JobError, after which each job is run by itself.

        `context` stands for all of them: progress is told of each, and a cancel comes through when all are canceled.
        """
        ...


@runtime_checkable
class Checker(Protocol):
    """An engine that cannot do everything that its offer seems to say has this method as well."""

    def problems(self, payload: JSON) -> Mapping[str, str]:
        """What of a job it cannot do, asked at submit: a field of the step's input, and a sentence.

        The sentence names the value and what would be right. Empty: it can do it all.
        """
        ...


@runtime_checkable
class Selective(Protocol):
    """An engine that leaves some steps to others, where nobody named one, has this method as well."""

    def suits(self, payload: JSON) -> bool:
        """Whether it should run a job unasked, asked at submit; what it leaves goes to the next engine."""
        ...


@runtime_checkable
class Chooser(Protocol):
    """An engine that knows which model to take where none is named has this method as well."""

    def default_model(self, family: str) -> str | None:
        """The AIR of it; None: the first one of the family in the catalog."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of model that an engine runs, for people: what it does, and what its files must be."""

    name: str
    #: The family that callers name.
    family: str
    operations: Sequence[str]
    samplers: Sequence[str] = ()
    #: A sentence for each way in which its weights may come.
    files: Sequence[str] = ()


@runtime_checkable
class Describer(Protocol):
    """An engine that runs several kinds of models has this method as well."""

    def kinds(self) -> Sequence[Kind]:
        """All of them; constant."""
        ...


class Configurable(Protocol):
    """An engine that the operator sets up, by a table of its name in `engines.toml`, has this method as well."""

    def configure(self, options: Mapping[str, Any]) -> None:
        """Take the table, where there is one: before everything else, in the server and in workers.

        Raises UsageError that names the option, its value and what would be right.
        """
        ...


class Engine(Protocol):
    """One instance lives in a worker and runs one job at a time; another one plans in the server."""

    def offer(self) -> Offer:
        """What it can do; constant."""
        ...

    def missing(self) -> list[str]:
        """Why it cannot run here, one sentence each; empty when it can."""
        ...

    def price(self, payload: JSON) -> float:
        """Buzz for one job, before rounding. Payloads that differ in their seeds alone cost the same."""
        ...

    def run(self, payload: JSON, context: JobContext) -> Iterator[Made]:
        """Make the artifacts of one job. Raises JobError."""
        ...
