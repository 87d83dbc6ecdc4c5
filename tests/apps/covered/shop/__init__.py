"""What the app that is measured does."""
