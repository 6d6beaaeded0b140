"""The pen: what drawings are made with. It turns shapes into SVG in the manner of a style and under a scene's light."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from heddle.engines.sketch.color import RGB, from_oklch, light_of, lit, mix, oklch, strengthen, tone

Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a style draws shapes, before anything is done to the pixels."""

    #: Gradients on surfaces; without: one colour per shape.
    shaded: bool = True
    #: What shapes are filled with instead of their colours (line art); None: their colours.
    paper: str | None = None
    #: The colour of outlines; "own": each shape's own colour; None: no outlines.
    ink: str | None = None
    ink_width: float = 3.0
    #: A soft shadow under each sheet, as in cut paper.
    lifted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """What light does to surfaces."""

    tint: RGB = (1.0, 1.0, 1.0)
    haze: str = "#ffffff"
    #: Lamps are on, windows are lit.
    lamps: bool = False


def n(value: float) -> str:
    """A short number for SVG."""
    text = f"{value:.1f}"
    return text.removesuffix(".0")


def points(pairs: Sequence[Point]) -> str:
    """A closed polygon as path data."""
    return "M" + "L".join(f"{n(x)} {n(y)}" for x, y in pairs) + "Z"


def smooth(pairs: Sequence[Point], closed: bool = False) -> str:
    """A soft curve through points (Catmull-Rom as Béziers)."""
    count = len(pairs)
    parts = [f"M{n(pairs[0][0])} {n(pairs[0][1])}"]
    for index in range(count if closed else count - 1):
        before = pairs[index - 1] if closed or index else pairs[0]
        here = pairs[index]
        there = pairs[(index + 1) % count]
        after = pairs[(index + 2) % count] if closed or index + 2 < count else pairs[-1]
        parts.append(
            f"C{n(here[0] + (there[0] - before[0]) / 6)} {n(here[1] + (there[1] - before[1]) / 6)} "
            f"{n(there[0] - (after[0] - here[0]) / 6)} {n(there[1] - (after[1] - here[1]) / 6)} "
            f"{n(there[0])} {n(there[1])}"
        )
    return "".join(parts) + ("Z" if closed else "")


