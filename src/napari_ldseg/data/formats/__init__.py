"""File formats. Each has a module, and `_registry` lists them all."""
