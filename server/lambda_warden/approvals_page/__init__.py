"""The page on which a person decides on requests for approval, in a browser on the same machine. No script."""
