"""Measure what the documentation claims.

Run a module from the root of a checkout: ``python -m benchmarks.evidence.score --help``. README.md lists all of them.
"""
