"""Every call to Ray that may block. They run in one thread and have a time limit each: Ray's own have none.

While a cluster's GCS is away such a call stands still, until Ray ends the whole process
(`RAY_gcs_rpc_server_reconnect_timeout_s`, a minute). The event loop goes on until then, and so do the attempts that
are with their actors.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

import ray as untyped_ray
from ray import _raylet as untyped_raylet
from ray.autoscaler import sdk
from ray.core.generated import autoscaler_pb2 as untyped_pb2
from ray.exceptions import RayError
from ray.experimental import internal_kv

from heddle.errors import Unavailable
from heddle.fleet.ray.access import bundle
from heddle.fleet.ray.actor import SlotActor
from heddle.settings import Settings

T = TypeVar("T")

#: Ray's annotations are partial, so they are not used.
ray: Any = untyped_ray
raylet: Any = untyped_raylet
autoscaler_pb2: Any = untyped_pb2
_kv: Any = internal_kv
_sdk: Any = sdk

log = logging.getLogger(__name__)

#: For one question to the GCS, and for coming up.
ASK_S = 10.0
_CONNECT_S = 60.0
_SHUTDOWN_S = 20.0

#: For a cluster of our own: messages are small, so that Ray's default (a third of the memory) would be a waste.
_OBJECT_STORE = 200 * 2**20

_PREFIX = "slot-"


class Silent(Exception):
    """The cluster did not answer in time, or said that it cannot."""


class Calls:
    """One thread. It must outlive a cluster that it started: Linux ends Ray's processes with it."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        threading.Thread(target=self._work, name="ray calls", daemon=True).start()

    async def __call__(self, call: Callable[[], T], timeout_s: float = ASK_S) -> T:
        """Raises Silent. A call that did not begin in time is never made."""
        future: Future[T] = Future()
        self._queue.put((future, call))
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise Silent(f"the Ray cluster did not answer within {timeout_s:g} s") from None
        except (RayError, ConnectionError, RuntimeError) as error:
            raise Silent(f"the Ray cluster: {first_line(error)}") from error

    def end(self) -> None:
        self._queue.put(None)

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            future, call = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001 - it is raised where the call was made
                future.set_exception(error)


