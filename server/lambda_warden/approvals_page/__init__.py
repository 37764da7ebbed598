"""The pages on which people decide on requests for approval, in a browser: on this machine, or a team's. No script."""
