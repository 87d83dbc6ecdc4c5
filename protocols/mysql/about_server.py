"""Reads of the session and the server alone, as drivers and pools make them: no test's data is in their answers.

Only what is known here counts: `SELECT NOW()` or `SELECT LAST_INSERT_ID()` say something else each time.
"""

from __future__ import annotations

from collections.abc import Sequence

from protocols.mysql.settings import variable
from protocols.mysql.tokens import Token
from protocols.mysql.words import words

_CHANGING = words(
    """
    last_insert_id identity warning_count error_count timestamp insert_id pseudo_thread_id rand_seed1 rand_seed2
    in_transaction gtid_executed gtid_purged gtid_current_pos gtid_binlog_pos gtid_slave_pos last_gtid statement_id
    """
)
_FUNCTIONS = words("VERSION DATABASE SCHEMA USER CURRENT_USER SESSION_USER SYSTEM_USER CAST CONVERT CHAR")
_WORDS = words("SELECT AS CAST CONVERT CHAR COLLATE USING LIMIT DATABASE SCHEMA CURRENT_USER DUAL BINARY")
_SIGNS = frozenset({",", "(", ")", ".", "+"})
_BEFORE_ALIAS = frozenset({"AS", ".", "COLLATE", "USING", ")", "?"})
_SHOWN = words("VARIABLES COLLATION CHARSET CHARACTER ENGINES PLUGINS PRIVILEGES STATUS")


def reads_session(items: Sequence[Token]) -> bool:
    """Whether a SELECT asks for nothing but constants, settings and the like."""
    before, after = Token("", ""), [*items[1:], Token("", "")]
    for index, (sort, text) in enumerate(items):
        following = after[index].text
        if sort == "w":
            known = text in _WORDS or (text == "FROM" and following == "DUAL")
        elif sort == "v":
            known = text.startswith("@@") and variable(items, index)[0] not in _CHANGING
        elif following == "(" and sort in ("i", "q"):
            known = text in _FUNCTIONS
        elif sort in ("i", "q"):
            known = before.text in _BEFORE_ALIAS or before.sort in ("v", "i")
        else:
            known = sort == "?" or text in _SIGNS
        if not known:
            return False
        before = items[index]
    return True


def shows_settings(which: str) -> bool:
    """Whether `SHOW which` is about the server."""
    return which in _SHOWN
