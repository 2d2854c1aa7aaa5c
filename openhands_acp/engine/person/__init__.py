"""The person, for more than yes and no: questions, forms, and the end of plan mode."""
