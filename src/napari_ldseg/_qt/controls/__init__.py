"""Qt widgets that do not depend on napari: forms, sections, messages, progress, tables."""
