"""A coding agent that editors talk to in the Agent Client Protocol."""

__version__ = "0.1.0"
