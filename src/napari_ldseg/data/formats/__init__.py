"""File formats, one module each; `_registry` is their table."""
