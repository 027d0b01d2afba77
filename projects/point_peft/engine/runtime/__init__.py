"""A run: its runner, loops, optimizer groups, processes, device, random numbers, output and work directory."""
