"""The one address that shoppers know: it hands each request to the service that it is for."""
