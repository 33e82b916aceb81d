"""Numbers that judge masks (numpy and scikit-image; no torch)."""
