"""Convert napari layers to the engine's input, and results to layers."""
