"""The manifest's readers, writers and sample data, and the demo."""
