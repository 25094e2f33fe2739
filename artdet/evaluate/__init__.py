"""``artdet evaluate``: runs against a truth; reads run folders and never runs a model."""
