"""From image files to a run folder: reading ahead, detecting in batches, writing a line per image."""
