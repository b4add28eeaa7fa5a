"""How a process of ours lives: configuration, topology, loop, commands, heartbeat, affinity, restarts."""
