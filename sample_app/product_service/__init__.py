"""What the shop sells, and how many of it are left."""
