"""AWS: the only folder that imports boto3 and botocore. Everything here blocks, so it runs in worker threads."""
