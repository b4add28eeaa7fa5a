"""The execution actor without its process: a plain core that a test steps with a fake gateway and a clock."""
