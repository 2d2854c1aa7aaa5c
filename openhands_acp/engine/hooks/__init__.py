"""Commands of the person's that look at what happens, and may stop it."""
