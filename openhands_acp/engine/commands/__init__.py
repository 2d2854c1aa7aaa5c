"""Slash commands: the table, what a prompt calls, and what each command does."""
