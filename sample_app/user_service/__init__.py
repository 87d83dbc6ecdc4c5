"""Users, their logins, and where their parcels go."""
