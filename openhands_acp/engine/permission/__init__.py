"""Permission: what needs asking, and the wrappers round the doors that ask."""
