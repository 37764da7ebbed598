"""lambda-warden: AWS Lambda invocation for AI assistants, under guard."""

__version__ = "0.1.0"
