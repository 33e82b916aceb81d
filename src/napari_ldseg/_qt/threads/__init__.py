"""Work in threads: the engine's generators become Qt signals."""
