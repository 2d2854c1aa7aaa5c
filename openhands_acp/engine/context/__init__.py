"""What a model's window holds: how full it is, and how room is made."""