class Pen:
    """Collects SVG. Shades: `soft` (a ball's), `side` (a column's), `down` (a wall's), `flat`, `glow` (gives light)."""

    def __init__(self, manner: Manner, light: Light, series: str = "d") -> None:
        self.manner = manner
        self.light = light
        self.parts: list[str] = []
        self.defs: list[str] = []
        self.names: dict[str, str] = {}
        #: Ids of light that fades out, which throws no shadow.
        self.halos: set[str] = set()
        #: How far away the things drawn now are, as a share of haze.
        self.haze = 0.0
        #: How much larger than scene units a local unit is, so that outlines stay equally thick.
        self.scale = 1.0
        #: A colour that line drawings keep, because the prompt named it.
        self.kept: str | None = None
        #: How many of the parts are bare sky; what hangs in the sky comes there. None: there is no sky.
        self.sky: int | None = None
        #: What ids start with: those of two pens in one document must differ.
        self._series = series

    # Shapes.

    def path(self, d: str, fill: str, shade: str = "soft", alpha: float = 1.0) -> None:
        """A filled shape."""
        self.parts.append(f'<path d="{d}"{self._dress(fill, shade, alpha)}/>')

    def ellipse(
        self,
        x: float,
        y: float,
        rx: float,
        ry: float,
        fill: str,
        shade: str = "soft",
        turn: float = 0,
        alpha: float = 1.0,
    ) -> None:
        """A filled ellipse, turned by degrees around its centre."""
        turned = f' transform="rotate({n(turn)} {n(x)} {n(y)})"' if turn else ""
        dress = self._dress(fill, shade, alpha)
        self.parts.append(f'<ellipse cx="{n(x)}" cy="{n(y)}" rx="{n(rx)}" ry="{n(ry)}"{turned}{dress}/>')

    def circle(self, x: float, y: float, r: float, fill: str, shade: str = "soft", alpha: float = 1.0) -> None:
        """A filled circle."""
        self.ellipse(x, y, r, r, fill, shade, 0, alpha)

    def rect(
        self, x: float, y: float, w: float, h: float, fill: str, shade: str = "down", r: float = 0, alpha: float = 1.0
    ) -> None:
        """A filled rectangle with its upper left corner at x, y."""
        dress = self._dress(fill, shade, alpha)
        self.parts.append(f'<rect x="{n(x)}" y="{n(y)}" width="{n(w)}" height="{n(h)}" rx="{n(r)}"{dress}/>')

    def poly(self, pairs: Sequence[Point], fill: str, shade: str = "down", alpha: float = 1.0) -> None:
        """A filled polygon."""
        self.path(points(pairs), fill, shade, alpha)

    def blob(self, pairs: Sequence[Point], fill: str, shade: str = "soft", alpha: float = 1.0) -> None:
        """A filled soft shape through points."""
        self.path(smooth(pairs, closed=True), fill, shade, alpha)

    def line(self, d: str, color: str, width: float, alpha: float = 1.0, shade: str = "flat") -> None:
        """A stroke with round ends."""
        if self.manner.paper is not None and width * self.scale < self.manner.ink_width * 1.6:
            color, width, shade = self._ink_for(color), self.manner.ink_width / self.scale * 0.75, "glow"
        elif self.manner.paper is not None:
            edge = width + 2 * self.manner.ink_width / self.scale
            self.parts.append(self._stroke(d, self._ink_for(color), edge, alpha))
            color, shade = self._on_paper(color), "glow"
        self.parts.append(self._stroke(d, color if shade == "glow" else self.graded(color), width, alpha))

    def mark(self, x: float, y: float, rx: float, ry: float, color: str = "#2a2228") -> None:
        """A small dark spot, such as an eye; every style keeps it."""
        seen = self._ink_for(color) if self.manner.paper else self.graded(color)
        self.parts.append(f'<ellipse cx="{n(x)}" cy="{n(y)}" rx="{rx:.2f}" ry="{ry:.2f}" fill="{seen}"/>')

    def eye(self, x: float, y: float, r: float) -> None:
        """A dark eye with a spark."""
        self.mark(x, y, r, r * 1.1)
        if self.manner.paper is None:
            spark = f'<circle cx="{n(x - r * 0.3)}" cy="{n(y - r * 0.4)}" r="{r * 0.36:.2f}" fill="#ffffff"/>'
            self.parts.append(spark)

    def halo(self, x: float, y: float, r: float, color: str, alpha: float = 0.8, ry: float | None = None) -> None:
        """Light (or shadow) that fades out; line drawings leave it out."""
        if self.manner.paper is not None:
            return
        name = self._define(
            f"h{color[1:]}{round(alpha * 100)}",
            f'<radialGradient id="@"><stop offset="0" stop-color="{color}" stop-opacity="{alpha:.2f}"/>'
            f'<stop offset=".45" stop-color="{color}" stop-opacity="{alpha * 0.42:.2f}"/>'
            f'<stop offset="1" stop-color="{color}" stop-opacity="0"/></radialGradient>',
        )
        self.halos.add(name)
        down = r if ry is None else ry
        self.parts.append(f'<ellipse cx="{n(x)}" cy="{n(y)}" rx="{n(r)}" ry="{n(down)}" fill="url(#{name})"/>')

    def wash(self, d: str, stops: Sequence[tuple[float, str, float]], across: bool = False) -> None:
        """A large surface with a gradient of (offset, colour, opacity): skies, fog, water. No outline, not graded."""
        if self.manner.paper is not None:
            if all(opacity >= 1 for _, _, opacity in stops):
                self.parts.append(f'<path d="{d}" fill="{self.manner.paper}"/>')
            return
        inner = "".join(f'<stop offset="{o:.3f}" stop-color="{c}" stop-opacity="{a:.2f}"/>' for o, c, a in stops)
        direction = 'x1="0" y1="0" x2="1" y2="0"' if across else 'x1="0" y1="0" x2="0" y2="1"'
        name = self._define(f"w{inner}{across}", f'<linearGradient id="@" {direction}>{inner}</linearGradient>')
        self.parts.append(f'<path d="{d}" fill="url(#{name})"/>')

    @contextmanager
    def at(
        self, x: float, y: float, scale: float = 1.0, turn: float = 0, flip: bool = False, clip: str | None = None
    ) -> Generator[None, None, None]:
        """Draw inside in local units around x, y; `clip` is path data in those units."""
        across = -scale if flip else scale
        turned = f" rotate({n(turn)})" if turn else ""
        cut = ""
        if clip is not None:
            name = self._define("c" + clip, f'<clipPath id="@"><path d="{clip}"/></clipPath>')
            cut = f' clip-path="url(#{name})"'
        open_group = f'<g transform="translate({n(x)} {n(y)}){turned} scale({across:.4f} {scale:.4f})">'
        self.parts.append(open_group + (f"<g{cut}>" if cut else ""))
        outer, self.scale = self.scale, self.scale * scale
        yield
        self.scale = outer
        self.parts.append("</g></g>" if cut else "</g>")

    @contextmanager
    def faded(self, alpha: float) -> Generator[None, None, None]:
        """Draw inside as one translucent thing."""
        self.parts.append(f'<g opacity="{alpha:.2f}">')
        yield
        self.parts.append("</g>")

    @contextmanager
    def lifted(self) -> Generator[None, None, None]:
        """In cut paper, lay a shadow under what is drawn inside."""
        start = len(self.parts)
        yield
        if self.manner.lifted:
            own = "".join(self.parts[start:])
            # The same shapes again, black and shifted: cheaper than a blur, and crisp as paper is.
            black = _blackened(own, self.halos)
            self.parts[start:start] = [f'<g transform="translate(5 9)" opacity="0.26">{black}</g>']

    # Colour.

    def graded(self, color: str) -> str:
        """The colour as this scene's light shows it."""
        return lit(color, self.light.tint, self.light.haze, self.haze)

    def svg_defs(self) -> str:
        """All gradients and clips."""
        return "".join(self.defs)

    def _define(self, key: str, body: str) -> str:
        """Keep a definition once and return its id; `@` in the body stands for the id."""
        if key not in self.names:
            self.names[key] = f"{self._series}{len(self.names)}"
            self.defs.append(body.replace("@", self.names[key]))
        return self.names[key]

    def _dress(self, fill: str, shade: str, alpha: float) -> str:
        see_through = f' fill-opacity="{alpha:.2f}"' if alpha < 1 else ""
        if self.manner.paper is not None:
            inside = self._on_paper(fill)
            width = self.manner.ink_width / self.scale
            edge = f' stroke="{self._ink_for(fill)}" stroke-width="{width:.2f}" stroke-linejoin="round"'
            return f' fill="{inside}"{see_through}{edge if alpha > 0.5 else ""}'
        return f' fill="{self._paint(fill, shade)}"{see_through}'

    def _paint(self, fill: str, shade: str) -> str:
        if shade == "glow":
            return fill
        color = self.graded(fill)
        if shade == "flat" or not self.manner.shaded:
            return color
        return f"url(#{self._define(shade + color, _shading(color, shade))})"

    def _on_paper(self, fill: str) -> str:
        assert self.manner.paper is not None
        if self.kept is not None and fill == self.kept:
            return mix(self.manner.paper, fill, 0.8)
        if self.manner.ink == "own":
            return mix(self.manner.paper, fill, 0.16)
        return self.manner.paper

    def _ink_for(self, color: str) -> str:
        if self.manner.ink != "own":
            return self.manner.ink or "#222222"
        lightness, chroma, hue = oklch(color)
        # Grey things glow in a cool white, coloured ones in their own colour.
        return from_oklch(
            max(0.72, lightness), min(0.3, chroma * 1.7 if chroma > 0.03 else 0.05), hue if chroma > 0.03 else 220
        )

    @staticmethod
    def _stroke(d: str, color: str, width: float, alpha: float) -> str:
        faint = f' stroke-opacity="{alpha:.2f}"' if alpha < 1 else ""
        return (
            f'<path d="{d}" fill="none" stroke="{color}" stroke-width="{width:.2f}"{faint} '
            f'stroke-linecap="round" stroke-linejoin="round"/>'
        )


