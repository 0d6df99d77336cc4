"""What runs all the time: tells the LAN about this node, hears the others, does its duties."""
