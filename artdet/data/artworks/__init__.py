"""Artworks with what is known of each as a whole: tasks, sources of labels, splits, duplicates."""
