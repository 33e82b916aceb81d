"""napari-ldseg."""
