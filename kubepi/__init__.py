"""kubepi: one file that turns a box of Raspberry Pis into a Kubernetes cluster."""

VERSION = "0.1.0"
# Seconds since 1970 (2026-11-21): a clock before this is wrong for sure.
BUILT = 1795219200.0
