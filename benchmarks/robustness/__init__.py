"""Test what must survive: hostile files, killed batches, images larger than memory."""
