"""Tests, one module per room."""

import os

# The models of the tests are tiny: a second thread gains nothing, and on a busy computer all threads wait for the last.
os.environ.setdefault("OMP_NUM_THREADS", "1")
