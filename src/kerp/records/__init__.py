"""How a log becomes a file and tidy tables. Cannot tell a real log from a simulated one."""
