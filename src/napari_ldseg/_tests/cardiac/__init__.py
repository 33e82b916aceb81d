"""Tests of the room `cardiac`."""
