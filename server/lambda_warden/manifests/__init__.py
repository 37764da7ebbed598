"""The operator's manifests as files: read, checked, merged, watched."""
