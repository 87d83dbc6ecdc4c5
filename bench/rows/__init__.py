"""What is measured. Each module here has `measure(options)`, which yields rows; adding a module adds its rows."""
