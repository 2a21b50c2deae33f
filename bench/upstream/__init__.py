"""The providers of the benchmark: one that answers as fast as it can, one that streams."""
