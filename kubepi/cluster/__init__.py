"""The Kubernetes API, through kubectl."""
