"""Everything kubepi can do to a Pi, as steps: frozen, printable, safe to repeat."""
