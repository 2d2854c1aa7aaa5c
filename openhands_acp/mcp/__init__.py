"""Other people's tools: clients of the Model Context Protocol, through FastMCP, and their configuration."""
