"""Whose a request over HTTP is, by its access token: an OAuth 2.1 resource server's part."""
