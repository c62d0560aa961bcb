"""Questions with known answers become figures."""
