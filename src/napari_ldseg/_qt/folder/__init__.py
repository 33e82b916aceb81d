"""The Segment folder widget."""
