"""What flows: the log, the lane, the gateway, the roles and the command line."""
