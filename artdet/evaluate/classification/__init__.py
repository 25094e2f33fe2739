"""How good runs of ``artdet classify`` are: figures against known labels, and a report."""
