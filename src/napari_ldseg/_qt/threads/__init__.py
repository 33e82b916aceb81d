"""Run work in threads. The engine's generators become Qt signals."""
