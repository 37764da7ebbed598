"""The MCP hosts that `lambda-warden install` knows, and how their configuration is edited."""
