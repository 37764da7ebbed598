"""The MCP surface: one file a tool. Arguments go in, the pipeline does the work, a result comes out."""
