"""What status and doctor tell: the node against its goal, the cluster, and what is wrong."""
