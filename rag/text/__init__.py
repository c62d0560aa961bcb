"""Text as such: its sentences, words, names and numbers, and the lines of a news page. Pure functions; no file, no model."""
