"""The apps that the system tests record, and what they depend on. See README.md."""
