"""Files and arrays: readers, writers, sample data (numpy, tifffile, scikit-image; no torch)."""
