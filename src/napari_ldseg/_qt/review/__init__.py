"""The Review widget."""
