"""The Cardiac widget."""
