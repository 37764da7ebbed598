"""A DynamoDB table as a store. Whatever is imported from here loads boto3."""
