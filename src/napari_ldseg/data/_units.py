"""Convert between units of length, whatever files call them."""

UNITS = {
    "micrometer": ("micrometer", "micrometre", "micron", "microns", "um", "µm", "μm", "\\u00b5m"),
    "nanometer": ("nanometer", "nanometre", "nm"),
    "millimeter": ("millimeter", "millimetre", "mm"),
    "centimeter": ("centimeter", "centimetre", "cm"),
    "meter": ("meter", "metre", "m"),
    "inch": ("inch", "inches", "in"),
    "angstrom": ("angstrom", "å"),
}
METERS = {
    "nanometer": 1e-9, "micrometer": 1e-6, "millimeter": 1e-3, "centimeter": 1e-2, "meter": 1.0, "inch": 0.0254,
    "angstrom": 1e-10,
}  # fmt: skip
_UNIT_OF = {alias: unit for unit, aliases in UNITS.items() for alias in aliases}


def unit_name(unit: str) -> str:
    """Return the one name of a unit, for example "micrometer" for "µm"; "pixel" if it is no length."""
    return _UNIT_OF.get(unit.strip().lower(), "pixel")


def convert_spacing(spacing: tuple[float, ...] | None, unit: str, wanted: str) -> tuple[float, ...] | None:
    """Return a pixel size in another unit of length; None if it is unknown (no size, pixels, an unknown unit)."""
    own, other = METERS.get(unit_name(unit)), METERS.get(unit_name(wanted))
    if spacing is None or own is None or other is None:
        return None
    return tuple(size * own / other for size in spacing)
