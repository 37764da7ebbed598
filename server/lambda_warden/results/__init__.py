"""The use case of `read_result`: what calls returned and logged, kept for a while, redacted."""
