"""Documents become passages and vectors in the index, and are read back from it."""
