"""Curves over time steps, as a picture for a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator


def curves(
    series: Mapping[str, Sequence[float]], x_label: str, y_label: str, first_step: int = 1
) -> bytes:
    """Draw one line per series over whole-number steps.

    Args:
        series: Values by label; one value per step.
        x_label: What a step is.
        y_label: What is measured, with its unit.
        first_step: Number of the first step.

    Returns:
        The picture as PNG.
    """
    figure = Figure(figsize=(6.4, 3.6), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    for label, values in series.items():
        axes.plot(range(first_step, first_step + len(values)), values, marker="o", label=label)
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(frameon=False)
    png = BytesIO()
    figure.savefig(png, format="png")
    return png.getvalue()
