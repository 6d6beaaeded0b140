"""Plots of a comparison, as SVG; the same figures give the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

from .compare import Result

mpl.use("svg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

_COLORS = {"fifo": "#b45f4d", "fair": "#d0a24c", "heddle": "#3f7f6b", "free loads": "#8a94a6"}
_STYLE = {
    "svg.hashsalt": "heddle",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.facecolor": "white",
}


def draw(folder: Path, results: Sequence[Result]) -> None:
    """`waits.svg` and `fleet.svg`."""
    with mpl.rc_context(_STYLE):
        _save(folder / "waits.svg", _waits(results))
        _save(folder / "fleet.svg", _fleet(results))


def draw_sweep(folder: Path, results: Sequence[Result]) -> None:
    """`deferral.svg`."""
    with mpl.rc_context(_STYLE):
        _save(folder / "deferral.svg", _sweep(results))


def _save(path: Path, figure: Figure) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    plt.close(figure)


def _waits(results: Sequence[Result]) -> Figure:
    """For each class, the part of its jobs that waited longer than so many seconds."""
    kinds = sorted(results[0].waits)
    figure, axes = plt.subplots(1, len(kinds), figsize=(3.4 * len(kinds), 3.2), sharey=True, squeeze=False)
    for ax, kind in zip(axes[0], kinds, strict=True):
        for result in results:
            _tail(ax, result, kind)
        ax.set(title=kind, xscale="log", yscale="log", xlim=(0.5, None), ylim=(0.001, 1), xlabel="seconds")
        ax.axhline(0.01, color="#cccccc", linewidth=0.8, zorder=0)
    axes[0][0].set_ylabel("part of jobs that waited longer")
    axes[0][0].legend(frameon=False, fontsize=9)
    return figure


def _tail(ax: Axes, result: Result, kind: str) -> None:
    waits = np.sort(np.maximum(result.waits[kind], 0.1))
    # A few hundred points draw the same line as all of them.
    ranks = np.unique(np.round(len(waits) * (1 - np.geomspace(0.001, 1, 300))).astype(int).clip(0, len(waits) - 1))
    name = result.figures.name
    ax.plot(waits[ranks], 1 - ranks / len(waits), color=_COLORS.get(name), label=name)


def _fleet(results: Sequence[Result]) -> Figure:
    figure, axes = plt.subplots(1, 3, figsize=(10.2, 2.6))
    lines = [result.figures for result in results]
    names = [line.name for line in lines]
    colors = [_COLORS.get(name, "#8a94a6") for name in names]
    values = {
        "utilization": [line.utilization for line in lines],
        "loads per job": [0.0 if line.name == "free loads" else line.loads_per_job for line in lines],
        "fairness (Jain)": [line.fairness for line in lines],
    }
    for ax, (title, heights) in zip(axes, values.items(), strict=True):
        bars = ax.bar(names, heights, color=colors)
        ax.bar_label(bars, fmt="%.2f", fontsize=9)
        ax.set(title=title, ylim=(0, 1.12 * max(*heights, 0.01)))
        ax.tick_params(axis="x", labelsize=9)
    figure.tight_layout()
    return figure


def _sweep(results: Sequence[Result]) -> Figure:
    """The same rules with different deferrals: loads against waits."""
    figure, axes = plt.subplots(1, 2, figsize=(7, 2.8))
    names = [result.figures.name for result in results]
    axes[0].plot(names, [r.figures.loads_per_job for r in results], marker="o", color=_COLORS["heddle"])
    axes[0].set(title="loads per job", xlabel="deferral, seconds", ylim=(0, None))
    for kind in sorted(results[0].waits):
        axes[1].plot(names, [r.figures.waits[kind].p99 for r in results], marker="o", label=kind)
    axes[1].set(title="p99 of waits, seconds", xlabel="deferral, seconds", yscale="log")
    axes[1].legend(frameon=False, fontsize=9)
    figure.tight_layout()
    return figure
