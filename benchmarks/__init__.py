"""The measurements behind every number in the documentation, run from the root of a checkout.

``python -m benchmarks.evidence.score --help``, for example; README.md in this folder lists all of them.
"""
