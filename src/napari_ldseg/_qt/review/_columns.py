"""Fill the columns of the review list."""

import numpy as np

from ...config import Ranking
from ...measure import size_name
from ...reports import unit_symbol
from ..controls._table import Column, number
from ._session import Session

STATE_COLORS = {"to do": "#9a9a9a", "accepted": "#3fb27f", "corrected": "#56b4e9", "rejected": "#e07b5a"}
NAME, STATE, SIZE, SCORE, MEAN_SD, EXISTS = range(6)


def columns(session: Session, ranking: Ranking) -> list[Column]:
    """Return columns for name and swatch, state, size, score, mean SD and existence."""
    subject, found = session.subject, session.measurements
    frames = bool(found) and found[0].region.label == 0
    ndim = 2 if frames else subject.source.ndim
    size = size_name(ndim)

    def name(row: int) -> str:
        region = found[row].region
        if frames:
            return f"{'slice' if subject.source.ndim == 3 else 'frame'} {', '.join(map(str, region.frame)) or 'all'}"
        where = f", frame {', '.join(map(str, region.frame))}" if region.frame else ""
        return f"{subject.class_name(region.label)} {region.shown}{where}"

    def title(text: str) -> str:
        return text[0].upper() + text[1:]

    return [
        Column(
            "Slice" if frames else "Object",
            list(range(len(found))),
            name,
            swatch=lambda row: subject.class_color(found[row].region.label),
            left=True,
        ),
        Column(
            "State",
            [session.review.state(one.region.number) for one in found],
            color=STATE_COLORS.__getitem__,
            widest="corrected",
        ),
        Column(
            unit_symbol(subject.unit, ndim),
            [float(one.values[size].value) for one in found],
            number,
            tip=f"{title(size)} as labelled when the list was made",
        ),
        Column(
            "Score",
            [float(one.scores[ranking]) for one in found],
            _hundredths,
            tip=f"{title(ranking)}: the higher, the sooner to look at (docs/review.md)",
        ),
        Column(
            "SD",
            [float(one.scores["mean SD"]) for one in found],
            _hundredths,
            tip="Mean standard deviation over the object and its rim",
        ),
        Column(
            "Exists",
            [float(np.float64(one.existence)) for one in found],
            lambda share: "" if np.isnan(share) else f"{share:.0%}",
            tip="Share of the samples that have this object",
        ),
    ]


def _hundredths(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.2f}"
