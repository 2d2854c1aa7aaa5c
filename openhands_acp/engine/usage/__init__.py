"""What models used and cost, and the limits to that."""
