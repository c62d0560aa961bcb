"""Files become documents: one module a format, parsed in a process of its own, and the folders that they lie in."""
