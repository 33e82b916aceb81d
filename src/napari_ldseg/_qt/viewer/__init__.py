"""napari layers, both ways: what a layer holds for the engine, and layers for results."""
