"""Several detectors as one: fusion of their boxes, then the rules of the Getty report."""
