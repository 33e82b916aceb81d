"""Choose the colours of classes."""

from collections.abc import Sequence

# Colour-blind safe (Okabe & Ito 2008), for models that state no colours.
PALETTE = ("#009e73", "#56b4e9", "#e69f00", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")
BACKGROUND = "#000000"


def class_color(label: int, colors: Sequence[str] = ()) -> str:
    """Return the colour (#rrggbb) of a class.

    Parameters
    ----------
    label : int
        0 is the background.
    colors : sequence of str, optional
        The colours that the model states, background first; classes beyond them take turns with the palette.
    """
    if label < len(colors):
        return colors[label]
    return PALETTE[(label - 1) % len(PALETTE)] if label else BACKGROUND
