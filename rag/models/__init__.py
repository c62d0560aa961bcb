"""The models: which bytes they are, where they come from, and how they run. Knows nothing of articles."""
