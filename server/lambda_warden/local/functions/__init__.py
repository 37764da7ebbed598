"""Sample Lambda functions. Each file is deployed as it stands, with `handler` as its handler."""
