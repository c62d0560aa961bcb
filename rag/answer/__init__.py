"""Passages become a checked answer with citations, or a refusal."""
