"""Four small apps made to be hard: `python -m hard.nonces PORT DEPENDENCY…`, beside a copy of this folder."""
