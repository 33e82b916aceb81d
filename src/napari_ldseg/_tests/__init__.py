"""Tests of napari-ldseg."""
