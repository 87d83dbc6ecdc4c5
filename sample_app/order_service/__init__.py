"""Orders: taken, paid, cancelled. It asks the user service and the product service, and tells a queue what happened."""
