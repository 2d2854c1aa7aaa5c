"""What people wrote down for the agent: instructions, skills, memory, and the trust that it needs."""
