"""What operators see of calls: spans, metrics and log lines. No payload, no secret and no principal goes there."""
