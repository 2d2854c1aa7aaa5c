"""Pages on the web: fetched, and read in a browser."""
