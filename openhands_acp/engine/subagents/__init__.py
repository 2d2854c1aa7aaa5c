"""Sub-agents: sessions that work for a session."""
