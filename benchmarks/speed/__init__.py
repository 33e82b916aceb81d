"""Measure how long segmentation takes and how much memory it needs."""
