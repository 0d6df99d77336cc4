"""The other Pis on the LAN: hearing them and being heard."""
