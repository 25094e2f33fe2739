"""The raster formats that artdet reads, told apart by their first bytes. Light: imports no imaging library."""

from __future__ import annotations

import re
from dataclasses import dataclass

HEAD_BYTES = 64
"""How many first bytes of a file :func:`format_of` and :func:`described` want."""


@dataclass(frozen=True)
class ImageFormat:
    """One raster format.

    Attributes:
        name: what messages call it.
        signature: matches the first bytes of a file.
        extensions: of file names, lower case, with the dot.
        plugin: Pillow's ``module:class`` that reads it. Only these are ever asked, so that no file can start
            Ghostscript or another outside program.
    """

    name: str
    signature: re.Pattern[bytes]
    extensions: tuple[str, ...]
    plugin: str


def _format(name: str, signature: bytes, extensions: str, plugin: str) -> ImageFormat:
    return ImageFormat(name, re.compile(signature, re.DOTALL), tuple(extensions.split()), f"PIL.{plugin}")


FORMATS: tuple[ImageFormat, ...] = (
    _format("JPEG", rb"\xff\xd8\xff", ".jpg .jpeg .jpe .jfif .mpo", "JpegImagePlugin:JpegImageFile"),
    _format("PNG", rb"\x89PNG\r\n\x1a\n", ".png", "PngImagePlugin:PngImageFile"),
    _format("TIFF", rb"II[*+]\0|MM\0[*+]", ".tif .tiff", "TiffImagePlugin:TiffImageFile"),
    _format("WebP", rb"RIFF.{4}WEBP", ".webp", "WebPImagePlugin:WebPImageFile"),
    _format("GIF", rb"GIF8[79]a", ".gif", "GifImagePlugin:GifImageFile"),
    # "BM" alone begins many a text: the size of the second header is asked for too.
    _format("BMP", rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0", ".bmp .dib", "BmpImagePlugin:BmpImageFile"),
    _format(
        "JPEG 2000",
        rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
        ".jp2 .j2k .jpx .jpf .j2c .jpc",
        "Jpeg2KImagePlugin:Jpeg2KImageFile",
    ),
    _format("PPM", rb"P[1-6][\s#]", ".ppm .pgm .pbm .pnm", "PpmImagePlugin:PpmImageFile"),
)

IMAGE_EXTENSIONS: frozenset[str] = frozenset(extension for row in FORMATS for extension in row.extensions)

_PICTURES = (
    (rb".{4}ftyp(heic|heix|hevc|mif1|msf1)", "a HEIC picture"),
    (rb".{4}ftypavi[fs]", "an AVIF picture"),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (rb"8BPS", "a Photoshop document"),
    (rb"%PDF", "a PDF document"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "a PostScript file"),
    (rb"AT&TFORM", "a DjVu document"),
    (rb"\0\0[\x01\x02]\0.{2}", "an icon"),
    (rb"(\xef\xbb\xbf)?\s*<(svg|\?xml[^>]*>\s*<svg)", "an SVG drawing"),
    (rb"v/1\x01|#\?RADIANCE|SIMPLE  =", "a high dynamic range picture"),
)
_OTHERS = (
    (rb"(?i)(\xef\xbb\xbf)?\s*<(!doctype )?html", "a web page (a failed download often leaves one)"),
    (rb"PK\x03\x04", "a ZIP archive or an office document"),
    (rb".{4}ftyp|\x1aE\xdf\xa3", "a video"),
    (rb"\0+\Z", "zero bytes (an interrupted copy often leaves them)"),
    (rb"[\t\n\r\x1b\x20-\x7e\x80-\xff]+\Z", "text"),
)
_UNREAD = tuple(
    (re.compile(signature, re.DOTALL), words, is_picture)
    for table, is_picture in ((_PICTURES, True), (_OTHERS, False))
    for signature, words in table
)


def format_of(head: bytes) -> ImageFormat | None:
    """The format of a file that begins with ``head``; none if it is not one that artdet reads.

    >>> format_of(b"GIF89a" + bytes(26)).name
    'GIF'
    """
    return next((row for row in FORMATS if row.signature.match(head)), None)


def described(head: bytes) -> tuple[str, bool]:
    """What a file is that :func:`format_of` does not know.

    Returns:
        Words for a message, and whether it holds a picture in some other format.

    >>> described(b"%PDF-1.7 ...")
    ('a PDF document', True)
    """
    for signature, words, is_picture in _UNREAD:
        if signature.match(head):
            return words, is_picture
    return "unknown data", False
