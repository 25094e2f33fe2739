"""Training of classifiers: recipes, augmentations, losses, the loop, comparisons of many runs."""
