"""What does the configuration file declare? Applying it is each owner's own work."""
