"""Training of detectors: what all backends share, and the backends."""
