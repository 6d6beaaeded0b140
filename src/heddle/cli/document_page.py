"""`heddle arazzo show --html`: a document as a page with a drawing, and on it, where there is a trace, the run."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from heddle.arazzo.diagram import DATA, END_WIDTH, LEFT, LONG, NODE_WIDTH, START_WIDTH, Arrow, Diagram, Node, diagram_of
from heddle.arazzo.document import Document, Workflow
from heddle.arazzo.outline import Drawn, outline
from heddle.arazzo.traces import Trace
from heddle.arazzo.walk import Walk, walk_of
from heddle.cli.narration import summary
from heddle.cli.output import duration
from heddle.cli.pages import Markup, fact, page, section, tag

_MAX_PATH = 60
TIMES = "\N{MULTIPLICATION SIGN}"
_TONES = {"succeeded": "good", "incomplete": "warn"}


@dataclass(frozen=True, slots=True)
class Run:
    """A trace, and the way that it took."""

    trace: Trace
    walk: Walk


def document_page(picture: Drawn, workflows: Sequence[Workflow], trace: Trace | None, content: bytes) -> str:
    """`content` is the text of the document, to know whether the trace is of it."""
    document = picture.document
    run = Run(trace, walk_of(told.event for told in trace.events)) if trace else None
    return page(
        document.title,
        _head(document, picture.missing),
        _run(run, content) if run else None,
        *(_workflow(picture, workflow, run) for workflow in workflows),
        _legend(run),
    )


def _head(document: Document, missing: Sequence[str]) -> Markup:
    sources = [
        fact(source.name, f"{source.url}{' (not found)' if source.name in missing else ''}")
        for source in document.sources
    ]
    return tag(
        "header",
        tag("h1", document.title),
        tag("p", document.summary, class_="soft") if document.summary else None,
        tag("dl", fact("Arazzo", document.version), *sources, class_="facts"),
    )


def _run(run: Run, content: bytes) -> Markup:
    header, result = run.trace.header, run.trace.result
    status = str(result.status) if result else "interrupted"
    said = summary(result) if result else "the run was interrupted before its end"
    changed = header.sha256 != hashlib.sha256(content).hexdigest()
    return section(
        "The run",
        tag("p", tag("span", status, class_=f"badge {_TONES.get(status, 'bad')}"), " ", said),
        tag("p", "The document has changed since this run.", class_="reason warn") if changed else None,
        tag("p", tag("strong", "Path: "), _path(run.walk)),
        tag(
            "dl",
            fact("started", header.started[:19].replace("T", " ")),
            fact("recorded", header.document),
            class_="facts",
        ),
    )


def _path(walk: Walk) -> str:
    """The steps in order, repeated ones once with their count."""
    groups = [(name, len(list(group))) for name, group in itertools.groupby(step for _, step in walk.path)]
    shown = [f"{name} {TIMES}{count}" if count > 1 else name for name, count in groups]
    if len(shown) > _MAX_PATH:
        shown = [*shown[: _MAX_PATH // 2], "…", *shown[-_MAX_PATH // 2 :]]
    return " → ".join(shown) or "no step was run"


def _workflow(picture: Drawn, workflow: Workflow, run: Run | None) -> Markup:
    drawing = _Drawing(diagram_of(picture.linked, workflow), run.walk if run else None)
    lines = list(outline(picture, [workflow]))
    start = next((at for at, line in enumerate(lines) if line.text.startswith(workflow.id)), 0)
    words = "\n".join("  " * line.depth + line.text for line in lines[start:])
    return section(
        workflow.id,
        tag("p", workflow.summary, class_="soft") if workflow.summary else None,
        tag("div", drawing.svg(), class_="scroll"),
        tag("details", tag("summary", "In words: inputs, steps, data and branches"), tag("pre", words)),
    )


def _legend(run: Run | None) -> Markup:
    words = "Straight arrows go on with the next step; branches stand beside their step, failures dashed."
    if run is not None:
        words += f" Thick lines were taken, {TIMES}n so many times;"
        words += " green steps went well, red ones failed, pale ones never ran."
    return tag("p", words, class_="soft")


class _Drawing:
    """A diagram as SVG."""

    def __init__(self, diagram: Diagram, walk: Walk | None) -> None:
        self._diagram = diagram
        self._walk = walk

    def svg(self) -> Markup:
        diagram = self._diagram
        size = {"width": f"{diagram.width:.0f}", "height": f"{diagram.height:.0f}"}
        arrows = sorted(diagram.arrows, key=lambda arrow: self._taken(arrow) > 0)  # those taken on top
        return tag(
            "svg",
            *(self._arrow(arrow) for arrow in arrows),
            *(self._node(node) for node in diagram.nodes),
            xmlns="http://www.w3.org/2000/svg",
            role="img",
            aria_label=f"flow of {diagram.workflow.id}",
            viewBox=f"0 0 {size['width']} {size['height']}",
            **size,
        )

    def _node(self, node: Node) -> Markup:
        if node.kind != "step":
            return self._pill(node)
        return tag(
            "g",
            tag("title", "\n".join(_about(node))),
            tag("rect", class_="node", x=LEFT, y=node.top, width=NODE_WIDTH, height=node.height, rx=8),
            _text(LEFT + 14, node.top + 25, _cut(node.name, 30), "id"),
            _text(LEFT + 14, node.top + 44, _cut(node.call, 42), "mono"),
            *_data(node),
            self._record(node),
            class_=self._tone(node),
        )

    def _pill(self, node: Node) -> Markup:
        width = START_WIDTH if node.kind == "start" else END_WIDTH
        x = LEFT + (NODE_WIDTH - width) / 2
        return tag(
            "g",
            tag("rect", class_="node", x=f"{x:.1f}", y=node.top, width=width, height=node.height, rx=16),
            _text(
                LEFT + NODE_WIDTH / 2,
                node.top + 21,
                _cut(node.name, 28),
                "id" if node.kind == "start" else "",
                "middle",
            ),
        )

    def _record(self, node: Node) -> Markup | None:
        """How often it ran, and what came of the last time."""
        step = self._diagram.workflow.id, node.name
        runs = self._walk.runs[step] if self._walk else 0
        if self._walk is None or not runs:
            return (
                None
                if node.reachable
                else _text(LEFT + NODE_WIDTH - 12, node.top + 25, "no way leads here", "small", "end")
            )
        ended = self._walk.last.get(step)
        code = f"{ended.code}  " if ended and ended.code else ""
        count = f"{TIMES}{runs}" if runs > 1 else duration(ended.seconds) if ended else ""
        return _text(LEFT + NODE_WIDTH - 12, node.top + 25, f"{code}{count}", "small", "end")

    def _tone(self, node: Node) -> str | None:
        if self._walk is None:
            return None if node.reachable else "idle"
        step = self._diagram.workflow.id, node.name
        if not self._walk.runs[step]:
            return "idle"
        ended = self._walk.last.get(step)
        return "ran" if ended and ended.ok else "broke"

    def _taken(self, arrow: Arrow) -> int:
        if self._walk is None:
            return 0
        workflow = self._diagram.workflow
        if not arrow.step:
            return 1 if self._walk.runs[workflow.id, workflow.steps[0].id] else 0
        return self._walk.moves[(workflow.id, arrow.step), arrow.action, arrow.move.success]

    def _arrow(self, arrow: Arrow) -> Markup:
        taken = self._taken(arrow)
        tone = "taken" if taken else "idle" if self._walk else None
        line = " ".join(f"{'M' if at == 0 else 'L'}{x:.1f} {y:.1f}" for at, (x, y) in enumerate(arrow.points))
        return tag(
            "g",
            tag(
                "title",
                " · ".join(
                    part for part in (arrow.label, arrow.when, f"to {arrow.leads}" if arrow.leads else "") if part
                ),
            ),
            tag("path", class_="edge" if arrow.move.success else "edge failure", d=line),
            _head_of(arrow),
            *self._label(arrow, taken),
            class_=tone,
        )

    def _label(self, arrow: Arrow, taken: int) -> Iterator[Markup]:
        if not arrow.label:
            if taken > 1:
                x, y = arrow.points[0]
                yield _text(x + 10, y + 20, f"{TIMES}{taken}", "small count")
            return
        x, y = arrow.points[0]
        count = tag("tspan", f"  {TIMES}{taken}", class_="count") if taken else None
        yield tag("text", _cut(arrow.label, LONG - 6), count, x=f"{x + 12:.1f}", y=f"{y - 6:.1f}")
        if arrow.when:
            yield _text(x + 12, y + 14, _cut(arrow.when, LONG), "when")


def _head_of(arrow: Arrow) -> Markup:
    """A triangle at the end of a line, which comes from above or from the right, or goes out to the right."""
    (before, _), (x, y) = arrow.points[-2:]
    if before == x:
        corners = ((x, y), (x - 5, y - 9), (x + 5, y - 9))
    else:
        away = 9 if before > x else -9
        corners = ((x, y), (x + away, y - 5), (x + away, y + 5))
    return tag("polygon", class_="head", points=" ".join(f"{a:.1f},{b:.1f}" for a, b in corners))


def _data(node: Node) -> Iterator[Markup]:
    """Which data goes in, and which comes out."""
    lines = [f"{sign} {', '.join(names)}" for sign, names in (("←", node.takes), ("→", node.gives)) if names]
    for at, line in enumerate(lines):
        yield _text(LEFT + 14, node.top + 63 + DATA * at, _cut(line, 48), "small")


def _about(node: Node) -> Iterator[str]:
    yield f"{node.name}: {node.call}"
    if node.takes:
        yield f"takes {', '.join(node.takes)}"
    if node.gives:
        yield f"gives {', '.join(node.gives)}"


def _text(x: float, y: float, text: str, class_: str = "", anchor: str | None = None) -> Markup:
    return tag("text", text, class_=class_ or None, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor)


def _cut(text: str, length: int) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= length else f"{plain[: length - 1]}…"
