"""Documents become passages and vectors, which are written to the index and read back from it."""
