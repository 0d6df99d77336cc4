"""Pure decisions: data in, data out; no subprocess, files, sockets, time or chance."""
