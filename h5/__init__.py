"""The pages: thin Tornado handlers over the services."""
