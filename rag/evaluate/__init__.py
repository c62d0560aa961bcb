"""Measure the answers: ask questions whose answers are known, and count what was right, refused and cited."""
