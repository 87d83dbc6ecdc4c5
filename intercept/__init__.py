"""Puts an app behind rr: namespace, relay, journal. Knows sockets and processes, and no wire protocol."""
