"""Which of Python's codecs reads a character set of MySQL, by its name or by the id of one of its collations.

All that is not in the table is read as UTF-8, with `surrogateescape`: that loses nothing, whatever it was.
"""

from __future__ import annotations

UTF_8 = "utf-8"

# name, codec, ids of its collations (one byte in the greeting; the ids above 255 are all of Unicode character sets)
_CHARSETS: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("big5", "big5", (1, 84)),
    ("latin2", "iso8859_2", (2, 9, 21, 27, 77)),
    ("cp850", "cp850", (4, 80)),
    ("latin1", "cp1252", (5, 8, 15, 31, 47, 48, 49, 94)),
    ("koi8r", "koi8_r", (7, 74)),
    ("ujis", "euc_jp", (12, 91)),
    ("sjis", "shift_jis", (13, 88)),
    ("cp1251", "cp1251", (14, 23, 50, 51, 52)),
    ("hebrew", "iso8859_8", (16, 71)),
    ("tis620", "tis_620", (18, 89)),
    ("euckr", "euc_kr", (19, 85)),
    ("latin7", "iso8859_13", (20, 41, 42, 79)),
    ("koi8u", "koi8_u", (22, 75)),
    ("gb2312", "gb2312", (24, 86)),
    ("greek", "iso8859_7", (25, 70)),
    ("cp1250", "cp1250", (26, 34, 44, 66, 99)),
    ("gbk", "gbk", (28, 87)),
    ("cp1257", "cp1257", (29, 58, 59)),
    ("latin5", "iso8859_9", (30, 78)),
    ("cp866", "cp866", (36, 68)),
    ("macce", "mac_latin2", (38, 43)),
    ("macroman", "mac_roman", (39, 53)),
    ("cp852", "cp852", (40, 81)),
    ("cp1256", "cp1256", (57, 67)),
    ("cp932", "cp932", (95, 96)),
    ("eucjpms", "euc_jp", (97, 98)),
    ("gb18030", "gb18030", (248, 249, 250)),
)

_BY_NAME = {name: codec for name, codec, _ in _CHARSETS}
_BY_COLLATION = {collation: codec for _, codec, collations in _CHARSETS for collation in collations}


def codec_of_collation(collation: int) -> str:
    """The codec for text in the character set that this collation is one of."""
    return _BY_COLLATION.get(collation, UTF_8)


def codec_of_charset(name: str) -> str:
    """The codec for text in a character set, by its name or by the name of one of its collations."""
    return _BY_NAME.get(name.lower().partition("_")[0], UTF_8)
