"""Lambda and what else is asked of AWS, by boto3. Everything here blocks, so it runs in worker threads."""
