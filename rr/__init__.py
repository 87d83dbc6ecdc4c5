"""The command line and the settings: the face that ties the rooms together."""

__version__ = "0.1.0"
