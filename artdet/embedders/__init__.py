"""Images to vectors: backbones with their preprocessing, and features made by hand."""
