"""Add corrected images to a training set."""
