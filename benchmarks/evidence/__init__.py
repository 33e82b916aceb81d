"""Measure how well models segment and what their uncertainty is worth, and compare them with other networks."""
