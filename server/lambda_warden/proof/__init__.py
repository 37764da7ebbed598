"""Holds the records against what others have of them: checkpoints, the state beside the chains, CloudTrail."""
