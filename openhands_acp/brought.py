"""What a session was given besides a prompt: servers of tools, and what people wrote down for an agent.

A part of the composition, one for a session, loaded late. Asks nobody anything.
"""
