"""What the manifest names besides widgets: readers, writers, sample data; and the demo."""
