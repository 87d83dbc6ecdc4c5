"""Collations by name, as far as servers name them in their answers; any other one is a number to a document.

Only ids that mean the same to MySQL and to MariaDB, but for the last, which MySQL has not.
"""

from __future__ import annotations

from testset.errors import DocumentError

BINARY = 63  # no text, or a number
UTF8MB4 = 255  # utf8mb4_0900_ai_ci: what MySQL answers in since version 8

_NAMES = {
    1: "big5_chinese_ci", 3: "dec8_swedish_ci", 4: "cp850_general_ci", 6: "hp8_english_ci", 7: "koi8r_general_ci",
    8: "latin1_swedish_ci", 9: "latin2_general_ci", 10: "swe7_swedish_ci", 11: "ascii_general_ci",
    12: "ujis_japanese_ci", 13: "sjis_japanese_ci", 16: "hebrew_general_ci", 18: "tis620_thai_ci",
    19: "euckr_korean_ci", 22: "koi8u_general_ci", 24: "gb2312_chinese_ci", 25: "greek_general_ci",
    26: "cp1250_general_ci", 28: "gbk_chinese_ci", 30: "latin5_turkish_ci", 32: "armscii8_general_ci",
    33: "utf8mb3_general_ci", 36: "cp866_general_ci", 37: "keybcs2_general_ci", 38: "macce_general_ci",
    39: "macroman_general_ci", 40: "cp852_general_ci", 41: "latin7_general_ci", 45: "utf8mb4_general_ci",
    46: "utf8mb4_bin", 47: "latin1_bin", 48: "latin1_general_ci", 51: "cp1251_general_ci", 57: "cp1256_general_ci",
    59: "cp1257_general_ci", BINARY: "binary", 65: "ascii_bin", 83: "utf8mb3_bin", 92: "geostd8_general_ci",
    95: "cp932_japanese_ci", 97: "eucjpms_japanese_ci", 192: "utf8mb3_unicode_ci", 224: "utf8mb4_unicode_ci",
    246: "utf8mb4_unicode_520_ci", 248: "gb18030_chinese_ci", UTF8MB4: "utf8mb4_0900_ai_ci",
    2304: "utf8mb4_uca1400_ai_ci",
}  # fmt: skip
_IDS = {name: number for number, name in _NAMES.items()}


def label(number: int) -> str | int:
    """A collation as a document has it."""
    return _NAMES.get(number, number)


def number(value: object, key: str) -> int:
    """The collation that a document names."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0xFFFF:
        return value
    if isinstance(value, str) and value.lower() in _IDS:
        return _IDS[value.lower()]
    raise DocumentError(f"{key}: {value!r} is no collation that is known by name; its number will do")
