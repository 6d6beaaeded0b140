"""Where the boxes and arrows of an Arazzo workflow go: steps in a column, in their order, and every branch beside its
step, on a line of its own that runs in a lane to where it leads. Nothing overlaps, however many there are.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from heddle.arazzo.document import Workflow
from heddle.arazzo.flow import END, Move
from heddle.arazzo.outline import Reader, condition_of, pace
from heddle.arazzo.sources import Linked

LEFT = 16
NODE_WIDTH = 320
NODE_HEIGHT = 60
DATA = 17
"""What a line about data adds to a box."""
PILL_HEIGHT = 32
START_WIDTH = 224
END_WIDTH = 96
ENTRY = 11
"""How far below the top of a box the arrows of branches come in."""
FIRST_ROW = 36
ROW = 40
GAP = 34
LANE = 14
MAX_LANES = 30
"""More branches than that side by side share the last one."""
_LABEL_GAP = 14
_LETTER = 7.0
LONG = 74
"""More letters than that of a label are left to whoever draws it to cut."""


@dataclass(frozen=True, slots=True)
class Node:
    """A box: a step, or where the workflow starts and ends. `reachable` says whether a way leads here."""

    kind: str
    name: str
    call: str
    top: float
    height: float
    takes: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    reachable: bool = True

    @property
    def bottom(self) -> float:
        return self.top + self.height


@dataclass(frozen=True, slots=True)
class Arrow:
    """A move. `points` are the corners of its line; a plain one, without an action, has no label."""

    step: str
    move: Move
    points: tuple[tuple[float, float], ...]
    label: str = ""
    when: str = ""
    leads: str = ""

    @property
    def action(self) -> str | None:
        return self.move.action.name if self.move.action else None


@dataclass(frozen=True, slots=True)
class Diagram:
    """Everything in its place."""

    workflow: Workflow
    nodes: tuple[Node, ...]
    arrows: tuple[Arrow, ...]
    width: float
    height: float


def diagram_of(linked: Linked, workflow: Workflow) -> Diagram:
    """A description that is not found costs method and path only."""
    return _Layout(linked, workflow).diagram()


@dataclass(frozen=True, slots=True)
class _Branch:
    """A branch before it has a lane; `to` is the height at which it arrives, None where it leaves the workflow."""

    step: str
    move: Move
    row: float
    to: float | None
    label: str
    when: str
    leads: str

    @property
    def span(self) -> float:
        return 0.0 if self.to is None else abs(self.row - self.to)


class _Layout(Reader):
    def __init__(self, linked: Linked, workflow: Workflow) -> None:
        super().__init__(linked, workflow)
        self._sides = [self._beside(at) for at in range(len(workflow.steps))]
        self._tops: list[float] = []
        self._end = 0.0

    def diagram(self) -> Diagram:
        nodes = list(self._nodes())
        branches = list(self._branches())
        lanes = _lanes(branches)
        letters = max((max(len(one.label) + 4, len(one.when)) for one in branches), default=0)
        labels = min(letters, LONG) * _LETTER
        first = LEFT + NODE_WIDTH + _LABEL_GAP + labels + _LABEL_GAP
        arrows = [
            *self._straight(nodes),
            *(_arrow(one, first, lane) for one, lane in zip(branches, lanes, strict=True)),
        ]
        width = first + (max(lanes, default=0) + 1) * LANE if branches else LEFT * 2 + NODE_WIDTH
        return Diagram(self._workflow, tuple(nodes), tuple(arrows), width, nodes[-1].bottom + 12)

    def _beside(self, at: int) -> list[Move]:
        """The moves that are drawn beside a step: all but going on with the next one."""
        return [move for move in self.leaving(at) if not self._is_plain(at, move)]

    def _is_plain(self, at: int, move: Move) -> bool:
        last = at + 1 == len(self._workflow.steps)
        return move.action is None and move.end == (END if last else at + 1)

    def _nodes(self) -> Iterator[Node]:
        top = 8.0
        yield Node("start", self._workflow.id, "", top, PILL_HEIGHT)
        top += PILL_HEIGHT + GAP
        for at, step in enumerate(self._workflow.steps):
            takes, gives = tuple(self.taken(step)), tuple(step.outputs)
            least = NODE_HEIGHT + DATA * (bool(takes) + bool(gives))
            height = max(least, FIRST_ROW + ROW * len(self._sides[at]) - 6)
            self._tops.append(top)
            reachable = self._flow.is_reachable(at)
            yield Node("step", step.id, self.call(step), top, height, takes, gives, reachable)
            top += height + GAP
        self._end = top
        yield Node("end", "end", "", top, PILL_HEIGHT)

    def _straight(self, nodes: Sequence[Node]) -> Iterator[Arrow]:
        middle = LEFT + NODE_WIDTH / 2
        down = (middle, nodes[0].bottom), (middle, nodes[1].top)
        yield Arrow("", Move(END, 0, success=True), down)
        for at, step in enumerate(self._workflow.steps):
            for move in self.leaving(at):
                if self._is_plain(at, move):
                    yield Arrow(step.id, move, ((middle, nodes[at + 1].bottom), (middle, nodes[at + 2].top)))

    def _branches(self) -> Iterator[_Branch]:
        for at, moves in enumerate(self._sides):
            for row, move in enumerate(moves):
                y = self._tops[at] + FIRST_ROW + ROW * row
                label, when, leads = self._words(move)
                yield _Branch(self._workflow.steps[at].id, move, y, self._arrival(move), label, when, leads)

    def _arrival(self, move: Move) -> float | None:
        if move.end != END:
            return self._tops[move.end] + ENTRY
        return None if move.action is not None and move.action.workflow is not None else self._end + PILL_HEIGHT / 2

    def _words(self, move: Move) -> tuple[str, str, str]:
        """Its name, its criteria, and where it leads."""
        action = move.action
        leads = "end" if move.end == END else self._workflow.steps[move.end].id
        if action is None:
            return "otherwise", "", leads
        if action.kind == "retry":
            before = action.step or action.workflow
            leads = f"again after {before}" if before else "again"
        elif action.workflow is not None:
            leads = f"workflow {action.workflow}"
        failing = "" if move.success else "on failure: "
        label = f"{failing}{action.name}{pace(action)}"
        if action.workflow is not None and action.kind != "retry":
            label += f" → {leads}"
        return label, " and ".join(map(condition_of, action.criteria)), leads


def _arrow(branch: _Branch, first: float, lane: int) -> Arrow:
    edge, x = LEFT + NODE_WIDTH, first + lane * LANE
    arrival = LEFT + (NODE_WIDTH + END_WIDTH) / 2 if branch.move.end == END else edge
    if branch.to is None:
        points: tuple[tuple[float, float], ...] = ((edge, branch.row), (first, branch.row))
    else:
        points = ((edge, branch.row), (x, branch.row), (x, branch.to), (arrival, branch.to))
    return Arrow(branch.step, branch.move, points, branch.label, branch.when, branch.leads)


def _lanes(branches: Sequence[_Branch]) -> list[int]:
    """The innermost lane that is free from one end of a branch to the other; short ones choose first."""
    found = [0] * len(branches)
    taken: list[list[tuple[float, float]]] = []
    for at in sorted(range(len(branches)), key=lambda at: branches[at].span):
        branch = branches[at]
        if branch.to is None:
            continue
        extent = min(branch.row, branch.to) - 4, max(branch.row, branch.to) + 4
        free = (lane for lane, extents in enumerate(taken) if _is_free(extents, extent))
        lane = next(free, min(len(taken), MAX_LANES - 1))
        if lane == len(taken):
            taken.append([])
        bisect.insort(taken[lane], extent)
        found[at] = lane
    return found


def _is_free(extents: Sequence[tuple[float, float]], extent: tuple[float, float]) -> bool:
    """`extents` are in order and, but for the last lane, apart from each other: only the neighbors count."""
    at = bisect.bisect(extents, extent)
    before = at == 0 or extents[at - 1][1] < extent[0]
    return before and (at == len(extents) or extent[1] < extents[at][0])
