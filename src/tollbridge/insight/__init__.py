"""What does it mean? Read-only questions to the tables of all other packages."""
