"""Servers of the Model Context Protocol: a door, names, news, and what they ask for."""
