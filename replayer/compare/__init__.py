"""Comparing a recorded response with the one that the app gives now, and saying in words what differs."""

from replayer.compare.finding import Finding, Forgive, Kind
from replayer.compare.noise import NO_NOISE, Noise, noise_of_settings, noise_of_test
from replayer.compare.response import NO_RULES, Rules, compare

__all__ = [
    "NO_NOISE",
    "NO_RULES",
    "Finding",
    "Forgive",
    "Kind",
    "Noise",
    "Rules",
    "compare",
    "noise_of_settings",
    "noise_of_test",
]