class Cluster:
    """The cluster as one deployment sees it: the actors of its namespace, and the room for more."""

    def __init__(self, settings: Settings) -> None:
        self._address = settings.ray_address
        self._namespace = settings.ray_namespace
        self.config = settings.ray_slot_resources
        self._need = bundle(settings.ray_slot_resources)
        self.calls = Calls()
        self._ours = False
        self._asked = 0

    async def connect(self) -> None:
        """Connect this process, unless it is. Raises Unavailable."""
        where = self._address or "on this machine"
        try:
            await self.calls(self._connect, _CONNECT_S)
        except (Silent, ValueError) as error:
            raise Unavailable(f"no Ray cluster {where}: {first_line(error)}") from error

    def _connect(self) -> None:
        logging.getLogger("ray").setLevel(logging.ERROR)
        if ray.is_initialized():
            return
        own = {} if self._address else {"include_dashboard": False, "object_store_memory": _OBJECT_STORE}
        ray.init(
            address=self._address or "local",
            namespace=self._namespace,
            log_to_driver=False,
            configure_logging=False,
            **own,
        )
        self._ours = True

    async def close(self) -> None:
        """Disconnect, if we connected; a cluster that we started ends."""
        if self._ours:
            try:
                await self.calls(ray.shutdown, _SHUTDOWN_S)
            except Silent as error:
                log.warning("%s", error)
        self.calls.end()

    # ── actors ────────────────────────────────────────────────────────────────

    async def names(self) -> list[str]:
        """The slots that have an actor."""
        found = await self.calls(partial(ray.util.list_named_actors, all_namespaces=True))
        ours = (actor["name"] for actor in found if actor["namespace"] == self._namespace)
        return sorted((name for name in ours if name.startswith(_PREFIX)), key=_number)

    async def actor(self, name: str) -> Any:
        """The actor of a slot; made when there is none, and then placed by Ray when there is room."""
        return await self.calls(partial(self._actor, name))

    def _actor(self, name: str) -> Any:
        options = ray.remote(SlotActor).options(
            name=name,
            namespace=self._namespace,
            lifetime="detached",
            get_if_exists=True,
            max_restarts=-1,
            max_task_retries=0,
            num_cpus=self._need.get("CPU", 0),
            num_gpus=self._need.get("GPU", 0),
            memory=self._need.get("memory"),
            resources={key: value for key, value in self._need.items() if key not in {"CPU", "GPU", "memory"}},
        )
        return options.remote(name, self.config)

    async def find(self, name: str) -> Any:
        """The actor of a slot, None when there is none."""
        return await self.calls(partial(self._find, name))

    def _find(self, name: str) -> Any:
        try:
            return ray.get_actor(name, namespace=self._namespace)
        except ValueError:
            return None

    async def kill(self, actor: Any, *, for_good: bool = False) -> None:
        """End an actor's process; Ray starts it anew unless it is `for_good`."""
        await self.calls(partial(ray.kill, actor, no_restart=for_good))

    # ── the cluster ───────────────────────────────────────────────────────────

    async def capacity(self) -> int:
        """How many slots the living nodes could hold if nobody else used them."""
        nodes = await self.calls(ray.nodes)
        return sum(_fits(node["Resources"], self._need) for node in nodes if node["Alive"])

    async def nodes(self) -> list[dict[str, Any]]:
        """What Ray says of each node."""
        return await self.calls(ray.nodes)

    async def retire_node(self, node_id: str) -> None:
        """Have nothing new placed on a node; it leaves the cluster when it is idle. Raises Silent."""
        await self.calls(partial(self._retire_node, node_id))

    def _retire_node(self, node_id: str) -> None:
        gcs = raylet.GcsClient(address=ray.get_runtime_context().gcs_address)
        # For good, and whatever runs there: the other reason is refused by a node that is busy.
        reason = autoscaler_pb2.DrainNodeReason.Value("DRAIN_NODE_REASON_PREEMPTION")
        accepted, why = gcs.drain_node(node_id, reason, "heddle fleet drain", 0)
        if not accepted:
            raise RuntimeError(f"the node is not given up: {why}")

    async def answer(self, call: Any, timeout_s: float) -> Any:
        """What an actor says to a call. Raises Silent."""
        try:
            async with asyncio.timeout(timeout_s):
                return await call
        except TimeoutError:
            raise Silent(f"no answer within {timeout_s:g} s") from None
        except RayError as error:
            raise Silent(first_line(error)) from error

    async def is_over(self, job: str) -> bool:
        """Whether the driver with this job id has ended."""
        jobs = await self.calls(ray._private.state.jobs)  # noqa: SLF001 - the public way needs the dashboard
        return any(row["JobID"] == job and row["IsDead"] for row in jobs)

    async def ask_for(self, slots: int) -> None:
        """Tell the autoscaler how many slots there should be room for; 0 takes it back."""
        if slots != self._asked:
            await self.calls(partial(_sdk.request_resources, bundles=[self._need] * slots))
            self._asked = slots

    async def job(self) -> str:
        """The id of this driver."""
        return await self.calls(lambda: ray.get_runtime_context().get_job_id())

    # ── the pause ─────────────────────────────────────────────────────────────

    async def paused(self) -> bool:
        """Whether somebody asked for no actors at all (`heddle fleet drain --all`)."""
        return await self.calls(partial(_kv._internal_kv_exists, self._pause_key()))  # noqa: SLF001 - see ADR

    async def pause(self, *, on: bool) -> None:
        """Ask for no actors at all, or take that back. Kept by the cluster, so that every dispatcher sees it."""
        if on:
            await self.calls(partial(_kv._internal_kv_put, self._pause_key(), b"1"))  # noqa: SLF001
        else:
            await self.calls(partial(_kv._internal_kv_del, self._pause_key()))  # noqa: SLF001

    def _pause_key(self) -> bytes:
        return f"heddle:{self._namespace}:paused".encode()


def new_name(known: set[str]) -> str:
    """The first name that is free."""
    return next(name for n in range(len(known) + 1) if (name := f"{_PREFIX}{n}") not in known)


def _number(name: str) -> tuple[int, str]:
    number = name.removeprefix(_PREFIX)
    return (int(number) if number.isdigit() else 0, name)


def _fits(has: dict[str, float], need: dict[str, float]) -> int:
    return min((int(has.get(name, 0) / amount + 1e-9) for name, amount in need.items()), default=0)


def first_line(error: BaseException) -> str:
    """Ray's errors have long ends."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
