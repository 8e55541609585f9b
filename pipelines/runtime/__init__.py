"""What every command stands on: steps and their cache, workspace, child processes, command line."""
