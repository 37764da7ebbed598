"""The use case of `read_logs`: the log of an invocation, for those whose rule allows it."""
