"""Starts the shop on one machine, with nothing else installed: databases, queue and services, each a process."""
