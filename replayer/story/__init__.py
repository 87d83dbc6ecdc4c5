"""What a faithful replay is: the same story, up to a consistent renaming of the values that the app made up.

Pure: no I/O, no clock, no threads. `Story` is the recording, read once; `Replay` is one run of the app against it.
Read in this order: `template` (a value and its atoms), `times`, `bindings` (the renaming), `recording` (given or made
up, and the index), `attempt` (does this follow the rule?), `lookup` and `replay` (which mock answers), `effects`,
`nearest`.
"""

from replayer.story.findings import Answer, Effects, Finding, Found, Kind, Miss, Outstanding, Unfollowed
from replayer.story.recording import BACKGROUND, STARTUP, Options, Story
from replayer.story.replay import Replay

__all__ = [
    "BACKGROUND",
    "STARTUP",
    "Answer",
    "Effects",
    "Finding",
    "Found",
    "Kind",
    "Miss",
    "Options",
    "Outstanding",
    "Replay",
    "Story",
    "Unfollowed",
]
