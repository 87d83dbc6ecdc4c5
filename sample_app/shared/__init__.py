"""What the services have in common: settings, logins, errors, database connections, calls to one another."""
