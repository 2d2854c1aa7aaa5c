"""What people write down for an agent, read from the disk: instructions, skills, commands, agents, plugins."""
