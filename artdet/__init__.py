"""artdet finds what artworks depict: object detection for paintings, drawings, prints and photo-archive scans."""

__version__ = "0.1.0"