def _shading(color: str, shade: str) -> str:
    step = 0.07 + 0.05 * (1 - abs(2 * light_of(color) - 1))
    bright, deep = strengthen(tone(color, step * 0.8), 1.02), tone(color, -step * 1.25)
    if shade == "soft":
        return (
            f'<radialGradient id="@" cx=".36" cy=".28" r=".85"><stop offset="0" stop-color="{bright}"/>'
            f'<stop offset=".42" stop-color="{color}"/><stop offset="1" stop-color="{deep}"/></radialGradient>'
        )
    if shade == "side":
        return (
            f'<linearGradient id="@"><stop offset="0" stop-color="{tone(color, -step * 0.3)}"/>'
            f'<stop offset=".28" stop-color="{bright}"/><stop offset="1" stop-color="{deep}"/></linearGradient>'
        )
    return (
        f'<linearGradient id="@" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="{bright}"/>'
        f'<stop offset="1" stop-color="{tone(color, -step * 0.8)}"/></linearGradient>'
    )


def _blackened(svg: str, halos: set[str]) -> str:
    """Every fill and stroke that is there, in black; light in nothing."""
    parts = svg.split('"')
    for index in range(1, len(parts), 2):
        if parts[index - 1].endswith((" fill=", " stroke=")) and parts[index] != "none":
            parts[index] = "none" if parts[index][5:-1] in halos else "#1a1020"
    return '"'.join(parts)
