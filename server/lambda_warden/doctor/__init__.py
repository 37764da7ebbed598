"""What `lambda-warden doctor` looks at: this machine, and AWS against the manifests. Nothing is started."""
