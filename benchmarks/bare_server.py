"""The least that the SDK can serve: one tool that does nothing. What lambda-warden takes beyond it is its own."""

from mcp.server.mcpserver import MCPServer

server: MCPServer[None] = MCPServer("bare")


@server.tool()
def nothing() -> str:
    """Do nothing."""
    return "nothing"


if __name__ == "__main__":
    server.run()
