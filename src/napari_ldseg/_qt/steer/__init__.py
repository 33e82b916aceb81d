"""Steer: say what is true of some pixels, and the samples follow."""
