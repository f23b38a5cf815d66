"""Pictures by matplotlib (extra `report`): SVG for pages, PNG for slides; the same data give the same bytes."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from kerp.base.errors import Fault, KerpError

INK, SOFT = "#0b5c7a", "#51606f"
# Distinct in colour, in grey and by line style; arms take them in order.
COLOURS = ("#0b5c7a", "#b5512b", "#5b7f2b", "#6c4f8f", "#222222", "#8a6d1a", "#2f8f83", "#a03d62")
STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1)), (0, (1, 1)), (0, (7, 2)), (0, (3, 1, 1, 1, 1, 1)))
_SETTINGS: dict[str, Any] = {
    "svg.hashsalt": "kerp",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "legend.frameon": False,
    "legend.fontsize": 8,
}


def pyplot() -> tuple[Any, Any]:
    """`matplotlib` and `pyplot` without a window; says which extra to install where they are missing."""
    try:
        import matplotlib
    except ImportError:
        way = "pip install 'kerp[report]'"
        raise KerpError(Fault("matplotlib is not installed", allowed="the extra `report`", ways_out=(way,))) from None
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    return matplotlib, plt


def drawn(
    draw: Callable[[Any, Any], None], size: tuple[float, float], rows: int = 1, columns: int = 1, **layout: Any
) -> tuple[str, bytes]:
    """SVG text and PNG bytes of one figure. `draw(figure, axes)`; `axes` is an array when there are several."""
    matplotlib, plt = pyplot()
    with matplotlib.rc_context(_SETTINGS):
        figure, axes = plt.subplots(rows, columns, figsize=size, **layout)
        draw(figure, axes)
        figure.tight_layout()
        text, image = io.StringIO(), io.BytesIO()
        figure.savefig(text, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
        figure.savefig(image, format="png", dpi=150, metadata={"Software": "kerp"})
        plt.close(figure)
    return text.getvalue(), image.getvalue()
