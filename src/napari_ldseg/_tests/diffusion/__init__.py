"""Tests of the room `diffusion`."""
