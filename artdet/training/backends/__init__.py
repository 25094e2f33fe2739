"""One module per library that can train a detector; only they import it."""
