"""Tests of the room `phantoms`."""
