"""An S3 bucket as a store of results. Whatever is imported from here loads boto3."""
