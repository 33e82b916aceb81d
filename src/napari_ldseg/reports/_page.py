"""Write a report as one HTML page, pictures included, that opens anywhere and prints."""

import base64
import html
import io
import json
import math
from datetime import UTC, datetime

import numpy as np
import PIL.Image
import skimage.segmentation
from numpy.typing import NDArray

from ..measure import Spread, class_sizes, ranked, size_name, usable_ranking
from ._display import to_display
from ._report import Report
from ._table import POWERS, unit_symbol

WIDTH = 560
LISTED = 25
STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; color: #1c1f24; max-width: 1180px; margin: 28px auto; padding: 0 20px; }
h1 { font-size: 22px; margin: 0 0 2px; } h2 { font-size: 16px; margin: 26px 0 8px; }
p.sub { color: #5a616b; margin: 0 0 16px; }
.pictures { display: flex; gap: 16px; flex-wrap: wrap; } figure { margin: 0; }
img { display: block; max-width: 100%; border-radius: 4px; }
figcaption { color: #5a616b; font-size: 12px; margin: 4px 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 14px 3px 0; text-align: right; border-bottom: 1px solid #e3e6ea; white-space: nowrap; }
th { font-weight: 600; } th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left; }
.swatch { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 6px; }
details { margin-top: 8px; } pre { font-size: 12px; background: #f5f6f8; padding: 10px; overflow-x: auto; }
@media print { body { margin: 0; } details { break-inside: avoid; } }
"""


def page(report: Report) -> str:
    """Return the report as one HTML page: pictures, class sizes, the most uncertain objects, settings."""
    samples = report.source.masks.count if report.source.masks is not None else 0
    number = len(report.measurements)
    sub = f"{number} object{'s' * (number != 1)}, " + (
        f"{samples} samples; {report.config.interval:.0%} intervals over the samples" if samples else "no samples"
    )
    parts = [
        f"<h1>{html.escape(report.name)}</h1>",
        f'<p class="sub">{html.escape(sub)}. Made by napari-ldseg, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC. '
        "Not a medical device.</p>",
        f'<div class="pictures">{"".join(_pictures(report))}</div>',
        "<h2>Classes</h2>",
        _classes(report),
        f"<h2>{_title(report)}</h2>",
        _objects(report),
        "<h2>Settings and provenance</h2>",
        f"<details open><summary>Measurement</summary>{_json(report.config.model_dump(mode='json'))}</details>",
        f"<details open><summary>Segmentation</summary>{_json(report.provenance)}</details>",
    ]
    title = html.escape(report.name)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head><body>{''.join(parts)}</body></html>"
    )


def _title(report: Report) -> str:
    if len(report.measurements) <= LISTED:
        return "Objects"
    return f"The {LISTED} objects to look at first, of {len(report.measurements)}"


def _json(values: object) -> str:
    return f"<pre>{html.escape(json.dumps(values, indent=1, default=str))}</pre>"


def _classes(report: Report) -> str:
    name, unit = size_name(report.source.ndim), unit_symbol(report.unit, report.source.ndim)
    rows = []
    sizes = class_sizes(report.source, report.config.interval)
    # Labels that number each object have no meaningful classes.
    for label, spread in list(sizes.items())[:LISTED]:
        of_class = [one for one in report.measurements if one.region.label == label]
        expected = math.fsum(one.existence for one in of_class) if report.source.masks is not None else math.nan
        rows.append([_class(report, label), str(len(of_class)), _number(expected), *_spread(spread)])
    return _table(["Class", "Objects", "Expected objects", f"Total {name} ({unit})", "SD", "Interval"], rows)


def _objects(report: Report) -> str:
    """Return the table of the most uncertain objects."""
    ranking = usable_ranking(report.measurements, report.config.ranking)
    listed = ranked(report.measurements, ranking)[:LISTED]
    names = list(dict.fromkeys(name for one in listed for name in one.values))
    heads = ["Object", "Class", "Place"]
    for name in names:
        unit = f" ({unit_symbol(report.unit, POWERS[name])})" if name in POWERS else ""
        heads += [f"{name[0].upper()}{name[1:]}{unit}", *(["interval"] if report.source.masks is not None else [])]
    rows = []
    for one in listed:
        place = ", ".join(map(str, (*one.region.frame, *one.region.anchor)))
        row = [str(one.region.shown), _class(report, one.region.label), place]
        for name in names:
            value, _, interval = _spread(one.values[name])
            row += [value, interval] if report.source.masks is not None else [value]
        rows.append([*row, _number(one.existence), _number(one.scores[ranking])])
    return _table([*heads, "Existence", ranking[0].upper() + ranking[1:]], rows)


def _class(report: Report, label: int) -> str:
    red, green, blue = report.class_color(label)
    swatch = f'<span class="swatch" style="background: rgb({red}, {green}, {blue})"></span>'
    return swatch + html.escape(report.class_name(label))


def _spread(spread: Spread) -> list[str]:
    low_high = f"{_number(spread.low)} to {_number(spread.high)}" if math.isfinite(spread.low) else ""
    return [_number(spread.value), _number(spread.sd), low_high]


def _number(value: float) -> str:
    if not math.isfinite(value):
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _table(heads: list[str], rows: list[list[str]]) -> str:
    head = "".join(f"<th>{html.escape(head)}</th>" for head in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _pictures(report: Report) -> list[str]:
    """Return one plane of the image (if there is one) with the outlines of the objects, and of the SD map."""
    source = report.source
    plane = _plane(report)
    where = f", plane {', '.join(map(str, plane))}" if plane else ""
    labels = np.asarray(source.labels[plane])
    shown = np.full((*labels.shape, 3), 235, np.uint8)
    if source.image is not None:
        shown = to_display(np.asarray(source.image[plane]))
    edges = skimage.segmentation.find_boundaries(labels, mode="inner")
    thick = max(1, round(max(labels.shape) / WIDTH / 1.5))
    for _ in range(thick - 1):
        edges |= skimage.segmentation.find_boundaries(edges, mode="outer")
    for label in np.unique(labels[edges & (labels > 0)]):
        shown[edges & (labels == label)] = report.class_color(int(label))
    pictures = [_figure(shown, f"Outlines of the objects{where}")]
    if source.sd is not None:
        gray = np.clip(np.asarray(source.sd[plane], np.float32) / 0.5, 0, 1)
        pictures.append(_figure(_heat(gray), f"Standard deviation over the samples, 0 (black) to 0.5 (yellow){where}"))
    return pictures


def _plane(report: Report) -> tuple[int, ...]:
    """Return the index of the plane that holds most objects' centres; empty for a flat image."""
    leading = report.source.labels.ndim - 2
    places = [(*one.region.frame, *one.region.anchor)[:leading] for one in report.measurements]
    return max(places, key=places.count) if places else tuple(n // 2 for n in report.source.labels.shape[:leading])


def _heat(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Map 0 to 1 to black, purple, orange, yellow."""
    stops = np.array([[0, 0, 0], [85, 15, 109], [227, 89, 51], [252, 255, 164]], float)
    places = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(values, places, stops[:, i]) for i in range(3)], axis=-1).astype(np.uint8)


def _figure(picture: NDArray[np.uint8], caption: str) -> str:
    image = PIL.Image.fromarray(picture)
    image.thumbnail((WIDTH, WIDTH))
    out = io.BytesIO()
    image.save(out, "PNG")
    data = base64.b64encode(out.getvalue()).decode()
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{html.escape(caption)}">'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )
