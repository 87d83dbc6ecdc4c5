"""A new recording of an old test set, merged into it: only what changed in meaning changes in the files."""
